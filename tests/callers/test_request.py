from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.callers.request import FIELDS, Request, grouped, pairs


def request(query: str = "", **headers: list[str]) -> Request:
    named = {name.replace("_", "-"): values for name, values in headers.items()}
    return Request("POST", "/a b", "/a%20b", query, named)


def test_a_header_that_is_repeated_with_another_value_is_missing() -> None:
    """A header says something only where it says one thing."""
    found = request(one=["a"], same=["a", "a"], two=["a", "b"], none=[])
    assert [found.header(name) for name in ("one", "same", "two", "none", "missing")] == ["a", "a", "", "", ""]


@pytest.mark.parametrize(
    ("content_type", "media_type", "is_form"),
    [
        ("application/json", "application/json", False),
        ("Application/JSON ; charset=utf-8", "application/json", False),
        ("application/x-www-form-urlencoded;charset=utf-8", "application/x-www-form-urlencoded", True),
        ("application/x-www-form-urlencodedx", "application/x-www-form-urlencodedx", False),
        ("", "", False),
    ],
)
def test_a_media_type_is_the_content_type_without_its_parameters(
    content_type: str, media_type: str, *, is_form: bool
) -> None:
    """In lower case and without parameters; only one is a form."""
    found = request(content_type=[content_type])
    assert (found.media_type, found.is_form) == (media_type, is_form)


@pytest.mark.parametrize("public", ["https://h.example", "https://h.example/"])
def test_the_url_is_the_public_one_with_path_and_query_as_they_came(public: str) -> None:
    """Nothing is decoded or encoded anew, and no mark stands for a query that is not there."""
    assert request().url(public) == "https://h.example/a%20b"
    assert request("b=%20+%c3&&a").url(public) == "https://h.example/a%20b?b=%20+%c3&&a"


def test_a_log_sees_the_names_of_a_query_alone() -> None:
    """Each name stands once, and no value: not part of one with an equals sign in it, nor one that lacks its name."""
    shown = request("secret=hunter2&a=x=y&a=z&&b=&hunter3&secret%3Dhunter4").described("https://h.example")
    assert shown == "https://h.example/a%20b?a=…&b=…&secret=…"
    assert request().described("https://h.example/") == "https://h.example/a%20b"


def test_headers_and_body_stay_out_of_a_repr() -> None:
    """A request may be logged without its secrets."""
    assert "hunter2" not in repr(Request("POST", "/", "/", "", {"authorization": ["hunter2"]}, b"hunter2"))


def test_pairs_keep_blanks_and_order() -> None:
    """A blank value is a value, a name without an equals sign has one, and a plus is a space."""
    assert pairs("b=1&a=&c&b=2+3&d=%2B") == [("b", "1"), ("a", ""), ("c", ""), ("b", "2 3"), ("d", "+")]


@pytest.mark.parametrize("encoded", ["a=%ff", "%c3=1", "a=%ed%a0%80", "&".join(["a=1"] * (FIELDS + 1))])
def test_what_is_no_text_or_far_too_much_raises(encoded: str) -> None:
    """Bytes that are no UTF-8, and more parameters than any call has, are a ValueError."""
    with pytest.raises(ValueError, match=r"."):
        pairs(encoded)


def test_as_many_parameters_as_are_allowed_are_read() -> None:
    """The bound itself passes."""
    assert len(pairs("&".join(["a=1"] * FIELDS))) == FIELDS


@given(st.lists(st.tuples(st.text(), st.text()), max_size=20))
def test_what_was_encoded_is_decoded(values: list[tuple[str, str]]) -> None:
    """Pairs of any text survive the way through a query, and grouping loses none of them."""
    assert pairs(urlencode(values)) == values
    found = grouped(values)
    assert [(name, value) for name, each in found.items() for value in each] == sorted(
        values, key=lambda pair: list(found).index(pair[0])
    )
