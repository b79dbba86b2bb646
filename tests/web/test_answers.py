from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.web.answers import prefers_json


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/json, text/plain, */*", True),
        ("text/plain, application/json;q=0.9", False),
        ("text/*;q=0.5, application/json;q=0.9", True),
        ("text/plain;q=0.5;application/json", False),
        ("application/json;q=0", False),
        ("application/json; q = 0.1", True),
        ("application/json;q=much", False),
        ("application/json;q=nan", False),
        ("application/jsonp", False),
        (",,;;q=,", False),
    ],
)
def test_json_is_for_those_who_ask_for_it(accept: str, *, is_json: bool) -> None:
    """JSON comes where an Accept header names it and likes it no less than plain text."""
    assert prefers_json(accept) is is_json


@given(st.text())
def test_no_accept_header_breaks_the_answer(accept: str) -> None:
    """Whatever stands in Accept, there is a yes or a no, and a yes only where JSON is named."""
    assert not prefers_json(accept) or "application/json" in accept.lower()
