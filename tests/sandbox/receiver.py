"""A web server that notes what it is sent: the other end of webhooks and tool calls."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from router.serving import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from starlette.requests import Request


@dataclass(frozen=True, slots=True)
class Received:
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode(), keep_blank_values=True)

    def one(self, name: str) -> str:
        (value,) = self.form[name]
        return value


@dataclass(slots=True)
class Receiver:
    """Answers every request with ``text`` and ``status``, where it ``holds`` only once it stops."""

    text: str = ""
    status: int = 200
    holds: bool = False
    url: str = ""
    received: list[Received] = field(default_factory=list)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: Request) -> Response:
        body = await request.body()
        self.received.append(Received(request.method, request.url.path, request.url.query, dict(request.headers), body))
        self.reached.set()
        if self.holds:
            await self.released.wait()
        return PlainTextResponse(self.text, self.status)


@contextlib.asynccontextmanager
async def receiving(text: str = "", *, status: int = 200, holds: bool = False) -> AsyncIterator[Receiver]:
    receiver = Receiver(text, status, holds)
    app = Starlette(routes=[Route("/{path:path}", receiver.take, methods=["GET", "POST"])])
    async with serving(app) as url:
        receiver.url = url
        try:
            yield receiver
        finally:
            receiver.released.set()
