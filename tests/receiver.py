"""A receiver of webhooks on a port of its own: it keeps what came, and answers as it is told."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from router.serving import serving

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Mapping

    from starlette.types import Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class Got:
    """One request."""

    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def name(self) -> str:
        return self.headers["webhook-id"]


@dataclass(slots=True)
class Receiver:
    """Answers with ``statuses`` in turn, the last of them for ever; ``cuts`` gives no answer, and ``hangs`` waits."""

    url: str = ""
    statuses: list[int] = field(default_factory=lambda: [200])
    location: str = ""
    cuts: bool = False
    hangs: asyncio.Event | None = None
    got: list[Got] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        target = f"{request.url.path}?{request.url.query}"
        self.got.append(Got(target, dict(request.headers), await request.body()))
        if self.hangs is not None:
            await self.hangs.wait()
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if self.cuts:
            # More is promised than comes: the server ends the connection in the middle of the answer.
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"x")]})
            return
        headers = {"Location": self.location} if self.location else {}
        await Response(status_code=status, headers=headers)(scope, receive, send)


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Listen while the block runs."""
    receiver = Receiver()
    async with serving(receiver) as receiver.url:
        yield receiver
