from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.callers.inputs import body_inputs, url_inputs
from router.callers.request import Request
from router.errors import BadRequest

FORM = "application/x-www-form-urlencoded"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def posted(body: bytes, content_type: str = "application/json", method: str = "POST") -> dict[str, Any]:
    return body_inputs(Request(method, "/t", "/t", headers={"content-type": [content_type]}, body=body))


def queried(query: str) -> dict[str, Any]:
    return url_inputs(Request("GET", "/t", "/t", query))


@given(st.dictionaries(st.text(), VALUES, max_size=6))
def test_an_object_is_read_as_it_was_written(value: dict[str, Any]) -> None:
    """Every JSON object of plain values comes through unchanged, in either way of writing it."""
    assert posted(json.dumps(value).encode()) == value
    assert posted(json.dumps(value, ensure_ascii=False, indent=1).encode(), "application/vnd.x+json; v=1") == value


@given(VALUES.filter(lambda value: not isinstance(value, dict)))
def test_any_other_value_is_refused_by_its_kind(value: Any) -> None:
    """What is no object is a BadRequest that names what it is and shows what was expected."""
    with pytest.raises(BadRequest, match=r"^the body is a JSON (list|str|int|float|bool|NoneType); expected an object"):
        posted(json.dumps(value).encode())


@given(st.binary(max_size=200), st.sampled_from(["application/json", FORM]))
def test_any_bytes_are_inputs_or_a_bad_request(body: bytes, content_type: str) -> None:
    """No bytes raise anything else, and what they are read as can be written as UTF-8 JSON again."""
    try:
        found = posted(body, content_type)
    except BadRequest as refused:
        found = {"refused": str(refused)}
    assert json.loads(json.dumps(found, allow_nan=False, ensure_ascii=False).encode()) == found
    assert "refused" not in found or found["refused"].startswith("the body is ")


@given(st.text(min_size=8, alphabet="abcdefghijklmnop"))
@settings(max_examples=30)
def test_an_error_does_not_repeat_what_the_customer_said(words: str) -> None:
    """The reason says what is wrong and where, never what stands there."""
    for body, content_type in (
        (f'{{"{words}": "{words}"'.encode(), "application/json"),
        (f'{{"{words}": 1, "{words}": 2}}'.encode(), "application/json"),
        (f'{{"a": "{words}'.encode() + b'\xff"}', "application/json"),
        (words.encode(), FORM),
        (words.encode() + b"=%ff", FORM),
    ):
        with pytest.raises(BadRequest) as refused:
            posted(body, content_type)
        assert words not in str(refused.value)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not readable JSON: Expecting property name enclosed in double quotes at line 1 column 2"),
        (b'{"a": 1, "a": 1}', "not readable JSON: an object has the same name twice"),
        (b'{"a": NaN}', "not readable JSON: NaN is no JSON value"),
        (b'{"a": -Infinity}', "not readable JSON: -Infinity is no JSON value"),
        (b'{"a": -1' + b"0" * 400 + b".5}", "not readable JSON: Out of range float values"),
        (b'{"a": 1e999}', "not readable JSON: Out of range float values"),
        (b'{"a": "\xff"}', "not readable JSON: bytes that are no UTF-8 text"),
        (rb'{"a": "\ud800"}', "not readable JSON: bytes that are no UTF-8 text"),
        (b"[" * 60_000, "nested too deeply"),
    ],
)
def test_unreadable_json_says_why(body: bytes, reason: str) -> None:
    """Each kind of bad JSON has its own reason."""
    with pytest.raises(BadRequest) as refused:
        posted(body)
    assert reason in str(refused.value)


@pytest.mark.parametrize("content_type", ["", "text/plain", "multipart/form-data"])
def test_another_content_type_is_named(content_type: str) -> None:
    """The error names the type that came, or says that there was none."""
    with pytest.raises(BadRequest) as refused:
        posted(b"x", content_type)
    assert (repr(content_type) if content_type else "is none;") in str(refused.value)


def test_numbers_and_depth_are_kept_within_bounds() -> None:
    """A number is one, also where it has a fraction; lists side by side are not deep, and one within another is."""
    assert posted(b'{"a": -1.5e3, "b": 10, "c": "\\u00fc"}') == {"a": -1500.0, "b": 10, "c": "ü"}
    assert posted(b'{"a": [' + b"[]," * 99 + b"1]}") == {"a": [*([[]] * 99), 1]}
    with pytest.raises(BadRequest, match="nested too deeply"):
        posted(b'{"a": ' + b"[" * 64 + b"]" * 64 + b"}")


def test_no_body_is_no_inputs() -> None:
    """An empty body needs no content type, and a GET has no body at all."""
    assert posted(b"", "") == {}
    assert posted(b'{"a": 1}', method="GET") == {}
    assert posted(b"\xff", "text/plain", method="GET") == {}


@given(st.dictionaries(st.text(), st.lists(st.text(), min_size=1, max_size=3), min_size=1, max_size=5))
def test_a_form_and_a_query_mean_the_same(values: dict[str, list[str]]) -> None:
    """One value is a text, several different ones are a list in their order; the same one again says nothing new."""
    encoded = urlencode(values, doseq=True)
    expected = {name: list(dict.fromkeys(each)) for name, each in values.items()}
    folded = {name: each[0] if len(each) == 1 else each for name, each in expected.items()}
    assert posted(encoded.encode(), FORM) == folded
    assert queried(encoded) == {name: each for name, each in folded.items() if name not in ("secret", "bodySHA256")}


def test_what_proves_the_caller_is_no_input() -> None:
    """Secret and hash in the URL are left out under their own names; in a body they are inputs like others."""
    assert queried("secret=a&bodySHA256=b&secret=c&Secret=d&%73ecret=e") == {"Secret": "d"}
    assert posted(b"secret=a", FORM) == {"secret": "a"}


@given(st.binary(max_size=60))
def test_any_query_is_inputs_or_a_bad_request(raw: bytes) -> None:
    """No query raises anything else."""
    for query in (quote(raw, safe="&=+"), raw.decode("latin-1")):
        reason = ""
        try:
            queried(query)
        except BadRequest as refused:
            reason = str(refused)
        assert reason.startswith("the query cannot be read: expected percent-encoded UTF-8") or not reason
