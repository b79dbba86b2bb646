"""No part of a request can bring another one along."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.twilio.wire.request import encoded, head_of, request_of

HEAD = b"Host: a\r\nX-Y: b c\r\n"


def test_a_request_is_written() -> None:
    """A body has its length told, also where it is empty; without one there is none to tell."""
    assert head_of({"Host": "a", "X-Y": "b c"}) == HEAD
    assert request_of("GET", "/v1?a=%20", HEAD, None) == b"GET /v1?a=%20 HTTP/1.1\r\n" + HEAD + b"\r\n"
    assert request_of("POST", "/", HEAD, b"") == b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 0\r\n\r\n"
    assert request_of("POST", "/", HEAD, b"a=b").endswith(b"\r\nContent-Length: 3\r\n\r\na=b")


@pytest.mark.parametrize("odd", ["a\r\nX: y", "a\nb", "a\rb", "a\0b", "a\x7f", "ü", " a", "a ", "", "\x85", "\u2028"])
def test_a_header_is_one_line(odd: str) -> None:
    """Neither its value nor its name may end it, or hide something in it."""
    with pytest.raises(ValueError, match="what no header may have"):
        head_of({"X": odd})
    with pytest.raises(ValueError, match="what no header may have"):
        head_of({odd: "x"} if odd != "" else {"": "x"})


@pytest.mark.parametrize(
    "odd", ["", "a", "/a b", "/a\r\nX: y", "/a\n", "/\0", "/\t", "/ü", "/#a", "*", "http://a/", "/a HTTP/1.1\r\n\r\n"]
)
def test_a_target_is_a_path_and_a_query(odd: str) -> None:
    """It has no blank, no line break, no fragment, and nothing that is not escaped."""
    with pytest.raises(ValueError, match="what neither may have"):
        request_of("GET", odd, HEAD, None)


TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["FW0", "a b", "~-_.", "+1 (555)", "ü", "a=b&c"]
)


@given(st.dictionaries(TEXTS, TEXTS | st.lists(TEXTS, max_size=3), max_size=4))
def test_fields_are_encoded_as_python_does(fields: dict[str, str | list[str]]) -> None:
    """Byte for byte, whatever stands in them; a list repeats its name."""
    assert encoded(fields) == urlencode(fields, doseq=True)
