"""What is left open, and how it comes to its end."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from router.errors import LedgerError, TwilioRefused
from router.handover import hand_over
from router.model.messages import Messages
from router.model.outcome import Outcome
from router.model.webhook import ScopedWebhook, WebhookSpec
from router.sandbox.faults import Kind
from router.swap.execute import Executor, SwapFailed
from router.swap.repair import Repair
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
    make_round,
    open_desk,
    settled,
    until,
    witness,
    writes,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from router.desk import Desk
    from router.sandbox.faults import ArmedFault
    from router.sandbox.sandbox import Sandbox
    from router.sandbox.world import Conversation

SENTENCES = Messages()


AGENT = WebhookSpec("webhook", AGENT_URL, "post", ("onMessageAdded",))
STUDIO = WebhookSpec.studio(REFUNDS)
ELSEWHERE = WebhookSpec.studio(BILLING)


def were(*specs: WebhookSpec) -> tuple[ScopedWebhook, ...]:
    """Webhooks that are there no more."""
    return tuple(ScopedWebhook(f"WH{place:032x}", spec) for place, spec in enumerate(specs))


def repair(desk: Desk, conversation: Conversation, *removed: WebhookSpec, **known: Any) -> Repair:
    executor = Executor(desk.gateway, conversation.ref)
    return Repair(executor, StudioFlow(REFUNDS), desk.routes.agent_webhooks, removed=were(*removed), **known)


def there(conversation: Conversation) -> list[WebhookSpec]:
    return [webhook.spec for webhook in conversation.webhooks]


async def test_settling_finds_the_responder(sandbox: Sandbox, desk: Desk) -> None:
    """Where the flow is attached the handover had come so far; nothing is changed, the agent goes by tidying."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=[STUDIO])
    found, _ = await repair(desk, conversation, AGENT).settle()
    assert found is not None
    assert found.spec == STUDIO
    assert asked(sandbox, conversation) == [LIST]


async def test_settling_lets_the_agent_answer_where_no_flow_does(sandbox: Sandbox, desk: Desk) -> None:
    """Nothing was attached and the agent had made room: it is put back."""
    conversation = sandbox.open_conversation(webhooks=FOREIGN[:4])
    assert (await repair(desk, conversation, AGENT).settle())[0] is None
    assert (flows(conversation), len(agents(conversation))) == ([], 1)


async def test_settling_changes_nothing_in_a_house_full_of_others(sandbox: Sandbox, desk: Desk) -> None:
    """There is no plan and nothing was removed: nothing to do."""
    conversation = sandbox.open_conversation(webhooks=FOREIGN)
    assert (await repair(desk, conversation).settle())[0] is None
    assert writes(sandbox, conversation) == []


async def test_tidying_removes_what_should_be_gone(sandbox: Sandbox, desk: Desk) -> None:
    """Beside the flow neither the agent nor a second studio webhook stays; each is noted before it goes."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=[STUDIO, STUDIO, FOREIGN[0]])
    noted: list[tuple[int, list[WebhookSpec]]] = []

    async def keep(webhooks: Sequence[ScopedWebhook]) -> None:
        noted.append((len(conversation.webhooks), [webhook.spec for webhook in webhooks]))

    assert await repair(desk, conversation, keep=keep).tidy()
    assert there(conversation) == [STUDIO, FOREIGN[0]]
    assert [(before, [spec.target for spec in specs]) for before, specs in noted] == [(4, ["webhook", "studio"])]


async def test_tidying_is_not_done_while_a_delete_fails(sandbox: Sandbox, desk: Desk) -> None:
    """What could not be removed is still owed."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=[STUDIO])
    arm(sandbox, conversation, DELETE, Kind.REFUSED, status=401, code=20003)
    assert not await repair(desk, conversation).tidy()
    assert await repair(desk, conversation).tidy()
    assert agents(conversation) == []


