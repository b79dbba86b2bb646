"""A server that answers as it is told, however wrong, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from router.twilio.transport import RequestRecord

AC = "AC" + "1" * 32
IS = "IS" + "2" * 32
CH = "CH" + "3" * 32
WH = "WH" + "4" * 32
FW = "FW" + "5" * 32
FN = "FN" + "8" * 32
RQ = "RQ" + "6" * 32

CONVERSATION = f"/v1/Services/{IS}/Conversations/{CH}"
WEBHOOKS = f"{CONVERSATION}/Webhooks"


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer: ``body`` as JSON, text as HTML, bytes as they are; late, or not at all."""

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False

    def to_response(self) -> web.Response:
        if isinstance(self.body, bytes):
            return web.Response(status=self.status, body=self.body, headers=self.headers)
        if isinstance(self.body, str):
            return web.Response(status=self.status, text=self.body, headers=self.headers, content_type="text/html")
        return web.json_response(self.body, status=self.status, headers=self.headers)


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came: ``target`` is path and query, byte for byte; ``peer`` tells connections apart."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: str
    peer: object

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body, keep_blank_values=True, strict_parsing=bool(self.body))

    @property
    def asked(self) -> tuple[str, dict[str, list[str]]]:
        """The path, and what its query says."""
        path, _, query = self.target.partition("?")
        return path, parse_qs(query, keep_blank_values=True, strict_parsing=bool(query))


class Stub:
    """Answers with the next of ``replies``, or by ``rule`` where one is set; 599 where nothing is left."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[Seen] = []
        self.replies: deque[Reply] = deque()
        self.rule: Callable[[Seen], Reply] | None = None

    def answers(self, *replies: Reply) -> None:
        self.replies.extend(replies)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        transport = request.transport
        assert transport is not None
        body = (await request.read()).decode()
        peer = transport.get_extra_info("peername")
        seen = Seen(request.method, request.raw_path, request.headers.copy(), body, peer)
        self.seen.append(seen)
        reply = self.rule(seen) if self.rule else self.replies.popleft() if self.replies else Reply(status=599)
        await asyncio.sleep(reply.delay)
        if reply.cut:
            transport.abort()
        return reply.to_response()


@contextlib.asynccontextmanager
async def serving_stub() -> AsyncIterator[Stub]:
    stub = Stub()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", stub.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        stub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield stub
    finally:
        await runner.cleanup()


def webhook_json(sid: str = WH, target: str = "webhook", **configuration: object) -> dict[str, Any]:
    return {"sid": sid, "target": target, "configuration": configuration}


def flow_json(sid: str = FW, **changes: object) -> dict[str, Any]:
    transitions = [{"event": "incomingCall"}, {"event": "incomingConversationMessage", "next": "greet"}]
    trigger = {"name": "Trigger", "type": "trigger", "transitions": transitions}
    definition = {"initial_state": "Trigger", "states": [trigger, {"name": "greet", "transitions": []}]}
    said = {"sid": sid, "account_sid": AC, "definition": definition, "status": "published", "valid": True, "errors": []}
    return {**said, **changes}


def execution_json(sid: str = FN, status: object = "active", **changes: object) -> dict[str, Any]:
    return {"sid": sid, "flow_sid": FW, "contact_channel_address": CH, "status": status, **changes}


def page_json(key: str, *records: object, next_page_url: str | None = None) -> dict[str, Any]:
    return {"meta": {"key": key, "page": 0, "page_size": 5, "next_page_url": next_page_url}, key: list(records)}


def error_json(code: int, message: str = "no", status: int = 400) -> dict[str, Any]:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return {"code": code, "message": message, "more_info": more, "status": status}


EMPTY = Reply(page_json("webhooks"))


def ignore(_: RequestRecord) -> None:
    """Take note of nothing."""


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
