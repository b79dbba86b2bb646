"""What the SDK's own resources send: the measure of what the gateway sends without them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

from router import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Sent:
    """A request: ``url`` with its query, ``form`` as it is encoded."""

    method: str
    url: str
    form: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Recorder(HttpClient):  # type: ignore[misc]  # the SDK has no types
    """Takes note of what the SDK sends, and answers ``body``."""

    def __init__(self, body: str) -> None:
        self.is_async = False
        self.body = body
        self.sent: list[Sent] = []

    def request(self, method: str, uri: str, **given: Any) -> Response:
        query = urlencode(given["params"], doseq=True) if given["params"] else ""
        form = urlencode(given["data"], doseq=True) if given["data"] else ""
        self.sent.append(Sent(method, f"{uri}?{query}" if query else uri, form, given["headers"]))
        return Response(200, self.body)


def recording_client(credentials: tuple[str, str], body: str, **where: str) -> tuple[Client, Recorder]:
    """Give the SDK's client and what takes note of its requests; ``where`` is an edge and a region."""
    recorder = Recorder(body)
    extensions = [f"handover-router/{__version__}"]
    client = Client(
        *credentials, http_client=recorder, user_agent_extensions=extensions, environment={"X": "y"}, **where
    )
    return client, recorder