async def test_what_cannot_be_noted_is_not_removed(sandbox: Sandbox, desk: Desk) -> None:
    """A ledger that does not work keeps the agent's webhook where it is: it could not be put back."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=[STUDIO])

    async def keep(_webhooks: Sequence[ScopedWebhook]) -> None:
        raise LedgerError("the disk is full")

    with pytest.raises(LedgerError):
        await repair(desk, conversation, keep=keep).tidy()
    assert len(agents(conversation)) == 1


@pytest.mark.parametrize("webhooks", [(), FOREIGN], ids=["flow ended", "full of others"])
async def test_tidying_leaves_a_flow_that_has_ended_in_peace(
    sandbox: Sandbox, desk: Desk, webhooks: tuple[WebhookSpec, ...]
) -> None:
    """Where the flow answers no more, removing the agent would leave nobody: nothing is done."""
    conversation = sandbox.open_conversation(agent_url=None if webhooks else AGENT_URL, webhooks=webhooks)
    before = list(conversation.webhooks)
    assert await repair(desk, conversation).tidy()
    assert conversation.webhooks == before


async def test_tidying_brings_the_agent_back_where_the_flow_has_ended(sandbox: Sandbox, desk: Desk) -> None:
    """The flow is gone, by itself or by an old execution's end, and the agent is away: nobody must be missing."""
    conversation = sandbox.open_conversation(webhooks=[FOREIGN[0]])
    assert await repair(desk, conversation, AGENT).tidy()
    assert there(conversation) == [FOREIGN[0], AGENT]


async def test_tidying_leaves_a_flow_that_moved_on_in_peace(sandbox: Sandbox, desk: Desk) -> None:
    """A studio webhook that leads elsewhere, and that no request of ours can have brought, is somebody's will."""
    conversation = sandbox.open_conversation(webhooks=[ELSEWHERE])
    assert await repair(desk, conversation).tidy()
    assert asked(sandbox, conversation) == [LIST]


@pytest.mark.parametrize("webhooks", [[ELSEWHERE], [STUDIO, ELSEWHERE]], ids=["alone", "beside the flow"])
async def test_tidying_takes_back_what_a_late_request_brought(
    sandbox: Sandbox, desk: Desk, webhooks: list[WebhookSpec]
) -> None:
    """An earlier call's create that took effect after this handover must not answer in its place."""
    conversation = sandbox.open_conversation(webhooks=webhooks)
    assert await repair(desk, conversation, doubts=(BILLING,)).tidy()
    assert there(conversation) == [STUDIO]


async def test_tidying_leaves_the_agent_beside_where_it_is_told_to(sandbox: Sandbox, desk: Desk) -> None:
    """A second flow goes all the same."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=[STUDIO, STUDIO])
    assert await repair(desk, conversation).tidy(beside=True)
    assert (flows(conversation), len(agents(conversation))) == ([REFUNDS], 1)


@pytest.mark.parametrize("agent", [AGENT_URL, None], ids=["agent there", "agent away"])
async def test_tidying_attaches_again_what_an_old_execution_took_along(
    sandbox: Sandbox, desk: Desk, agent: str | None
) -> None:
    """The flow did not end: it answers once more, and the agent does not."""
    conversation = sandbox.open_conversation(agent_url=agent, webhooks=[FOREIGN[0]])
    assert await repair(desk, conversation, AGENT).tidy(again=True)
    assert (flows(conversation), agents(conversation), len(foreign(conversation))) == ([REFUNDS], [], 1)


async def test_tidying_notes_who_makes_room_for_what_an_old_execution_took_along(sandbox: Sandbox, desk: Desk) -> None:
    """In a full house the agent's webhook goes first, and whoever comes after a crash must know."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=FOREIGN[:4])
    noted: list[list[str]] = []

    async def keep(webhooks: Sequence[ScopedWebhook]) -> None:
        noted.append([webhook.spec.url for webhook in webhooks])

    assert await repair(desk, conversation, keep=keep).tidy(again=True)
    assert noted == [[AGENT_URL], []]
    assert (flows(conversation), len(foreign(conversation))) == ([REFUNDS], 4)


async def test_tidying_brings_the_agent_back_where_there_is_no_room_to_attach_again(
    sandbox: Sandbox, desk: Desk
) -> None:
    """Others have taken all places: nothing can be done, and nothing of theirs is touched."""
    conversation = sandbox.open_conversation(webhooks=FOREIGN)
    assert await repair(desk, conversation).tidy(again=True)
    assert there(conversation) == list(FOREIGN)


