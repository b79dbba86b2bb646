"""What is left open, and how it comes to its end."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from router.errors import TwilioBusy, TwilioError, TwilioRefused
from router.handover import hand_over
from router.model.messages import Messages
from router.model.outcome import Outcome
from router.model.webhook import ScopedWebhook, WebhookSpec
from router.sandbox.faults import Kind
from router.swap.execute import Executor, SwapFailed
from router.swap.repair import LATER, Repair, settle
from router.swap.swap import Swap
from router.swap.target import StudioFlow
from tests.kit import (
    AGENT_URL,
    BILLING,
    CREATE,
    DELETE,
    FOREIGN,
    HASTY,
    LIST,
    REDIRECT,
    REFUNDS,
    agents,
    arm,
    asked,
    call,
    flows,
    foreign,
    hurry,
    open_desk,
    settled,
    until,
    witness,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from router.desk import Desk
    from router.sandbox.faults import ArmedFault
    from router.sandbox.sandbox import Sandbox
    from router.sandbox.world import Conversation

CLOSED = TwilioRefused("create_webhook", "closed", code=50377)
BUSY = TwilioBusy("list_webhooks", "later")
SENTENCES = Messages()


@dataclass
class Attempt:
    """Gives one answer after another, or raises it, and counts."""

    answers: list[bool | Exception]
    slept: list[float] = field(default_factory=list)

    async def __call__(self) -> bool:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def failed(cause: TwilioError) -> SwapFailed:
    return SwapFailed(cause, unknown=False, removed=())


@pytest.mark.parametrize(
    ("answers", "tries", "end"),
    [
        ([True], 1, True),
        ([False, BUSY, failed(BUSY), True], 4, True),
        ([False, CLOSED], 2, True),
        ([failed(CLOSED)], 1, True),
        ([False] * 5, 5, False),
    ],
    ids=["done", "done in the end", "closed", "closed in a swap", "never"],
)
async def test_an_attempt_is_repeated_until_it_is_done(answers: list[bool | Exception], tries: int, end: bool) -> None:  # noqa: FBT001 - a row
    """It ends where it is done, where nothing can be changed any more, or after the last delay."""
    attempt = Attempt(answers)
    assert await settle(attempt, (0, 1, 2, 3, 4), attempt.sleep) is end
    assert attempt.slept == [0, 1, 2, 3, 4][:tries]
    assert attempt.answers == []


def repair(desk: Desk, conversation: Conversation, *removed: WebhookSpec) -> Repair:
    gone = tuple(ScopedWebhook(f"WH{place:032x}", spec) for place, spec in enumerate(removed))
    return Repair(
        Executor(desk.gateway, conversation.ref), StudioFlow(REFUNDS), desk.routes.agent_webhooks, removed=gone
    )


AGENT = WebhookSpec("webhook", AGENT_URL, "post", ("onMessageAdded",))
STUDIO = WebhookSpec.studio(REFUNDS)


async def test_tidying_removes_what_should_be_gone(sandbox: Sandbox, desk: Desk) -> None:
    """Beside the flow neither the agent nor a second studio webhook stays."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=[STUDIO, STUDIO, FOREIGN[0]])
    assert await repair(desk, conversation).tidy()
    assert [webhook.spec for webhook in conversation.webhooks] == [STUDIO, FOREIGN[0]]


async def test_tidying_is_not_done_while_a_delete_fails(sandbox: Sandbox, desk: Desk) -> None:
    """What could not be removed is still owed."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=[STUDIO])
    arm(sandbox, conversation, DELETE, Kind.REFUSED, status=401, code=20003)
    assert not await repair(desk, conversation).tidy()
    assert await repair(desk, conversation).tidy()
    assert agents(conversation) == []


@pytest.mark.parametrize("webhooks", [(), FOREIGN], ids=["flow ended", "full of others"])
async def test_tidying_leaves_a_flow_that_has_ended_in_peace(
    sandbox: Sandbox, desk: Desk, webhooks: tuple[WebhookSpec, ...]
) -> None:
    """Where the flow answers no more, removing the agent would leave nobody: nothing is done."""
    conversation = sandbox.open_conversation(agent_url=None if webhooks else AGENT_URL, webhooks=webhooks)
    before = list(conversation.webhooks)
    assert await repair(desk, conversation).tidy()
    assert conversation.webhooks == before


async def test_finishing_attaches_what_is_missing(sandbox: Sandbox, desk: Desk) -> None:
    """The responder is attached, and the agent let go."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    assert await repair(desk, conversation).finish()
    assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])


