"""The outermost layer: it notes every request, names it as Twilio does (``RQ…``), and can hang up on it."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HANG_UP: Final = "sandbox.hang_up"
"""Under this key of the scope lies a function that drops the connection without a word."""

_SECRET: Final = frozenset({"authorization"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One request as it came and how it ended: ``status`` is 0 where the connection was dropped.

    ``query`` and ``form`` hold each name with all of its values; header names are lower case, credentials left out.
    """

    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    form: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    status: int
    seconds: float
    request_id: str


class Journal:
    """Wraps the app; ``entries`` are in the order in which the requests ended, the newest 10 000 of them."""

    def __init__(self, app: ASGIApp, new_sid: Callable[[str], str]) -> None:
        self._app = app
        self._new_sid = new_sid
        self.entries: deque[Entry] = deque(maxlen=10_000)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note a request to one of Twilio's own paths; everything else passes."""
        if scope["type"] != "http" or not is_twilios(scope["path"]):
            await self._app(scope, receive, send)
            return
        begun, status, request_id = time.perf_counter(), 0, self._new_sid("RQ")
        body = await _whole_body(receive)
        replayed = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_again() -> Message:
            return replayed.pop() if replayed else await receive()

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"twilio-request-id", request_id.encode())]
            await send(message)

        async def hang_up() -> None:
            await _drop(send, receive)

        try:
            await self._app({**scope, HANG_UP: hang_up}, receive_again, send_named)
        finally:
            self.entries.append(_entry(scope, body, status, time.perf_counter() - begun, request_id))


def is_twilios(path: str) -> bool:
    """Say whether ``path`` is one of Twilio's, and not one of the sandbox's own."""
    return path.startswith(("/v1/", "/v2/"))


async def _whole_body(receive: Receive) -> bytes:
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def _drop(send: Send, receive: Receive) -> None:
    """Drop the connection and wait until the server has noticed.

    ASGI knows no way to do that: an app that fails is answered with a 500. So we reach for uvicorn's own
    transport, which ``send`` belongs to.
    """
    cycle = getattr(send, "__self__", None)
    if cycle is None or not hasattr(cycle, "transport"):
        raise RuntimeError("only uvicorn's connections can be dropped: serve the sandbox with router.serving.serving()")
    cycle.transport.abort()
    await receive()  # the body is read, so this can only be the end of the connection


def _entry(scope: Scope, body: bytes, status: int, seconds: float, request_id: str) -> Entry:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return Entry(
        method=scope["method"],
        path=scope["path"],
        query=parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True),
        form=parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True),
        headers={name: value for name, value in headers.items() if name not in _SECRET},
        status=status,
        seconds=seconds,
        request_id=request_id,
    )