async def test_finishing_attaches_what_is_missing(sandbox: Sandbox, desk: Desk) -> None:
    """The responder is attached; that the agent goes is for tidying, once the row says who is away."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    assert await repair(desk, conversation).finish()
    assert (flows(conversation), len(agents(conversation))) == ([REFUNDS], 1)


async def test_finishing_attaches_nothing_twice(sandbox: Sandbox, desk: Desk) -> None:
    """Where the lost create had worked there is nothing to do."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=[STUDIO])
    assert await repair(desk, conversation).finish()
    assert asked(sandbox, conversation) == [LIST]


async def test_finishing_leaves_a_later_responder_in_place(sandbox: Sandbox, desk: Desk) -> None:
    """A studio webhook that came since and leads elsewhere is somebody else's handover, and stands."""
    conversation = sandbox.open_conversation(webhooks=[ELSEWHERE])
    assert not await repair(desk, conversation, AGENT).finish()
    assert there(conversation) == [ELSEWHERE]


async def test_finishing_redirects_what_was_there_from_the_beginning(sandbox: Sandbox, desk: Desk) -> None:
    """The other flow's webhook that the swap began with is nobody's later handover."""
    conversation = sandbox.open_conversation(webhooks=[ELSEWHERE])
    present = tuple(ScopedWebhook(webhook.sid, webhook.spec) for webhook in conversation.webhooks)
    assert await repair(desk, conversation, present=present).finish()
    assert there(conversation) == [STUDIO]


async def test_finishing_goes_back_where_there_is_no_room(sandbox: Sandbox, desk: Desk) -> None:
    """A house full of others takes no flow, and no agent either: it stays owed until there is room."""
    conversation = sandbox.open_conversation(webhooks=FOREIGN)
    owed = repair(desk, conversation, AGENT)
    with pytest.raises(TwilioRefused):
        await owed.finish()
    conversation.webhooks.pop()
    await owed.restore()
    assert len(agents(conversation)) == 1


async def test_finishing_says_so_where_others_have_taken_all_places(sandbox: Sandbox, desk: Desk) -> None:
    """No room for the flow, and nobody to put back: it came to nothing."""
    conversation = sandbox.open_conversation(webhooks=FOREIGN)
    assert not await repair(desk, conversation).finish()
    assert writes(sandbox, conversation) == []


async def test_finishing_goes_back_where_twilio_says_no(sandbox: Sandbox, desk: Desk) -> None:
    """Refused for good, the flow will not come: the agent's webhook that was removed is put back."""
    conversation = sandbox.open_conversation(webhooks=FOREIGN[:4])
    arm(sandbox, conversation, CREATE, Kind.REFUSED, code=50367)
    assert not await repair(desk, conversation, AGENT).finish()
    assert (flows(conversation), len(agents(conversation))) == ([], 1)


async def test_finishing_goes_on_where_twilio_is_busy(sandbox: Sandbox, desk: Desk) -> None:
    """What was not taken up may be asked for again: that is no answer."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, CREATE, Kind.RATE_LIMITED, times=3)
    with pytest.raises(SwapFailed):
        await repair(desk, conversation).finish()
    assert await repair(desk, conversation).finish()


async def test_finishing_notes_who_makes_room(sandbox: Sandbox, desk: Desk) -> None:
    """An attempt that makes room and then fails twice over has noted the agent's webhook before it went."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=FOREIGN[:4])
    noted: list[ScopedWebhook] = []

    async def keep(webhooks: Sequence[ScopedWebhook]) -> None:
        assert len(conversation.webhooks) == 5
        noted.extend(webhooks)

    arm(sandbox, conversation, CREATE, Kind.RATE_LIMITED, times=6)
    with pytest.raises(SwapFailed):
        await repair(desk, conversation, keep=keep).finish()
    assert agents(conversation) == []
    arm(sandbox, conversation, CREATE, Kind.REFUSED, code=50367)
    assert not await repair(desk, conversation, *(webhook.spec for webhook in noted)).finish()
    assert len(agents(conversation)) == 1