async def test_finishing_attaches_nothing_twice(sandbox: Sandbox, desk: Desk) -> None:
    """Where the lost create had worked, only the agent is left to be let go."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=[STUDIO])
    assert await repair(desk, conversation).finish()
    assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])
    assert asked(sandbox, conversation) == [LIST, DELETE]


async def test_finishing_is_not_done_while_a_delete_fails(sandbox: Sandbox, desk: Desk) -> None:
    """The flow is there, the agent too: there is still something to do."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, DELETE, Kind.REFUSED, status=401, code=20003)
    assert not await repair(desk, conversation).finish()
    assert await repair(desk, conversation).finish()
    assert agents(conversation) == []


async def test_finishing_goes_back_where_there_is_no_room(sandbox: Sandbox, desk: Desk) -> None:
    """A house full of others takes no flow, and no agent either: it stays owed until there is room."""
    conversation = sandbox.open_conversation(webhooks=FOREIGN)
    owed = repair(desk, conversation, AGENT)
    with pytest.raises(TwilioRefused):
        await owed.finish()
    conversation.webhooks.pop()
    assert await owed.restore()
    assert len(agents(conversation)) == 1


async def test_finishing_goes_back_where_twilio_says_no(sandbox: Sandbox, desk: Desk) -> None:
    """Refused for good, the flow will not come: the agent's webhook that was removed is put back."""
    conversation = sandbox.open_conversation(webhooks=FOREIGN[:4])
    arm(sandbox, conversation, CREATE, Kind.REFUSED, code=50367)
    assert await repair(desk, conversation, AGENT).finish()
    assert (flows(conversation), len(agents(conversation))) == ([], 1)


async def test_finishing_remembers_what_each_attempt_removed(sandbox: Sandbox, desk: Desk) -> None:
    """An attempt that makes room and then fails twice over owes the agent's webhook to the attempt that goes back."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=FOREIGN[:4])
    owed = repair(desk, conversation)
    arm(sandbox, conversation, CREATE, Kind.RATE_LIMITED, times=6)
    with pytest.raises(SwapFailed):
        await owed.finish()
    assert agents(conversation) == []
    arm(sandbox, conversation, CREATE, Kind.REFUSED, code=50367)
    assert await owed.finish()
    assert len(agents(conversation)) == 1


async def test_restoring_puts_back_what_was_removed(sandbox: Sandbox, desk: Desk) -> None:
    """Each webhook of the agent's comes back once, however often it is asked for."""
    conversation = sandbox.open_conversation()
    owed = repair(desk, conversation, AGENT, AGENT)
    assert await owed.restore()
    assert await owed.restore()
    assert [webhook.spec for webhook in conversation.webhooks] == [AGENT]


async def test_restoring_keeps_out_of_a_later_handover(sandbox: Sandbox, desk: Desk) -> None:
    """Where a flow answers by now, the agent is not put beside it."""
    conversation = sandbox.open_conversation(webhooks=[STUDIO])
    assert await repair(desk, conversation, AGENT).restore()
    assert agents(conversation) == []


def let_go_later(armed: Callable[[], ArmedFault], gone: Callable[[], bool]) -> Callable[[float], object]:
    """Give a sleep for a clock: what Twilio was slow with takes effect while a repair waits for its later look."""

    async def sleep(seconds: float) -> None:
        if seconds == LATER[0]:
            armed().release()
            await until(gone)
        await hurry(seconds)

    return sleep


async def test_a_delete_that_takes_effect_late_leaves_nobody_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    """In a full house the delete times out: the agent is there at once, gone a little later, and put back then."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=FOREIGN[:4])
    held = arm(sandbox, conversation, DELETE, Kind.SLOW)
    arm(sandbox, conversation, DELETE, Kind.UNAVAILABLE, times=2)
    sleep = let_go_later(lambda: held, lambda: not agents(conversation))
    async with open_desk(sandbox, tmp_path, limits=HASTY, sleep=sleep) as desk:
        seen = witness(sandbox, conversation)
        answer = await hand_over(call(conversation), desk)
        assert (answer.outcome, answer.message) == (Outcome.FAILED, SENTENCES.failure)
        await settled(desk)
    assert [len(responders) for responders in seen] == [1, 0, 1]
    assert (len(agents(conversation)), flows(conversation), len(foreign(conversation))) == (1, [], 4)


async def test_a_create_that_takes_effect_late_makes_no_second_responder(sandbox: Sandbox, tmp_path: Path) -> None:
    """The create times out, the look after it fails, the repair creates another: one of the two is removed then."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    held = arm(sandbox, conversation, CREATE, Kind.SLOW)
    arm(sandbox, conversation, LIST, Kind.UNAVAILABLE, skip=1, times=3)
    sleep = let_go_later(lambda: held, lambda: len(flows(conversation)) == 2)
    async with open_desk(sandbox, tmp_path, limits=HASTY, sleep=sleep) as desk:
        seen = witness(sandbox, conversation)
        answer = await hand_over(call(conversation), desk)
        assert (answer.outcome, answer.message) == (Outcome.PENDING, SENTENCES.pending)
        await settled(desk)
    assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])
    assert all(seen)
    assert max([responder.kind for responder in moment].count("studio") for moment in seen) == 2


