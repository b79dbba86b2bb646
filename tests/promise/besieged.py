"""What is under siege: conversations that know who answered when, and servers that die and come again."""

from __future__ import annotations

import asyncio
import contextlib
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.sandbox.world import Status
from tests.kit import AGENT_URL, FOREIGN, Witnessed, foreign
from tests.promise.place import Moment
from tests.promise.processes import served
from tests.promise.promises import TOO_EARLY, standing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

    from router.ledger.row import Row
    from router.model.webhook import ScopedWebhook
    from router.sandbox.sandbox import Sandbox
    from router.sandbox.world import Conversation, Execution
    from tests.promise.processes import Server

CAUSE: ContextVar[tuple[str, float]] = ContextVar("CAUSE")


@dataclass(frozen=True, slots=True)
class Caused:
    """Wraps the sandbox, so that each change can be asked which request it was made by, and when that came."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            CAUSE.set((scope["method"], time.monotonic()))
        await self.app(scope, receive, send)


@dataclass(slots=True, eq=False)
class Guest:
    """A conversation under siege, and who answered when."""

    sandbox: Sandbox
    conversation: Conversation
    strangers: Sequence[ScopedWebhook]
    history: list[Moment] = field(default_factory=list)
    taken: int = 0
    checked: int = 0

    @classmethod
    def at(cls, sandbox: Sandbox, number: int) -> Guest:
        """Open a conversation: the agent on the service, in a full house, or with two webhooks of others."""
        customer = f"whatsapp:+{number}555010{number}"  # of whom a row keeps no more than both ends
        others = FOREIGN[: (0, 4, 2)[number % 3]]
        where: dict[str, str] = {"agent_url" if number % 3 else "service_url": AGENT_URL}
        conversation = sandbox.open_conversation(customer=customer, webhooks=others, **where)
        guest = cls(sandbox, conversation, foreign(conversation))
        guest._look()
        conversation.webhooks = Witnessed(conversation.webhooks, guest._look)
        return guest

    @property
    def answering(self) -> tuple[int, tuple[str, ...]]:
        """How many agents answer, and which flows."""
        found = self.sandbox.responders(self.conversation)
        flows = tuple(responder.name for responder in found if responder.kind == "studio")
        return len(found) - len(flows), flows

    def is_right(self, rows: Sequence[Row]) -> bool:
        """Say whether the one answers that should by the ledger, and nobody else's webhook was touched."""
        flow = standing(rows)
        return self.answering == ((0, (flow,)) if flow else (1, ())) and foreign(self.conversation) == self.strangers

    def runs(self) -> list[Execution]:
        """List what runs of flows in this conversation."""
        runs = self.sandbox.world.executions.values()
        return [run for run in runs if run.conversation is self.conversation and run.status == Status.ACTIVE]

    def end_runs(self, rows: Sequence[Row]) -> None:
        """End what runs, unless it alone answers and nobody asked it back: that would be its own choice."""
        is_back = any(row.way is not None and row.is_open for row in rows)
        for run in self.runs():
            there = self.conversation.webhook(run.webhook.sid) if run.webhook else None
            if is_back or there is None or there.spec.flow != run.flow.sid:
                self.sandbox.end(run)

    def _look(self) -> None:
        agents, flows = self.answering
        places, self.taken = self.taken, len(self.conversation.webhooks)
        self.history.append(Moment(time.monotonic(), agents, flows, places, _cause()))


def _cause() -> str:
    """Name what changes something: only what a client deletes goes by a client's will, and at a client's time."""
    method, begun = CAUSE.get(("", 0.0))
    if method != "DELETE":
        return TOO_EARLY
    return "DELETE, done late" if time.monotonic() > begun + 0.3 else "DELETE"


@dataclass(slots=True, eq=False)
class Machine:
    """A server that is killed, and comes again; ``calls`` are those that it has in hand."""

    directory: Path
    environ: Mapping[str, str]
    server: Server | None = None
    calls: set[asyncio.Task[None]] = field(default_factory=set)
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def start(self) -> None:
        """Start it, unless it runs."""
        if self.server is None:
            self.server = await self._stack.enter_async_context(served(self.directory, self.environ))

    async def kill(self) -> None:
        """End it with -9."""
        if server := self._leave():
            await server.kill()
            await self._end()

    async def stop(self) -> int:
        """End it in good order; gives the exit code."""
        server, code = self._leave(), 0
        if server:
            code = await server.stop()
            await self._end()
        return code

    def _leave(self) -> Server | None:
        server, self.server = self.server, None
        return server

    async def _end(self) -> None:
        if self.calls:
            await asyncio.wait(self.calls)
        await self._stack.aclose()