async def test_finishing_restores_what_this_very_attempt_removed(sandbox: Sandbox, desk: Desk) -> None:
    """The create is refused for good, its undo is not taken up: the agent's webhook is put back at once."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=FOREIGN[:4])
    arm(sandbox, conversation, CREATE, Kind.REFUSED, code=50367)
    arm(sandbox, conversation, CREATE, Kind.RATE_LIMITED, times=3)
    assert not await repair(desk, conversation).finish()
    assert (flows(conversation), len(agents(conversation))) == ([], 1)


async def test_restoring_puts_back_what_was_removed(sandbox: Sandbox, desk: Desk) -> None:
    """Each webhook of the agent's comes back once, however often it is asked for."""
    conversation = sandbox.open_conversation()
    owed = repair(desk, conversation, AGENT, AGENT)
    await owed.restore()
    await owed.restore()
    assert there(conversation) == [AGENT]


async def test_restoring_removes_what_came_back_twice(sandbox: Sandbox, desk: Desk) -> None:
    """A create that took effect late would let the agent answer twice."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=[AGENT])
    await repair(desk, conversation, AGENT).restore()
    assert len(agents(conversation)) == 1


async def test_restoring_keeps_out_of_a_later_handover(sandbox: Sandbox, desk: Desk) -> None:
    """Where a flow answers by now, the agent is not put beside it."""
    conversation = sandbox.open_conversation(webhooks=[STUDIO])
    await repair(desk, conversation, AGENT).restore()
    assert agents(conversation) == []


LATE = (StudioFlow(BILLING),)
"""What a request that was given up may attach."""


async def test_restoring_puts_the_agent_back_before_a_late_responder_goes(sandbox: Sandbox, desk: Desk) -> None:
    """Somebody answers all the while, and in the end the agent alone."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=[ELSEWHERE, FOREIGN[0]])
    conversation.webhooks.pop(0)
    seen = witness(sandbox, conversation)
    await repair(desk, conversation, AGENT).restore(late=LATE)
    assert there(conversation) == [FOREIGN[0], AGENT]
    assert [[responder.kind for responder in moment] for moment in seen] == [["studio"], ["studio", "agent"], ["agent"]]


async def test_restoring_lets_a_late_responder_answer_where_the_agent_has_no_room(sandbox: Sandbox, desk: Desk) -> None:
    """If it went before the agent can come nobody would answer meanwhile: it is owed until there is room."""
    conversation = sandbox.open_conversation(webhooks=[*FOREIGN[:4], ELSEWHERE])
    owed = repair(desk, conversation, AGENT)
    with pytest.raises(TwilioRefused):
        await owed.restore(late=LATE)
    assert there(conversation) == [*FOREIGN[:4], ELSEWHERE]
    conversation.webhooks.pop(0)
    await owed.restore(late=LATE)
    assert (flows(conversation), len(agents(conversation))) == ([], 1)


async def test_restoring_removes_a_late_responder_beside_another(sandbox: Sandbox, desk: Desk) -> None:
    """The other one is no late request's, and answers in the agent's place."""
    conversation = sandbox.open_conversation(webhooks=[ELSEWHERE, STUDIO, ELSEWHERE])
    await repair(desk, conversation, AGENT).restore(late=LATE)
    assert there(conversation) == [STUDIO]


async def test_restoring_points_back_what_a_late_request_has_led_elsewhere(sandbox: Sandbox, desk: Desk) -> None:
    """It was there before us, by whose doing we do not know: to remove it would leave the customer with nobody."""
    conversation = sandbox.open_conversation(webhooks=[ELSEWHERE])
    (led,) = conversation.webhooks
    before = (ScopedWebhook(led.sid, STUDIO),)
    await repair(desk, conversation, AGENT, present=before).restore(late=LATE)
    assert [(webhook.sid, webhook.spec.flow) for webhook in conversation.webhooks] == [(led.sid, REFUNDS)]


async def test_restoring_removes_a_late_responder_that_was_there_at_the_beginning(sandbox: Sandbox, desk: Desk) -> None:
    """An earlier request had brought it, and was in doubt already."""
    conversation = sandbox.open_conversation(webhooks=[ELSEWHERE])
    (late,) = conversation.webhooks
    await repair(desk, conversation, AGENT, present=(ScopedWebhook(late.sid, ELSEWHERE),)).restore(late=LATE)
    assert there(conversation) == [AGENT]