async def test_a_create_that_takes_effect_after_its_repeat_is_removed(sandbox: Sandbox, tmp_path: Path) -> None:
    """The look finds nothing, the repeat works, the handover is told; the late twin is removed afterwards."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    held = arm(sandbox, conversation, CREATE, Kind.SLOW)
    sleep = let_go_later(lambda: held, lambda: len(flows(conversation)) == 2)
    async with open_desk(sandbox, tmp_path, limits=HASTY, sleep=sleep) as desk:
        seen = witness(sandbox, conversation)
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.HANDED_OVER
        await settled(desk)
    assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])
    assert all(seen)
    assert max([responder.kind for responder in moment].count("studio") for moment in seen) == 2


async def test_what_cannot_be_repaired_is_logged(sandbox: Sandbox, tmp_path: Path) -> None:
    """After the last attempt the log says that the end was not reached."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, DELETE, Kind.UNAVAILABLE, times=0)

    async def no_pause(_seconds: float) -> None:
        await asyncio.sleep(0)

    stream = io.StringIO()
    async with open_desk(sandbox, tmp_path, sleep=no_pause, stream=stream) as desk:
        answer = await hand_over(call(conversation), desk)
        await settled(desk)
    said = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line["level"], line["settled"]) for line in said] == [("repair", "error", False)]
    assert said[0]["handover"] == answer.handover_id


async def test_a_swap_that_is_stopped_in_the_middle_puts_the_agent_back(sandbox: Sandbox, tmp_path: Path) -> None:
    """In a full house the agent's webhook is gone while the flow's is created: who stops us there strands nobody."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=FOREIGN[:4])
    held = arm(sandbox, conversation, CREATE, Kind.SLOW)
    async with open_desk(sandbox, tmp_path) as desk:
        waiting = asyncio.create_task(hand_over(call(conversation), desk))
        await held.reached.wait()
        assert sandbox.responders(conversation) == ()
        await desk.background.drain(0)
        assert len(agents(conversation)) == 1
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting


async def test_a_repair_that_is_stopped_while_it_waits_tries_once_more() -> None:
    """At a shutdown there is no later: what can be done is done at once, and what fails then is left."""
    tried: list[int] = []

    async def attempt() -> bool:
        tried.append(len(tried))
        if len(tried) == 2:
            raise TwilioBusy("list_webhooks", "too many requests")
        return False

    for _ in range(2):
        work = asyncio.create_task(settle(attempt, [60.0], asyncio.sleep))
        await asyncio.sleep(0)
        work.cancel()
        await asyncio.wait([work])
        assert work.cancelled()
    assert tried == [0, 1]


async def test_a_repair_does_not_overrule_a_later_handover(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nobody knows whether the first call's flow was attached; the second call's was, and that sentence stays true."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path) as desk:
        swap = Swap(desk.gateway, conversation.ref, StudioFlow(REFUNDS), desk.routes.agent_webhooks)
        arm(sandbox, conversation, CREATE, Kind.CUT_BEFORE)
        arm(sandbox, conversation, LIST, Kind.REFUSED, skip=1, times=1)
        with pytest.raises(SwapFailed) as raised:
            await swap.attach()
        assert raised.value.unknown
        sandbox.world.add_webhook(conversation, WebhookSpec.studio(BILLING))
        assert await swap.repair(raised.value).finish()
    assert flows(conversation) == [BILLING]


async def test_a_redirect_in_doubt_is_finished(sandbox: Sandbox, tmp_path: Path) -> None:
    """The other flow's webhook that was there from the beginning is nobody's later handover: it is redirected."""
    conversation = sandbox.open_conversation(webhooks=[WebhookSpec.studio(BILLING)])
    async with open_desk(sandbox, tmp_path) as desk:
        swap = Swap(desk.gateway, conversation.ref, StudioFlow(REFUNDS), desk.routes.agent_webhooks)
        arm(sandbox, conversation, REDIRECT, Kind.CUT_BEFORE, times=3)
        with pytest.raises(SwapFailed) as raised:
            await swap.attach()
        assert raised.value.unknown
        assert await swap.repair(raised.value).finish()
    assert flows(conversation) == [REFUNDS]
