"""The Twilio of the random walks is the sandbox's twin: whatever is asked of both, they answer the same."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

from router.clock import Clock
from router.errors import TwilioError
from router.model.webhook import WebhookSpec
from router.twilio.credentials import Credentials
from router.twilio.gateway import TwilioGateway
from tests.fixtures import running_sandbox
from tests.promise import leaping
from tests.promise.client import Client
from tests.promise.scene import AGENT, AGENT_URL, BILLING, REFUNDS, STRANGERS
from tests.promise.twilio import Twilio

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.model.call import ConversationRef
    from router.model.execution import Execution
    from router.model.webhook import ScopedWebhook
    from router.sandbox.sandbox import Sandbox
    from router.sandbox.world import Conversation
    from tests.promise.place import Place

SCRIPTS = 16
LENGTH = 40
CUSTOMER: Final = "whatsapp:+15550100"
FLOWS: Final = (REFUNDS, BILLING)
SPECS: Final = (AGENT, *STRANGERS[:2], *map(WebhookSpec.studio, FLOWS))
UNKNOWN: Final = "f" * 32

FLOW: Final[Mapping[str, Any]] = {
    "initial_state": "Trigger",
    "states": [
        {
            "name": "Trigger",
            "type": "trigger",
            "transitions": [{"event": "incomingConversationMessage", "next": "ask"}],
            "properties": {},
        },
        {
            "name": "ask",
            "type": "send-and-wait-for-reply",
            "transitions": [{"event": "incomingMessage", "next": "ask"}],
            "properties": {"body": "And then?"},
        },
    ],
}
"""A flow that answers each message, and ends only where somebody ends it."""


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to do; ``number`` says with which of what is known by then."""

    verb: str
    number: int
    choice: int


WEIGHTS: Final = {
    "list": 2,
    "create": 8,
    "redirect": 5,
    "delete": 6,
    "newest": 2,
    "fetch_attributes": 2,
    "change_attributes": 3,
    "active": 3,
    "fetch_run": 3,
    "end_run": 3,
    "say": 6,
    "stop": 3,
}