async def test_a_hand_back_puts_the_agent_first(sandbox: Sandbox, desk: Desk) -> None:
    """The agent is there before the flow goes, and others are not touched."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=[STUDIO, FOREIGN[0]])
    conversation.webhooks.pop(0)
    seen = witness(sandbox, conversation)
    await repair(desk, conversation, AGENT).hand_back()
    assert there(conversation) == [FOREIGN[0], AGENT]
    assert [[responder.kind for responder in moment] for moment in seen] == [["studio"], ["studio", "agent"], ["agent"]]


async def test_paving_puts_the_agent_beside_the_flow(sandbox: Sandbox, desk: Desk) -> None:
    """Once, and the flow stays."""
    conversation = sandbox.open_conversation(webhooks=[STUDIO])
    for _ in range(2):
        await repair(desk, conversation, AGENT).pave()
    assert there(conversation) == [STUDIO, AGENT]


async def test_paving_needs_room(sandbox: Sandbox, desk: Desk) -> None:
    """Where all places are taken the flow is not sent away before its time."""
    conversation = sandbox.open_conversation(webhooks=[*FOREIGN[:4], STUDIO])
    await repair(desk, conversation, AGENT).pave()
    assert there(conversation) == [*FOREIGN[:4], STUDIO]


async def test_a_hand_back_to_the_agent_on_the_service_only_removes(sandbox: Sandbox, desk: Desk) -> None:
    """Nothing was removed, so nothing is put back: the service's agent speaks once the flow is gone."""
    conversation = sandbox.open_conversation(service_url=AGENT_URL, webhooks=[STUDIO])
    await repair(desk, conversation).hand_back()
    assert writes(sandbox, conversation) == [DELETE]
    assert [responder.kind for responder in sandbox.responders(conversation)] == ["agent"]


async def test_a_hand_back_in_a_full_house(sandbox: Sandbox, desk: Desk) -> None:
    """The flow's place is taken by the agent's webhook."""
    conversation = sandbox.open_conversation(webhooks=[*FOREIGN[:4], STUDIO])
    await repair(desk, conversation, AGENT).hand_back()
    assert writes(sandbox, conversation) == [DELETE, CREATE]
    assert there(conversation) == [*FOREIGN[:4], AGENT]


async def test_a_hand_back_that_fails_in_a_full_house_brings_the_flow_back(sandbox: Sandbox, desk: Desk) -> None:
    """The flow had to make room, the agent cannot come: the flow answers again until the next attempt."""
    conversation = sandbox.open_conversation(webhooks=[*FOREIGN[:4], STUDIO])
    arm(sandbox, conversation, CREATE, Kind.REFUSED, code=50367)
    with pytest.raises(TwilioRefused):
        await repair(desk, conversation, AGENT).hand_back()
    assert flows(conversation) == [REFUNDS]
    await repair(desk, conversation, AGENT).hand_back()
    assert (flows(conversation), len(agents(conversation))) == ([], 1)


async def test_a_hand_back_that_fails_twice_over_is_owed(sandbox: Sandbox, desk: Desk) -> None:
    """Neither the agent nor the flow can come: what failed first is told, and the next attempt brings the agent."""
    conversation = sandbox.open_conversation(webhooks=[*FOREIGN[:4], STUDIO])
    arm(sandbox, conversation, CREATE, Kind.REFUSED, times=2, code=50367)
    with pytest.raises(TwilioRefused):
        await repair(desk, conversation, AGENT).hand_back()
    assert there(conversation) == [*FOREIGN[:4]]
    await repair(desk, conversation, AGENT).hand_back()
    assert len(agents(conversation)) == 1


async def test_a_hand_back_that_fails_after_the_agent_came_leaves_both(sandbox: Sandbox, desk: Desk) -> None:
    """Only the removal of the flow is owed then; nothing is undone."""
    conversation = sandbox.open_conversation(webhooks=[STUDIO])
    arm(sandbox, conversation, DELETE, Kind.REFUSED, status=401, code=20003)
    with pytest.raises(TwilioRefused):
        await repair(desk, conversation, AGENT).hand_back()
    assert (flows(conversation), len(agents(conversation))) == ([REFUNDS], 1)


