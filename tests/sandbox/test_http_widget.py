from __future__ import annotations

from typing import Any

import pytest

from router.sandbox.exchange import FORM, JSON, Reply, Request
from router.sandbox.http_widget import LARGEST_ANSWER, check, event_of, request_of, variables_of
from router.sandbox.variables import fill

VARIABLES = {"a": {"b": "x & y"}}
URL = "https://h.example/in"
PAIRS = [{"key": "k", "value": "{{a.b}}"}, {"key": "l", "value": "2"}]


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"method": "GET", "url": URL}, Request(URL)),
        ({"method": "GET", "url": URL, "parameters": PAIRS}, Request(f"{URL}?k=x+%26+y&l=2")),
        ({"method": "GET", "url": f"{URL}?c=1", "parameters": PAIRS}, Request(f"{URL}?c=1&k=x+%26+y&l=2")),
        ({"method": "POST", "url": URL}, Request(URL, "", FORM)),
        ({"method": "POST", "url": URL, "parameters": PAIRS}, Request(URL, "k=x+%26+y&l=2", FORM)),
        ({"method": "POST", "url": URL, "body": "c={{a.b}}", "parameters": PAIRS[1:]}, Request(URL, "c=x & y&l=2")),
        (
            {"method": "POST", "url": "{{a.b}}", "content_type": JSON, "body": '{"a": "{{a.b}}"}'},
            Request("x & y", '{"a": "x & y"}', JSON),
        ),
    ],
)
def test_what_is_asked_is_filled_in(properties: dict[str, Any], expected: Request) -> None:
    """Address, body and parameters are texts with variables; parameters go into the query of a GET, else behind."""
    check("here", properties)
    assert request_of(properties, VARIABLES) == expected


@pytest.mark.parametrize(
    ("properties", "complaint"),
    [
        ({"url": URL}, "has the method None; expected GET or POST"),
        ({"method": "PUT", "url": URL}, "has the method 'PUT'"),
        ({"method": "GET"}, "has no 'url'"),
        ({"method": "POST", "url": URL, "content_type": "text/xml"}, "has the content type 'text/xml'; expected app"),
        ({"method": "POST", "url": URL, "content_type": JSON, "parameters": PAIRS}, "has 'parameters' beside JSON"),
    ],
)
def test_what_cannot_be_played_is_refused(properties: dict[str, Any], complaint: str) -> None:
    """What the sandbox does not know is said before anything runs."""
    with pytest.raises(ValueError, match=f"^here {complaint}"):
        check("here", properties)


@pytest.mark.parametrize(
    ("reply", "event"),
    [
        (Reply(200), "success"),
        (Reply(204), "success"),
        (Reply(200, body="x" * LARGEST_ANSWER), "success"),
        (Reply(200, body="x" * (LARGEST_ANSWER + 1)), "failed"),
        (Reply(302), "failed"),
        (Reply(404), "failed"),
        (Reply(error="TimeoutError"), "failed"),
    ],
)
def test_only_a_good_answer_is_a_success(reply: Reply, event: str) -> None:
    """2xx within 64 kB is a success; anything else, and no answer, is not."""
    assert event_of(reply) == event


@pytest.mark.parametrize(
    ("reply", "parsed"),
    [
        (Reply(200, JSON, '{"a": true}'), {"a": True}),
        (Reply(404, JSON, '{"a": 1}'), {"a": 1}),
        (Reply(200, f"{JSON}; charset=utf-8", '{"a": 1}'), None),
        (Reply(200, "text/plain", '{"a": 1}'), None),
        (Reply(200, JSON, "[1]"), None),
        (Reply(200, JSON, "{"), None),
    ],
)
def test_an_answer_is_parsed_where_it_says_exactly_that_it_is_json(reply: Reply, parsed: Any) -> None:
    """Status and body are always there, ``parsed`` only for an object of the one content type (MAKE-REQUEST)."""
    found = dict(variables_of(reply))
    assert found.pop("parsed", None) == parsed
    assert found == {"status_code": reply.status, "body": reply.body}


def test_no_answer_has_no_variables() -> None:
    """What never came cannot be read."""
    assert variables_of(Reply(error="TimeoutError")) == {}


def test_values_of_json_are_written_as_studio_does() -> None:
    """Truth values are small, null is nothing, numbers are their figures."""
    assert fill("{{x.t}} {{x.f}} <{{x.n}}> {{x.i}}", {"x": {"t": True, "f": False, "n": None, "i": 5}}) == (
        "true false <> 5"
    )
