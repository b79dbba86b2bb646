"""What tests of whole handovers share: a desk with a real gateway, over HTTP, at a sandbox that runs."""

from __future__ import annotations

import asyncio
import contextlib
import io
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from textwrap import dedent
from typing import TYPE_CHECKING, Any, SupportsIndex, TextIO

from router.clock import Clock
from router.config import load
from router.desk import Desk
from router.ledger.durable import DurableLedger
from router.ledger.memory import MemoryLedger
from router.ledger.owner import this_process
from router.line import Line
from router.log import new_log
from router.model.call import Identity, ToolCall
from router.model.webhook import MESSAGE_ADDED, ScopedWebhook, Target, WebhookSpec
from router.rounds import Rounds
from router.sandbox.faults import Fault
from router.swap.background import Background
from router.twilio.credentials import Credentials
from router.twilio.gateway import TwilioGateway
from router.twilio.transport import Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from pathlib import Path

    from router.ledger.ledger import Ledger
    from router.sandbox.faults import ArmedFault, Kind
    from router.sandbox.sandbox import Responder, Sandbox
    from router.sandbox.world import Conversation, Webhook

REFUNDS = "FW00000000000000000000000000000001"
BILLING = "FW00000000000000000000000000000002"
UNLISTED = "FW00000000000000000000000000000009"
TOOL = "/tools/support"
REPLAYING = "/tools/replay"
REHEARSED = "/tools/rehearsal"
AGENT_URL = "https://agent-1234.twil.io/channels/conversations/messageAdded?assistant=1"
CUSTOMER = Identity("whatsapp", "+15550100")
SUCCESS = "Our refunds desk takes over now."

ROUTES = f"""
version: 1
flows: {{refunds: {REFUNDS}, billing: {BILLING}}}
auth: [secret: unused-here]
assistant_webhooks: ["https://*.twil.io/channels/conversations/messageAdded*"]
tools:
  {TOOL}: {{flow: refunds, messages: {{success: {SUCCESS}}}}}
  {REPLAYING}: {{flow: refunds, replay: last_message}}
  {REHEARSED}: {{flow: refunds, dry_run: true, replay: last_message}}
"""

LOGGER = WebhookSpec(Target.WEBHOOK, "https://logs.example.com/hook", "POST", (MESSAGE_ADDED,))
FOREIGN = (
    LOGGER,
    replace(LOGGER, url="https://crm.example.com/twil.io/channels/conversations/messageAdded"),
    WebhookSpec(Target.TRIGGER, "https://words.example.com/stop", "POST", triggers=("stop",)),
    replace(LOGGER, url="https://stats.example.com/count", method="GET"),
    replace(LOGGER, url="https://audit.example.com/all"),
)
"""Five webhooks that are nobody's business: as many as a conversation holds."""

LIST = ("GET", "/Webhooks")
FETCH = ("GET", "")
NEWEST = ("GET", "/Messages")
WRITE = ("POST", "")
CREATE = ("POST", "/Webhooks")
REDIRECT = ("POST", "/Webhooks/WH*")
DELETE = ("DELETE", "/Webhooks/WH*")
"""The requests of a swap, by method and by what follows the conversation's own path."""

PATIENT = Limits()
HASTY = Limits(total=0.25, connect=0.25)


async def hurry(seconds: float) -> None:
    """Sleep a tenth of it, and never long."""
    await asyncio.sleep(min(seconds / 10, 0.3))


async def until(reached: Callable[[], bool]) -> None:
    """Wait until something at the sandbox is so; fails after five seconds."""
    async with asyncio.timeout(5):
        while not reached():
            await asyncio.sleep(0.005)


@dataclass(frozen=True)
class LeapingClock(Clock):
    """A clock that can be set forward, so that nobody waits for a look that is due in a minute."""

    ahead: list[timedelta] = field(default_factory=list)

    @classmethod
    def starting(cls, sleep: Callable[[float], Any]) -> LeapingClock:
        ahead: list[timedelta] = []
        return cls(now=lambda: datetime.now(UTC) + sum(ahead, timedelta()), sleep=sleep, ahead=ahead)

    def leap(self, to: datetime) -> None:
        self.ahead.append(max(timedelta(), to - self.now()))


async def settled(desk: Desk, *, most: int = 200) -> None:
    """Let a desk do all that is owed, whenever it is due; fails where that does not end."""
    assert await desk.background.drain(20) == 0
    for _round in range(most):
        if not await make_round(desk):
            return
    raise AssertionError(f"still owed after {most} rounds: {await desk.ledger.figures()}")


async def make_round(desk: Desk) -> bool:
    """Let time leap to what is due next, and let it be done; says whether there was anything."""
    due = await desk.ledger.next_due()
    if due is None:
        return False
    assert isinstance(desk.clock, LeapingClock)
    desk.clock.leap(due)
    assert isinstance(desk.gateway, TwilioGateway)
    await Rounds(lambda: desk, desk.gateway, timedelta(days=90)).make()
    return True