async def take_effect_late(desk: Desk, held: ArmedFault, happened: Callable[[], bool]) -> None:
    """Let what Twilio was slow with happen once the first attempt is over; then let all be done that is owed."""
    assert await desk.background.drain(5) == 0
    assert await make_round(desk)
    held.release()
    await until(happened)
    await settled(desk)


async def test_a_delete_that_takes_effect_late_leaves_nobody_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    """In a full house the delete times out: the agent is there at once, gone a little later, and put back then."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=FOREIGN[:4])
    held = arm(sandbox, conversation, DELETE, Kind.SLOW)
    arm(sandbox, conversation, DELETE, Kind.UNAVAILABLE, times=2)
    async with open_desk(sandbox, tmp_path, limits=HASTY) as desk:
        seen = witness(sandbox, conversation)
        answer = await hand_over(call(conversation), desk)
        assert (answer.outcome, answer.message) == (Outcome.FAILED, SENTENCES.failure)
        await take_effect_late(desk, held, lambda: not agents(conversation))
    assert [len(responders) for responders in seen] == [1, 0, 1]
    assert (len(agents(conversation)), flows(conversation), len(foreign(conversation))) == (1, [], 4)


async def test_a_create_that_takes_effect_late_makes_no_second_responder(sandbox: Sandbox, tmp_path: Path) -> None:
    """The create times out, the look after it fails, the repair creates another: one of the two is removed then."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    held = arm(sandbox, conversation, CREATE, Kind.SLOW)
    arm(sandbox, conversation, LIST, Kind.UNAVAILABLE, skip=1, times=3)
    async with open_desk(sandbox, tmp_path, limits=HASTY) as desk:
        seen = witness(sandbox, conversation)
        answer = await hand_over(call(conversation), desk)
        assert (answer.outcome, answer.message) == (Outcome.PENDING, SENTENCES.pending)
        await take_effect_late(desk, held, lambda: len(flows(conversation)) == 2)
    assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])
    assert all(seen)
    assert max([responder.kind for responder in moment].count("studio") for moment in seen) == 2


async def test_a_create_that_takes_effect_after_its_repeat_is_removed(sandbox: Sandbox, tmp_path: Path) -> None:
    """The look finds nothing, the repeat works, the handover is told; the late twin is removed afterwards."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    held = arm(sandbox, conversation, CREATE, Kind.SLOW)
    async with open_desk(sandbox, tmp_path, limits=HASTY) as desk:
        seen = witness(sandbox, conversation)
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.HANDED_OVER
        await take_effect_late(desk, held, lambda: len(flows(conversation)) == 2)
    assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])
    assert all(seen)
    assert max([responder.kind for responder in moment].count("studio") for moment in seen) == 2


async def test_what_is_repaired_is_logged(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each attempt has a line with the handover, what was owed, how it ended and why it failed."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, DELETE, Kind.REFUSED, status=401, code=20003, times=2)
    stream = io.StringIO()
    async with open_desk(sandbox, tmp_path, stream=stream) as desk:
        answer = await hand_over(call(conversation), desk)
        await settled(desk)
    said = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line["handover"], line["duty"], line["next"]) for line in said] == [
        ("repair", answer.handover_id, "tidy", "tidy"),
        ("repair", answer.handover_id, "tidy", ""),
    ]


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


async def test_a_repair_does_not_overrule_a_later_handover(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nobody knows whether the first call's flow was attached; another's is, and that one is nobody's mistake."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path) as desk:
        arm(sandbox, conversation, CREATE, Kind.CUT_BEFORE)
        arm(sandbox, conversation, LIST, Kind.REFUSED, skip=1, times=1)
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.PENDING
        sandbox.world.add_webhook(conversation, ELSEWHERE)
        await settled(desk)
    assert flows(conversation) == [BILLING]


async def test_a_redirect_in_doubt_is_finished(sandbox: Sandbox, tmp_path: Path) -> None:
    """The other flow's webhook that was there from the beginning is nobody's later handover: it is redirected."""
    conversation = sandbox.open_conversation(webhooks=[ELSEWHERE])
    async with open_desk(sandbox, tmp_path) as desk:
        arm(sandbox, conversation, REDIRECT, Kind.CUT_BEFORE, times=3)
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.PENDING
        await settled(desk)
    assert flows(conversation) == [REFUNDS]
