"""The widget *Make HTTP Request*: what it asks, and what its answer is to the flow (docs/twilio.md, MAKE-REQUEST)."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from router.sandbox.exchange import FORM, JSON, Request
from router.sandbox.variables import fill

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.sandbox.exchange import Reply

TYPE: Final = "make-http-request"
PATIENCE: Final = 10.0
"""Seconds that the other side has for its answer."""

LARGEST_ANSWER: Final = 64 * 1024


def check(here: str, properties: Mapping[str, Any]) -> None:
    """Raise ValueError where the sandbox cannot play the widget; ``here`` is how the message begins."""
    if properties.get("method") not in ("GET", "POST"):
        raise ValueError(f"{here} has the method {properties.get('method')!r}; expected GET or POST")
    if not properties.get("url"):
        raise ValueError(f"{here} has no 'url'")
    kind = str(properties.get("content_type", FORM))
    if not kind.startswith((FORM, JSON)):
        raise ValueError(f"{here} has the content type {kind!r}; expected {FORM} or {JSON}")
    if properties["method"] == "POST" and kind.startswith(JSON) and properties.get("parameters"):
        raise ValueError(f"{here} has 'parameters' beside JSON, which the sandbox does not know; put them into 'body'")


def request_of(properties: Mapping[str, Any], variables: Mapping[str, Any]) -> Request:
    """Fill in what is asked: parameters go into the query of a GET, and behind the body of a form."""
    url = fill(properties["url"], variables)
    pairs = [(entry["key"], fill(entry["value"], variables)) for entry in properties.get("parameters", ())]
    if properties["method"] == "GET":
        return Request(f"{url}{'&' if '?' in url else '?'}{urlencode(pairs)}" if pairs else url)
    parts = (fill(properties.get("body", ""), variables), urlencode(pairs))
    return Request(url, "&".join(part for part in parts if part), properties.get("content_type", FORM))


def event_of(reply: Reply) -> str:
    """Say which transition the answer takes."""
    is_good = HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES
    return "success" if is_good and len(reply.body.encode()) <= LARGEST_ANSWER else "failed"


def variables_of(reply: Reply) -> Mapping[str, Any]:
    """Give what texts may use of the answer; ``parsed`` only of an object that is exactly ``application/json``."""
    if not reply.status:
        return {}
    found = {"status_code": reply.status, "body": reply.body}
    try:
        parsed = json.loads(reply.body) if reply.content_type == JSON else None
    except ValueError:
        parsed = None
    return {**found, "parsed": parsed} if isinstance(parsed, dict) else found
