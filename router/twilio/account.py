"""How the SDK would send a request: which headers, whose credentials, and to which host. Asked once a host."""

from __future__ import annotations

import logging
from base64 import b64encode
from typing import Any

from twilio.http import HttpClient
from twilio.rest import Client

from router import __version__


class Account:
    """The SDK's client, of which we ask everything but to send: edge and region, login, and its name."""

    def __init__(self, login: tuple[str, str], account_sid: str, *, edge: str = "", region: str = "") -> None:
        self._client = Client(
            *login,
            account_sid,
            region=region or None,
            edge=edge or None,
            http_client=_Mirror(logging.getLogger(__name__), is_async=False),
            environment={"TWILIO_ACCOUNT_SID": account_sid},  # an empty one would mean os.environ
            user_agent_extensions=[f"handover-router/{__version__}"],
        )

    def address(self, method: str, url: str) -> tuple[str, dict[str, str]]:
        """Give the URL that the SDK would call for ``url``, and the headers that it would send."""
        called, headers, login = self._client.request(method, url)
        return called, {**headers, "Authorization": "Basic " + b64encode(":".join(login).encode()).decode()}


class _Mirror(HttpClient):  # type: ignore[misc]  # the SDK has no types
    """Shows the SDK's requests in place of sending them."""

    def request(self, _method: str, uri: str, **given: Any) -> Any:
        return uri, given["headers"], given["auth"]