def script(seed: int) -> list[Request]:
    """Make up what happens; one script in four closes the conversation before its end."""
    chance = random.Random(seed)
    verbs = chance.choices([*WEIGHTS], [*WEIGHTS.values()], k=LENGTH)
    if seed % 4 == 0:
        verbs.insert(LENGTH * 3 // 4, "close")
    return [Request(verb, chance.randrange(1000), chance.randrange(1000)) for verb in verbs]


class Side(Protocol):
    """One of the two: what clients ask it, and what happens of itself."""

    @property
    def gateway(self) -> Any: ...
    @property
    def ref(self) -> ConversationRef: ...
    async def say(self) -> None: ...
    async def stop(self, run: str) -> None: ...
    async def settled(self) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Real:
    """The sandbox, by the real gateway."""

    gateway: TwilioGateway
    sandbox: Sandbox
    conversation: Conversation

    @property
    def ref(self) -> ConversationRef:
        return self.conversation.ref

    async def say(self) -> None:
        await self.sandbox.customer_says(self.conversation, "Hello?")

    async def stop(self, run: str) -> None:
        self.sandbox.end(self.sandbox.world.executions[run])

    async def settled(self) -> None:
        await self.sandbox.settled()

    def close(self) -> None:
        self.conversation.state = type(self.conversation.state).CLOSED


@dataclass(frozen=True, slots=True)
class Quick:
    """The one in memory."""

    gateway: Client
    twilio: Twilio
    place: Place

    @property
    def ref(self) -> ConversationRef:
        return self.place.ref

    async def say(self) -> None:
        self.twilio.say(self.place)

    async def stop(self, run: str) -> None:
        self.twilio.end(self.place, next(found for found in self.place.runs if found.sid == run))

    async def settled(self) -> None:
        while self.twilio.under_way:
            await asyncio.sleep(0.1)

    def close(self) -> None:
        self.twilio.close(self.place)


@dataclass(slots=True)
class Player:
    """Plays a script on one side; what it answers is noted with each SID by its kind and the order of appearance."""

    side: Side
    began: datetime
    webhooks: list[str] = field(default_factory=list)
    studios: list[str] = field(default_factory=list)
    runs: list[tuple[str, str]] = field(default_factory=list)
    attributes: Mapping[str, Any] | None = None

    async def play(self, requests: Sequence[Request]) -> list[str]:
        """Give the answers, and at the end what is there."""
        said = []
        last = [
            Request(verb, 0, choice) for verb in ("list", "newest", "fetch_attributes", "active") for choice in (0, 1)
        ]
        for request in (*requests, *last):
            try:
                answer = await getattr(self, f"_{request.verb}")(request.number, request.choice)
            except TwilioError as error:
                answer = (type(error).__name__, error.status, error.code)
            await self.side.settled()
            said.append(f"{request} -> {answer}")
        return said

    async def _list(self, _number: int, _choice: int) -> Any:
        return [self._webhook(found) for found in await self.side.gateway.list_webhooks(self.side.ref)]

    async def _create(self, number: int, choice: int) -> Any:
        replay = None
        if choice % 3 == 0:
            newest = await self.side.gateway.newest_message(self.side.ref)
            replay = 0 if choice % 2 else newest and newest.index
        spec = SPECS[number % len(SPECS)]
        return self._webhook(await self.side.gateway.create_webhook(self.side.ref, spec, replay))

    async def _redirect(self, number: int, choice: int) -> Any:
        sid = self.studios[number % len(self.studios)] if self.studios else f"WH{UNKNOWN}"
        return self._webhook(await self.side.gateway.redirect_webhook(self.side.ref, sid, FLOWS[choice % 2]))

    async def _delete(self, number: int, _choice: int) -> Any:
        """Delete any webhook that was ever seen, so that many are gone already."""
        sid = self.webhooks[number % len(self.webhooks)] if self.webhooks else f"WH{UNKNOWN}"
        return await self.side.gateway.delete_webhook(self.side.ref, sid)

    async def _newest(self, _number: int, _choice: int) -> Any:
        found = await self.side.gateway.newest_message(self.side.ref)
        return found and (found.index, found.author, bool(found.participant))

    async def _fetch_attributes(self, _number: int, _choice: int) -> Any:
        self.attributes = await self.side.gateway.fetch_attributes(self.side.ref)
        return self.attributes

    async def _change_attributes(self, number: int, choice: int) -> Any:
        """Change what is there, or what was there some time ago."""
        added = {f"key {number % 5}": choice}
        read = self.attributes if choice % 2 else None
        await self.side.gateway.change_attributes(self.side.ref, lambda now: {**now, **added}, read)

    async def _active(self, number: int, choice: int) -> Any:
        """List the runs of a flow from the beginning on, or from tomorrow on."""
        since = self.began + timedelta(days=number % 2)
        found = await self.side.gateway.active_executions(FLOWS[choice % 2], since)
        return [self._run(run) for run in found]

    async def _fetch_run(self, number: int, choice: int) -> Any:
        """Fetch a run, at times by the wrong flow."""
        sid, flow = self._known_run(number)
        found = await self.side.gateway.fetch_execution(flow if choice % 4 else FLOWS[choice % 2], sid)
        return found and self._run(found)

    async def _end_run(self, number: int, _choice: int) -> Any:
        """End a run over REST, at times one that has ended already."""
        sid, flow = self._known_run(number)
        return await self.side.gateway.end_execution(flow, sid)

    async def _say(self, _number: int, _choice: int) -> None:
        await self.side.say()

    async def _stop(self, number: int, _choice: int) -> None:
        """Let a run come to its own end, after its webhook was removed or before."""
        if self.runs:
            await self.side.stop(self._known_run(number)[0])

    async def _close(self, _number: int, _choice: int) -> None:
        self.side.close()

    def _known_run(self, number: int) -> tuple[str, str]:
        return self.runs[number % len(self.runs)] if self.runs else (f"FN{UNKNOWN}", REFUNDS)

    def _webhook(self, found: ScopedWebhook) -> Any:
        if found.sid not in self.webhooks:
            self.webhooks.append(found.sid)
        if found.is_studio and found.sid not in self.studios:
            self.studios.append(found.sid)
        spec = replace(found.spec, target=str(found.spec.target), method=found.spec.method.upper(), filters=())
        return self.webhooks.index(found.sid), spec

    def _run(self, found: Execution) -> Any:
        if (found.sid, found.flow) not in self.runs:
            self.runs.append((found.sid, found.flow))
        address = "the conversation" if found.address == self.side.ref.sid else found.address
        return self.runs.index((found.sid, found.flow)), found.flow, address, found.is_active


def on_quick(seed: int, requests: Sequence[Request]) -> list[str]:
    """Play on the one in memory, in its own time."""

    async def work() -> list[str]:
        chance = random.Random(seed)
        twilio = Twilio(chance, leaping.now, lambda _text: None)
        place = twilio.open(CUSTOMER, AGENT_URL, [AGENT])
        place.attributes = {}
        client = Client(twilio, Clock(now=leaping.now), _wait, chance)
        return await Player(Quick(client, twilio, place), leaping.BEGIN).play(requests)

    result: list[str] = leaping.run(work())
    return result


async def _wait(request: Any) -> Any:
    return await request


async def on_real(sandbox: Sandbox, gateway: TwilioGateway, requests: Sequence[Request]) -> list[str]:
    """Play at the sandbox, over HTTP."""
    conversation = sandbox.open_conversation(customer=CUSTOMER, agent_url=AGENT_URL)
    return await Player(Real(gateway, sandbox, conversation), datetime.now(UTC)).play(requests)


async def test_the_twilio_in_memory_answers_as_the_sandbox_does() -> None:
    """Each random script of requests and happenings gets the same answers from both, and leaves the same behind."""
    scripts = [script(seed) for seed in range(SCRIPTS)]
    real = []
    for requests in scripts:
        async with running_sandbox(flows=dict.fromkeys(FLOWS, FLOW)) as sandbox:
            credentials = Credentials(sandbox.account_sid, sandbox.auth_token)
            async with TwilioGateway(credentials, base_url=sandbox.url) as gateway:
                real.append(await on_real(sandbox, gateway, requests))
    quick = await asyncio.to_thread(lambda: [on_quick(seed, requests) for seed, requests in enumerate(scripts)])
    for seed, (wanted, found) in enumerate(zip(real, quick, strict=True)):
        assert found == wanted, f"script {seed}"
    answers = "".join(text for said in real for text in said)
    assert all(word in answers for word in ("50361", "50360", "50377", "True", "the conversation"))