@contextlib.asynccontextmanager
async def open_desk(
    sandbox: Sandbox,
    directory: Path,
    routes: str = "",
    *,
    plugins: dict[str, str] | None = None,
    limits: Limits = PATIENT,
    sleep: Callable[[float], Any] = hurry,
    deadline: float = 4.5,
    stream: TextIO | None = None,
    may_break: bool = False,
    line: Line | None = None,
    durable: bool = False,
) -> AsyncIterator[Desk]:
    """Open a desk for ``ROUTES`` and what ``routes`` adds to it; ``plugins`` are written to files beside it.

    The log goes to ``stream``; the ledger is in memory, unless it is to be ``durable``. At the end no work may have
    broken, unless it ``may_break``.
    """
    path = directory / "routes.yaml"
    path.write_text(ROUTES + dedent(routes), encoding="utf-8")
    (directory / "plugins").mkdir(exist_ok=True)
    for name, source in (plugins or {}).items():
        text = "from router import Decline, hookimpl\n" + dedent(source)
        (directory / "plugins" / f"{name}.py").write_text(text, encoding="utf-8")
    loaded = load(path, environ={})
    broken: list[BaseException] = []
    clock = LeapingClock.starting(sleep)
    credentials = Credentials(sandbox.account_sid, sandbox.auth_token)
    async with contextlib.AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(
            TwilioGateway(credentials, base_url=sandbox.url, limits=limits, clock=clock, chance=lambda: 0.5)
        )
        ledger: Ledger = MemoryLedger(clock)
        if durable:
            url = f"sqlite:///{directory / 'handovers.db'}"
            ledger = await stack.enter_async_context(DurableLedger(url, this_process(), clock))
        desk = Desk(
            routes=loaded.routes,
            plugins=loaded.plugins,
            gateway=gateway,
            ledger=ledger,
            background=Background(broken.append),
            log=new_log(stream or io.StringIO()),
            deadline=deadline,
            clock=clock,
            line=line or Line(),
        )
        try:
            yield desk
        finally:
            await desk.background.drain(0)
    assert may_break or not broken


def call(conversation: Conversation, tool: str = TOOL, *, identity: Identity | None = CUSTOMER) -> ToolCall:
    """Make the call of a tool as it comes from the callers' room."""
    return ToolCall(tool, "ai_assistants", conversation.ref, identity)


def arm(
    sandbox: Sandbox, conversation: Conversation, request: tuple[str, str], kind: Kind | str, **how: Any
) -> ArmedFault:
    """Let a fault lie in wait for one of the requests above, in this conversation alone."""
    method, rest = request
    return sandbox.faults.add(Fault(kind, method=method, path=f"*/Conversations/{conversation.sid}{rest}", **how))


def asked(sandbox: Sandbox, conversation: Conversation) -> list[tuple[str, str]]:
    """List the requests about a conversation in the order of their ends, in the words above."""
    found = []
    for entry in sandbox.requests:
        _, there, rest = entry.path.partition(f"/Conversations/{conversation.sid}")
        if there:
            found.append((entry.method, "/Webhooks/WH*" if rest.startswith("/Webhooks/WH") else rest))
    return found


def writes(sandbox: Sandbox, conversation: Conversation) -> list[tuple[str, str]]:
    """List those of them that change something."""
    return [request for request in asked(sandbox, conversation) if request[0] != "GET"]


def flows(conversation: Conversation) -> list[str]:
    """List the flows that are attached."""
    return [webhook.spec.flow for webhook in conversation.studio_webhooks]


def agents(conversation: Conversation) -> list[str]:
    """List the SIDs of the agent's own webhooks."""
    return [webhook.sid for webhook in conversation.webhooks if webhook.spec.url == AGENT_URL]


def foreign(conversation: Conversation) -> list[ScopedWebhook]:
    """List the webhooks that are neither the agent's nor Studio's, as they stand."""
    return [ScopedWebhook(webhook.sid, webhook.spec) for webhook in conversation.webhooks if webhook.spec in FOREIGN]


class Witnessed(list["Webhook"]):
    """A conversation's webhooks, with what was seen after each change of them."""

    def __init__(self, webhooks: Iterable[Webhook], look: Callable[[], None]) -> None:
        super().__init__(webhooks)
        self._look = look

    def append(self, webhook: Webhook) -> None:
        super().append(webhook)
        self._look()

    def remove(self, webhook: Webhook) -> None:
        super().remove(webhook)
        self._look()

    def __setitem__(self, place: SupportsIndex, webhook: Webhook) -> None:  # type: ignore[override]  # no slices here
        super().__setitem__(place, webhook)
        self._look()


def witness(sandbox: Sandbox, conversation: Conversation) -> list[tuple[Responder, ...]]:
    """Note who would answer, now and after each change from now on."""
    seen = [sandbox.responders(conversation)]
    conversation.webhooks = Witnessed(conversation.webhooks, lambda: seen.append(sandbox.responders(conversation)))
    return seen
