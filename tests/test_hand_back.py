"""The way back, end to end: agent, flow, agent again."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from router.aftercare import OVERDUE, POLL, WATCH
from router.hand_back import hand_back, is_paved
from router.handover import hand_over
from router.ledger.decisions import admit
from router.ledger.ledger import Filter, Holder
from router.ledger.row import LOOKS, Duty, Row, State, Way
from router.model.outcome import Outcome
from router.model.routes import Limits
from router.model.webhook import WebhookSpec
from router.runs import MOST
from router.sandbox.faults import Fault, Kind
from router.sandbox.world import Status
from tests.kit import (
    AGENT_URL,
    BILLING,
    CREATE,
    FOREIGN,
    LIST,
    REFUNDS,
    TOOL,
    LeapingClock,
    agents,
    arm,
    call,
    flows,
    foreign,
    make_round,
    open_desk,
    settled,
    witness,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from router.desk import Desk
    from router.sandbox.sandbox import Sandbox
    from router.sandbox.world import Conversation, Execution

STUDIO = WebhookSpec.studio(REFUNDS)
ENDING = """# more tools
  /tools/ending: {flow: refunds, hand_back: {within: 5, end_execution: true}}
  /tools/leaving: {flow: refunds, hand_back: {within: 5}}
  /tools/choosing: {intents: {refund: {flow: refunds, hand_back: {within: 5, end_execution: true}}}}
"""
BILLS = """# another tool
  /tools/bills: {flow: billing}
"""
UNKNOWN = "FN" + "f" * 32


async def the_row(desk: Desk) -> Row:
    return (await desk.ledger.history(Filter(limit=1)))[0]


async def begin(
    sandbox: Sandbox, desk: Desk, tool: str = TOOL, webhooks: Sequence[WebhookSpec] = ()
) -> tuple[Conversation, Execution]:
    """Hand over, and let the customer say something to the flow, which asks and waits."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=webhooks)
    return conversation, await hand_to_flow(sandbox, desk, conversation, tool)


async def hand_to_flow(sandbox: Sandbox, desk: Desk, conversation: Conversation, tool: str = TOOL) -> Execution:
    assert (await hand_over(call(conversation, tool), desk)).outcome is Outcome.HANDED_OVER
    await settled(desk)
    return await speak(sandbox, conversation)


async def speak(sandbox: Sandbox, conversation: Conversation) -> Execution:
    """Let the customer say something, and give the execution that hears it."""
    await sandbox.customer_says(conversation, "I want my money back")
    await sandbox.settled()
    return next(found for found in sandbox.world.executions.values() if found.conversation is conversation)


async def states(desk: Desk) -> list[State]:
    """List what became of the handovers, the newest first."""
    return [row.state for row in await desk.ledger.history(Filter())]


def leap(desk: Desk, seconds: float) -> None:
    assert isinstance(desk.clock, LeapingClock)
    desk.clock.leap(desk.clock.now() + timedelta(seconds=seconds))


async def ask(conversation: Conversation, desk: Desk, execution: str = "") -> Row:
    row = await hand_back(conversation.sid, desk.ledger, desk.clock, execution)
    assert row is not None
    return row


async def pave(conversation: Conversation, desk: Desk) -> None:
    """Let the first step be made: the agent answers beside the flow, so that nobody is missing when that ends."""
    assert await make_round(desk)
    assert (flows(conversation), len(agents(conversation))) == ([REFUNDS], 1)


async def test_a_conversation_goes_to_the_flow_and_back(sandbox: Sandbox, tmp_path: Path) -> None:
    """The flow asks for it, ends, Studio takes its webhook away, and the agent's is there again, others' untouched."""
    async with open_desk(sandbox, tmp_path) as desk:
        conversation, execution = await begin(sandbox, desk, webhooks=FOREIGN[:2])
        before = foreign(conversation)
        row = await ask(conversation, desk, execution.sid)
        assert (row.duty, row.state) == (Duty.HAND_BACK, State.ACCEPTED)
        await pave(conversation, desk)
        assert await make_round(desk)
        assert flows(conversation) == [REFUNDS]
        waiting = await the_row(desk)
        assert waiting.due is not None
        assert waiting.updated is not None
        assert waiting.due - waiting.updated == timedelta(seconds=POLL)
        sandbox.end(execution)
        await settled(desk)
        back = await the_row(desk)
        assert (flows(conversation), len(agents(conversation))) == ([], 1)
        assert foreign(conversation) == before
        assert (back.id, back.state, back.is_open, back.reason) == (row.id, State.COMPLETED, False, "handed back")
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.HANDED_OVER
        await settled(desk)
    assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])


async def test_what_studio_puts_back_is_removed(sandbox: Sandbox, tmp_path: Path) -> None:
    """Whenever that is within the looks: the agent stays, the flow goes, and somebody answers all the while."""
    async with open_desk(sandbox, tmp_path) as desk:
        conversation, execution = await begin(sandbox, desk)
        await ask(conversation, desk, execution.sid)
        await pave(conversation, desk)
        sandbox.end(execution)
        assert await make_round(desk)
        assert len(agents(conversation)) == 1
        seen = witness(sandbox, conversation)
        for _ in LOOKS:
            sandbox.world.add_webhook(conversation, STUDIO)
            assert await make_round(desk)
            assert (flows(conversation), len(agents(conversation))) == ([], 1)
        assert not await make_round(desk)
    assert all(seen)


@pytest.mark.parametrize("tool", ["/tools/ending", "/tools/choosing"])
async def test_an_execution_that_never_ends_is_ended_where_the_route_says_so(
    sandbox: Sandbox, tmp_path: Path, tool: str
) -> None:
    """After the time that the route gives it, and not before."""
    routes = ENDING
    async with open_desk(sandbox, tmp_path, routes) as desk:
        conversation = sandbox.open_conversation(agent_url=AGENT_URL)
        asking = call(conversation, tool)
        object.__setattr__(asking, "body_inputs", {"intent": "refund"})
        assert (await hand_over(asking, desk)).outcome is Outcome.HANDED_OVER
        await settled(desk)
        await sandbox.customer_says(conversation, "I want my money back")
        (execution,) = sandbox.world.executions.values()
        await ask(conversation, desk, execution.sid)
        for _ in range(3):
            assert await make_round(desk)
        assert (execution.status, flows(conversation)) == (Status.ACTIVE, [REFUNDS])
        leap(desk, 5)
        assert await make_round(desk)
        assert (execution.status, flows(conversation), len(agents(conversation))) == (Status.ENDED, [], 1)
        assert (await the_row(desk)).state is State.COMPLETED
        await settled(desk)


async def test_an_execution_that_never_ends_is_left_to_itself_else(sandbox: Sandbox, tmp_path: Path) -> None:
    """The agent answers all the same, and the conversation is watched for as long as the execution runs."""
    async with open_desk(sandbox, tmp_path, ENDING) as desk:
        conversation, execution = await begin(sandbox, desk, "/tools/leaving")
        await ask(conversation, desk, execution.sid)
        await pave(conversation, desk)
        leap(desk, 6)
        for _ in range(len(LOOKS) + 3):
            assert await make_round(desk)
            row = await the_row(desk)
            assert (row.state, row.is_open, flows(conversation)) == (State.COMPLETED, True, [])
            assert row.due is not None
            assert row.updated is not None
            assert row.due - row.updated == timedelta(seconds=WATCH)
        assert execution.status == Status.ACTIVE
        sandbox.end(execution)
        assert flows(conversation) == [REFUNDS]
        await settled(desk)
        assert (flows(conversation), len(agents(conversation))) == ([], 1)
        assert not (await the_row(desk)).is_open


async def test_an_execution_that_cannot_be_ended_keeps_nobody_away(sandbox: Sandbox, tmp_path: Path) -> None:
    """Studio refuses to end it: the agent answers, and it is watched like one that is left to itself."""
    async with open_desk(sandbox, tmp_path, ENDING) as desk:
        conversation, execution = await begin(sandbox, desk, "/tools/ending")
        await ask(conversation, desk, execution.sid)
        await pave(conversation, desk)
        leap(desk, 6)
        sandbox.faults.add(studio_refuses("POST", times=1))
        assert await make_round(desk)
        assert (execution.status, flows(conversation), len(agents(conversation))) == (Status.ACTIVE, [], 1)
        row = await the_row(desk)
        assert row.way is not None
        assert row.way.runs
        sandbox.end(execution)
        await settled(desk)
        assert (flows(conversation), len(agents(conversation))) == ([], 1)


def studio_refuses(method: str, times: int = 0) -> Fault:
    return Fault(Kind.REFUSED, method=method, path="/v2/Flows/*", times=times, status=403, code=20003)


@pytest.mark.parametrize("execution", ["", UNKNOWN])
async def test_without_an_execution_nobody_is_waited_for(sandbox: Sandbox, tmp_path: Path, execution: str) -> None:
    """A person asks, or an execution that Studio does not know: the agent answers at once."""
    async with open_desk(sandbox, tmp_path) as desk:
        conversation = sandbox.open_conversation(agent_url=AGENT_URL)
        await hand_over(call(conversation), desk)
        await settled(desk)
        await ask(conversation, desk, execution)
        await pave(conversation, desk)
        assert await make_round(desk)
        assert (flows(conversation), len(agents(conversation))) == ([], 1)
        await settled(desk)


async def test_a_person_waits_for_this_conversations_execution(sandbox: Sandbox, tmp_path: Path) -> None:
    """It is found by the customer's address, of which we know both ends."""
    async with open_desk(sandbox, tmp_path) as desk:
        conversation, execution = await begin(sandbox, desk)
        await ask(conversation, desk)
        await pave(conversation, desk)
        assert await make_round(desk)
        assert flows(conversation) == [REFUNDS]
        sandbox.end(execution)
        await settled(desk)
        assert (flows(conversation), len(agents(conversation))) == ([], 1)


async def test_nobody_elses_execution_is_ended(sandbox: Sandbox, tmp_path: Path) -> None:
    """Another customer's address may have the same ends: what is not surely ours runs on, and is no hindrance."""
    async with open_desk(sandbox, tmp_path, ENDING) as desk:
        conversation = sandbox.open_conversation(agent_url=AGENT_URL)
        await hand_over(call(conversation, "/tools/ending"), desk)
        await settled(desk)
        other = sandbox.open_conversation(customer="whatsapp:+15559900", webhooks=[STUDIO])
        await sandbox.customer_says(other, "Hello")
        (theirs,) = sandbox.world.executions.values()
        await ask(conversation, desk)
        await pave(conversation, desk)
        assert await make_round(desk)
        assert flows(conversation) == [REFUNDS]
        leap(desk, 6)
        await settled(desk)
        assert (flows(conversation), len(agents(conversation))) == ([], 1)
    assert (theirs.status, flows(other)) == (Status.ACTIVE, [REFUNDS])


async def test_a_run_of_a_flow_that_was_redirected_is_watched(sandbox: Sandbox, tmp_path: Path) -> None:
    """It ends long after the hand-back, and Studio puts its webhook back then: the agent alone answers in the end."""
    async with open_desk(sandbox, tmp_path, BILLS) as desk:
        conversation = sandbox.open_conversation(agent_url=AGENT_URL)
        await hand_over(call(conversation, "/tools/bills"), desk)
        await settled(desk)
        await sandbox.customer_says(conversation, "I do not understand my bill")
        (old,) = sandbox.world.executions.values()
        await hand_over(call(conversation), desk)
        await settled(desk)
        assert flows(conversation) == [REFUNDS]
        await ask(conversation, desk)
        await pave(conversation, desk)
        for _round in range(5):
            assert await make_round(desk)
        assert (flows(conversation), old.status) == ([], Status.ACTIVE)
        sandbox.end(old)
        await sandbox.settled()
        assert flows(conversation) == [BILLING]
        await settled(desk)
        assert (flows(conversation), len(agents(conversation))) == ([], 1)


@pytest.mark.parametrize("execution", ["", UNKNOWN])
async def test_a_studio_that_we_may_not_ask_keeps_nobody_away(sandbox: Sandbox, tmp_path: Path, execution: str) -> None:
    """A key without Studio's rights, or a flow that is gone: the agent answers, and the looks see to the rest."""
    async with open_desk(sandbox, tmp_path) as desk:
        conversation = sandbox.open_conversation(agent_url=AGENT_URL)
        await hand_over(call(conversation), desk)
        await settled(desk)
        sandbox.faults.add(studio_refuses("GET"))
        await ask(conversation, desk, execution)
        await pave(conversation, desk)
        assert await make_round(desk)
        assert (flows(conversation), len(agents(conversation))) == ([], 1)
        await settled(desk)


async def test_a_studio_that_does_not_answer_is_asked_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nobody knows whether the execution runs: the flow stays until Studio says so."""
    async with open_desk(sandbox, tmp_path) as desk:
        conversation, execution = await begin(sandbox, desk)
        await ask(conversation, desk, execution.sid)
        await pave(conversation, desk)
        sandbox.end(execution)
        sandbox.faults.add(Fault(Kind.UNAVAILABLE, path="/v2/Flows/*", times=3))
        assert await make_round(desk)
        row = await the_row(desk)
        assert (row.duty, row.attempts, row.state) == (Duty.HAND_BACK, 1, State.ACCEPTED)
        await settled(desk)
        assert len(agents(conversation)) == 1


async def test_the_agent_on_the_service_speaks_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nothing was removed, so only the flow goes."""
    async with open_desk(sandbox, tmp_path) as desk:
        conversation = sandbox.open_conversation(service_url=AGENT_URL)
        await hand_over(call(conversation), desk)
        await settled(desk)
        await ask(conversation, desk)
        await settled(desk)
        assert [responder.kind for responder in sandbox.responders(conversation)] == ["agent"]
    assert conversation.webhooks == []


async def test_a_full_house_has_room_for_the_way_back(sandbox: Sandbox, tmp_path: Path) -> None:
    """Five webhooks, one of them the flow's: its place becomes the agent's again."""
    async with open_desk(sandbox, tmp_path) as desk:
        conversation, execution = await begin(sandbox, desk, webhooks=FOREIGN[:4])
        before = foreign(conversation)
        await ask(conversation, desk, execution.sid)
        assert await make_round(desk)
        assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])
        leap(desk, 61)
        assert await make_round(desk)
        assert (flows(conversation), len(agents(conversation)), foreign(conversation)) == ([], 1, before)
        sandbox.end(execution)
        await settled(desk)


async def test_asked_twice_it_goes_back_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """A repeated request changes nothing, neither on the way nor after it."""
    async with open_desk(sandbox, tmp_path) as desk:
        conversation, execution = await begin(sandbox, desk)
        first = await ask(conversation, desk, execution.sid)
        assert await ask(conversation, desk, execution.sid) == first
        sandbox.end(execution)
        await settled(desk)
        again = await ask(conversation, desk, execution.sid)
        assert (again.id, again.state) == (first.id, State.COMPLETED)
        assert not await make_round(desk)


async def test_asked_before_the_handover_is_finished_it_comes_after_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """A replayed message may end the flow before we have answered the model."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    held = arm(sandbox, conversation, CREATE, Kind.SLOW_AFTER)
    async with open_desk(sandbox, tmp_path, deadline=0.1) as desk:
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.PENDING
        await held.reached.wait()
        row = await ask(conversation, desk)
        assert (row.state, row.duty) == (State.INITIATED, Duty.SETTLE)
        held.release()
        await settled(desk)
        assert (await the_row(desk)).state is State.COMPLETED
    assert (flows(conversation), len(agents(conversation))) == ([], 1)


async def test_without_an_address_every_execution_since_may_be_its_own(sandbox: Sandbox, tmp_path: Path) -> None:
    """A call without an identity leaves nothing to know an execution by: it is waited for, and watched."""
    async with open_desk(sandbox, tmp_path, ENDING) as desk:
        conversation = sandbox.open_conversation(agent_url=AGENT_URL)
        await hand_over(call(conversation, "/tools/leaving", identity=None), desk)
        await settled(desk)
        await sandbox.customer_says(conversation, "Hello")
        (run,) = sandbox.world.executions.values()
        await ask(conversation, desk)
        await pave(conversation, desk)
        assert await make_round(desk)
        assert flows(conversation) == [REFUNDS]
        leap(desk, 6)
        for _round in range(3):
            assert await make_round(desk)
        assert (flows(conversation), run.status) == ([], Status.ACTIVE)
        sandbox.end(run)
        await sandbox.settled()
        await settled(desk)
        assert (flows(conversation), len(agents(conversation))) == ([], 1)


async def test_what_was_never_handed_over_cannot_come_back(sandbox: Sandbox, tmp_path: Path) -> None:
    """There is no row that could see to it."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path) as desk:
        assert await hand_back(conversation.sid, desk.ledger, desk.clock) is None
        assert await desk.ledger.history(Filter()) == []


async def test_a_hand_back_waits_for_who_has_the_conversation_in_hand(sandbox: Sandbox, tmp_path: Path) -> None:
    """A later handover that failed is being repaired: the way back begins when that is over."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    them = Holder("another process", lease=0.6)
    async with open_desk(sandbox, tmp_path) as desk:
        await hand_over(call(conversation), desk)
        await settled(desk)
        first = await the_row(desk)
        now = desk.clock.now()
        failed = first.change(id="HO" + "f" * 32, created=now, state=State.FAILED).owe(Duty.RESTORE, now)
        await desk.ledger.decide(conversation.sid, lambda _rows: (None, (failed.hold(them, now),)))
        row = await ask(conversation, desk)
        assert (row.id, row.duty) == (first.id, Duty.HAND_BACK)
        assert desk.clock.now() - now >= timedelta(seconds=0.6)
        await settled(desk)
    assert len(agents(conversation)) == 1


async def test_a_new_handover_may_follow_at_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """The looks of the way back are taken over: the flow that comes now is not removed as one that came too late."""
    async with open_desk(sandbox, tmp_path) as desk:
        conversation, execution = await begin(sandbox, desk)
        await ask(conversation, desk, execution.sid)
        await pave(conversation, desk)
        sandbox.end(execution)
        assert await make_round(desk)
        assert (await the_row(desk)).state is State.COMPLETED
        answer = await hand_over(call(conversation), desk)
        assert answer.outcome is Outcome.HANDED_OVER
        await settled(desk)
        assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])
        await ask(conversation, desk)
        await settled(desk)
    assert (flows(conversation), len(agents(conversation))) == ([], 1)


async def test_a_new_handover_to_a_flow_that_asked_back_outlives_its_execution(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """It finds the flow attached. When the old run ends, Studio takes that along: the agent is there, then the flow."""
    async with open_desk(sandbox, tmp_path) as desk:
        conversation, execution = await begin(sandbox, desk)
        await ask(conversation, desk, execution.sid)
        answer = await hand_over(call(conversation), desk)
        assert answer.outcome is Outcome.ALREADY_HANDED_OVER
        assert await desk.background.drain(5) == 0
        await pave(conversation, desk)
        assert await make_round(desk)
        assert (flows(conversation), len(agents(conversation))) == ([REFUNDS], 1)
        seen = witness(sandbox, conversation)
        sandbox.end(execution)
        assert (flows(conversation), len(agents(conversation))) == ([], 1)
        await settled(desk)
        assert all(seen)
        assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])
        row = await the_row(desk)
        assert (row.state, row.is_open, row.journal.runs) == (State.ACCEPTED, False, ())
        await sandbox.customer_says(conversation, "Me again")
        running = [found for found in sandbox.world.executions.values() if found.status is Status.ACTIVE]
        assert len(running) == 1
        await ask(conversation, desk, running[0].sid)
        await pave(conversation, desk)
        sandbox.end(running[0])
        await settled(desk)
    assert (flows(conversation), len(agents(conversation))) == ([], 1)


def down() -> Fault:
    """Studio's API does not work, for as long as this lies in wait."""
    return Fault(Kind.UNAVAILABLE, path="/v2/Flows/*", times=0)


async def take_in_hand_and_die(desk: Desk, conversation: Conversation, tool: str, flow: str) -> None:
    """A process takes the row of a call in hand, and dies."""
    now, dead = desk.clock.now(), Holder("dead", -1)
    wish = Row("HO" + "d" * 32, conversation.sid, conversation.ref.service, now, tool=tool, flow=flow, key="dead")
    await desk.ledger.decide(conversation.sid, partial(admit, wish=wish, limits=Limits(), holder=dead, now=now))


@pytest.mark.parametrize("looks", [1, 4])
async def test_a_flow_that_asks_back_while_another_handover_is_not_settled(
    sandbox: Sandbox, tmp_path: Path, looks: int
) -> None:
    """A process died in the middle of it: the agent answers before the flow is told that it may end."""
    async with open_desk(sandbox, tmp_path, BILLS) as desk:
        conversation, execution = await begin(sandbox, desk)
        await take_in_hand_and_die(desk, conversation, "/tools/bills", BILLING)
        for _look in range(looks):
            assert await make_round(desk)
        row = await ask(conversation, desk, execution.sid)
        assert row.state is State.INITIATED
        await pave(conversation, desk)
        assert await is_paved(row, desk.ledger, desk.clock, 0.1)
        sandbox.end(execution)
        await settled(desk)
    assert (flows(conversation), len(agents(conversation))) == ([], 1)


@pytest.mark.parametrize("asker", ["flow", "person"])
async def test_a_hand_back_does_not_wait_for_the_looks_at_another_handover(
    sandbox: Sandbox, tmp_path: Path, asker: str
) -> None:
    """One look is enough: the handover that goes back looks for what a dead process may have left on its way."""
    async with open_desk(sandbox, tmp_path, BILLS) as desk:
        conversation, execution = await begin(sandbox, desk)
        await take_in_hand_and_die(desk, conversation, "/tools/bills", BILLING)
        assert await make_round(desk)
        asked = desk.clock.now()
        await ask(conversation, desk, execution.sid if asker == "flow" else "")
        await pave(conversation, desk)
        sandbox.end(execution)
        assert await make_round(desk)
        assert await states(desk) == [State.FAILED, State.COMPLETED]
        assert desk.clock.now() < asked + timedelta(seconds=LOOKS[0])
        sandbox.world.add_webhook(conversation, WebhookSpec.studio(BILLING))
        await settled(desk)
    assert (flows(conversation), len(agents(conversation))) == ([], 1)


async def test_in_a_full_house_the_agent_comes_as_soon_as_the_flow_has_ended(sandbox: Sandbox, tmp_path: Path) -> None:
    """Also where another handover's process had died: nobody can answer beside the flow, so the next look is near."""
    async with open_desk(sandbox, tmp_path, BILLS) as desk:
        conversation, execution = await begin(sandbox, desk, webhooks=FOREIGN[:4])
        await take_in_hand_and_die(desk, conversation, "/tools/bills", BILLING)
        for _look in LOOKS[:3]:
            assert await make_round(desk)
        row = await ask(conversation, desk, execution.sid)
        assert await make_round(desk)
        assert not await is_paved(row, desk.ledger, desk.clock, 0.1)
        sandbox.end(execution)
        assert (flows(conversation), agents(conversation)) == ([], [])
        ended = desk.clock.now()
        while not agents(conversation):
            assert await make_round(desk)
        assert desk.clock.now() < ended + timedelta(seconds=2 * POLL)
        await settled(desk)
    assert (flows(conversation), len(agents(conversation))) == ([], 1)


async def test_where_no_other_handover_answers_the_one_that_was_asked_back_is_looked_for(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """The agent answers already; a flow that a late request attaches is seen, and goes."""
    async with open_desk(sandbox, tmp_path) as desk:
        conversation = sandbox.open_conversation(agent_url=AGENT_URL)
        await take_in_hand_and_die(desk, conversation, TOOL, REFUNDS)
        await ask(conversation, desk)
        assert await make_round(desk)
        assert await states(desk) == [State.INITIATED]
        sandbox.world.add_webhook(conversation, STUDIO)
        await settled(desk)
        assert await states(desk) == [State.COMPLETED]
    assert (flows(conversation), len(agents(conversation))) == ([], 1)


async def test_a_flow_that_ends_when_the_agent_answers_was_seen_before(sandbox: Sandbox, tmp_path: Path) -> None:
    """A process died right after it attached it: its handover came about, although its webhook goes meanwhile."""
    async with open_desk(sandbox, tmp_path) as desk:
        conversation = sandbox.open_conversation(agent_url=AGENT_URL)
        await take_in_hand_and_die(desk, conversation, TOOL, REFUNDS)
        sandbox.world.add_webhook(conversation, STUDIO)
        execution = await speak(sandbox, conversation)
        row = await ask(conversation, desk, execution.sid)
        held = arm(sandbox, conversation, LIST, Kind.SLOW, skip=1)
        making = asyncio.create_task(make_round(desk))
        await held.reached.wait()
        if await is_paved(row, desk.ledger, desk.clock, 0.1):
            sandbox.end(execution)
        held.release()
        assert await making
        sandbox.end(execution)
        await settled(desk)
        assert await states(desk) == [State.COMPLETED]
    assert (flows(conversation), len(agents(conversation))) == ([], 1)


async def test_what_a_dead_process_attached_goes_back_when_it_asks(sandbox: Sandbox, tmp_path: Path) -> None:
    """The handover is settled, and goes on its way back without the agent's being let go before."""
    async with open_desk(sandbox, tmp_path) as desk:
        conversation = sandbox.open_conversation(agent_url=AGENT_URL)
        await take_in_hand_and_die(desk, conversation, TOOL, REFUNDS)
        sandbox.world.add_webhook(conversation, STUDIO)
        await ask(conversation, desk, UNKNOWN)
        seen = witness(sandbox, conversation)
        assert await make_round(desk)
        assert (await the_row(desk)).duty is Duty.HAND_BACK
        assert len(agents(conversation)) == 1
        await settled(desk)
        assert all(len(moment) == 1 for moment in seen[1:])
    assert (flows(conversation), len(agents(conversation))) == ([], 1)


async def test_a_flow_that_asked_back_is_paved_also_where_studio_cannot_be_asked(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """The tool was called again before: when the flow ends nobody is missing."""
    async with open_desk(sandbox, tmp_path) as desk:
        conversation, execution = await begin(sandbox, desk)
        sandbox.faults.add(down())
        await ask(conversation, desk, execution.sid)
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.ALREADY_HANDED_OVER
        assert await desk.background.drain(5) == 0
        await pave(conversation, desk)
        sandbox.end(execution)
        assert len(agents(conversation)) == 1
        sandbox.faults.clear()
        await settled(desk)
    assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])


async def test_the_agent_goes_also_where_studio_cannot_be_asked(sandbox: Sandbox, tmp_path: Path) -> None:
    """The execution before was seen to end: a new handover waits for nothing more."""
    async with open_desk(sandbox, tmp_path) as desk:
        conversation, execution = await begin(sandbox, desk)
        await ask(conversation, desk, execution.sid)
        await pave(conversation, desk)
        sandbox.end(execution)
        assert await make_round(desk)
        sandbox.faults.add(down())
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.HANDED_OVER
        assert await desk.background.drain(5) == 0
        assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])


@pytest.mark.parametrize("rounds", [1, 2, 4])
async def test_a_flow_that_did_not_name_its_execution_is_outlived_too(
    sandbox: Sandbox, tmp_path: Path, rounds: int
) -> None:
    """Those of its flow are looked up: nobody is missing when it ends after the tool was called again."""
    async with open_desk(sandbox, tmp_path) as desk:
        conversation, execution = await begin(sandbox, desk)
        await ask(conversation, desk)
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.ALREADY_HANDED_OVER
        assert await desk.background.drain(5) == 0
        for _round in range(rounds):
            assert await make_round(desk)
        seen = witness(sandbox, conversation)
        sandbox.end(execution)
        await settled(desk)
        assert all(seen)
    assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])


async def test_an_execution_that_we_may_not_ask_about_counts_as_running(sandbox: Sandbox, tmp_path: Path) -> None:
    """The agent stays beside for as long as a flow may take to end, and it is not watched for ever."""
    async with open_desk(sandbox, tmp_path) as desk:
        conversation, execution = await begin(sandbox, desk)
        sandbox.faults.add(studio_refuses("GET"))
        await ask(conversation, desk, execution.sid)
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.ALREADY_HANDED_OVER
        assert await desk.background.drain(5) == 0
        for _round in range(4):
            assert await make_round(desk)
        assert (flows(conversation), len(agents(conversation))) == ([REFUNDS], 1)
        sandbox.end(execution)
        assert len(agents(conversation)) == 1
        leap(desk, 3700)
        await settled(desk)
    assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])


@pytest.mark.parametrize("other_ends", [True, False])
async def test_a_flow_that_passed_its_customer_on_is_left_in_peace(
    sandbox: Sandbox, tmp_path: Path, *, other_ends: bool
) -> None:
    """Whatever becomes of executions of the flow before it, which may be another customer's: a person answers now."""
    async with open_desk(sandbox, tmp_path, BILLS) as desk:
        conversation = sandbox.open_conversation(agent_url=AGENT_URL)
        await hand_over(call(conversation, "/tools/bills", identity=None), desk)
        await settled(desk)
        await hand_over(call(conversation, identity=None), desk)
        assert await desk.background.drain(5) == 0
        other = sandbox.open_conversation(customer="whatsapp:+15559900", webhooks=[WebhookSpec.studio(BILLING)])
        await sandbox.customer_says(other, "Hello")
        (theirs,) = sandbox.world.executions.values()
        assert await make_round(desk)
        leap(desk, 900)
        await sandbox.customer_says(conversation, "My money!")
        sandbox.end(next(run for run in sandbox.world.executions.values() if run.conversation is conversation))
        if other_ends:
            sandbox.end(theirs)
        assert await make_round(desk)
    assert (flows(conversation), agents(conversation)) == ([], [])


async def test_many_executions_are_watched_within_bounds(sandbox: Sandbox, tmp_path: Path) -> None:
    """A busy flow was redirected, and nobody can tell whose they are: no more are asked about than once."""
    async with open_desk(sandbox, tmp_path, BILLS) as desk:
        conversation = sandbox.open_conversation(agent_url=AGENT_URL)
        await hand_over(call(conversation, "/tools/bills", identity=None), desk)
        await settled(desk)
        await hand_over(call(conversation, identity=None), desk)
        assert await desk.background.drain(5) == 0
        for number in range(3):
            for more in range(MOST // 2 + 1):
                address = f"whatsapp:+1555{number}{more:02}"
                other = sandbox.open_conversation(customer=address, webhooks=[WebhookSpec.studio(BILLING)])
                await sandbox.customer_says(other, "Hello")
            assert await make_round(desk)
        assert len((await the_row(desk)).journal.runs) == MOST


async def test_an_execution_that_goes_on_keeps_the_agent_beside_for_a_while(sandbox: Sandbox, tmp_path: Path) -> None:
    """Then the flow answers alone, nothing counts as owed, and it is looked at again, for an hour at most."""
    async with open_desk(sandbox, tmp_path, ENDING) as desk:
        conversation, execution = await begin(sandbox, desk, "/tools/leaving")
        await ask(conversation, desk, execution.sid)
        assert (await hand_over(call(conversation, "/tools/leaving"), desk)).outcome is Outcome.ALREADY_HANDED_OVER
        assert await desk.background.drain(5) == 0
        await pave(conversation, desk)
        leap(desk, 6)
        assert await make_round(desk)
        assert (flows(conversation), agents(conversation), execution.status) == ([REFUNDS], [], Status.ACTIVE)
        watching = await the_row(desk)
        assert watching.due is not None
        assert watching.updated is not None
        assert watching.due - watching.updated == timedelta(seconds=OVERDUE)
        assert (watching.owed, watching.duty) == (watching.updated, Duty.TIDY)
        leap(desk, 3700)
        assert await make_round(desk)
        await settled(desk)
        assert (await the_row(desk)).is_open is False
    assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])


async def test_a_watched_handover_goes_back_when_it_is_asked_to(sandbox: Sandbox, tmp_path: Path) -> None:
    """Whoever looks at it just then does not make it wait for the next look."""
    async with open_desk(sandbox, tmp_path) as desk:
        conversation, execution = await begin(sandbox, desk)
        await ask(conversation, desk, execution.sid)
        await hand_over(call(conversation), desk)
        assert await desk.background.drain(5) == 0
        await pave(conversation, desk)
        held = (await the_row(desk)).hold(desk.ledger.holder, desk.clock.now())
        way = Way(desk.clock.now(), execution.sid)
        back = held.change(way=way).watch(desk.clock.now(), 60, ((REFUNDS, execution.sid),))
        assert (back.duty, back.owner) == (Duty.HAND_BACK, "")
        sandbox.end(execution)


async def test_a_flow_that_was_redirected_does_not_come_back_beside_its_successor(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Its run is watched: what Studio puts back when that ends is removed, and the successor stays."""
    async with open_desk(sandbox, tmp_path, BILLS) as desk:
        conversation = sandbox.open_conversation(agent_url=AGENT_URL)
        await hand_over(call(conversation, "/tools/bills"), desk)
        await settled(desk)
        await sandbox.customer_says(conversation, "I do not understand my bill")
        (old,) = sandbox.world.executions.values()
        await hand_over(call(conversation), desk)
        assert await desk.background.drain(5) == 0
        assert await make_round(desk)
        watched = await the_row(desk)
        assert (watched.journal.runs, watched.is_open) == (((BILLING, old.sid),), True)
        assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])
        sandbox.end(old)
        await sandbox.settled()
        sandbox.world.add_webhook(conversation, WebhookSpec.studio(BILLING))
        await settled(desk)
    assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])


async def test_a_flow_that_studio_puts_back_beside_another_one_is_removed(sandbox: Sandbox, tmp_path: Path) -> None:
    """The conversation was handed to another flow during the looks: what comes back late does not answer there."""
    routes = "# one more tool\n  /tools/billing: {flow: billing}\n"
    async with open_desk(sandbox, tmp_path, routes) as desk:
        conversation, execution = await begin(sandbox, desk)
        await ask(conversation, desk, execution.sid)
        await pave(conversation, desk)
        sandbox.end(execution)
        assert await make_round(desk)
        assert (await hand_over(call(conversation, "/tools/billing"), desk)).outcome is Outcome.HANDED_OVER
        assert await desk.background.drain(5) == 0
        sandbox.world.add_webhook(conversation, STUDIO)
        await settled(desk)
    assert (flows(conversation), agents(conversation)) == ([BILLING], [])


async def test_a_tool_that_is_gone_hands_back_all_the_same(sandbox: Sandbox, tmp_path: Path) -> None:
    """The routes changed meanwhile: what the tool said of its way back is replaced by our own terms."""
    async with open_desk(sandbox, tmp_path, ENDING) as desk:
        conversation, execution = await begin(sandbox, desk, "/tools/ending")
        gone = (await the_row(desk)).change(tool="/tools/gone")
        await desk.ledger.decide(conversation.sid, lambda _rows: (None, (gone,)))
        await ask(conversation, desk, execution.sid)
        await pave(conversation, desk)
        leap(desk, 6)
        assert await make_round(desk)
        assert (execution.status, flows(conversation)) == (Status.ACTIVE, [REFUNDS])
        sandbox.end(execution)
        await settled(desk)
    assert len(agents(conversation)) == 1


async def test_a_way_back_that_fails_is_tried_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """The flow answers until the agent does."""
    async with open_desk(sandbox, tmp_path) as desk:
        conversation = sandbox.open_conversation(agent_url=AGENT_URL)
        await hand_over(call(conversation), desk)
        await settled(desk)
        seen = witness(sandbox, conversation)
        arm(sandbox, conversation, CREATE, Kind.REFUSED, code=50367)
        arm(sandbox, conversation, LIST, Kind.UNAVAILABLE, times=3)
        await ask(conversation, desk)
        assert await make_round(desk)
        (row,) = await desk.ledger.history(Filter())
        assert (row.attempts, row.reason[:14]) == (1, "list_webhooks:")
        await settled(desk)
        (row,) = await desk.ledger.history(Filter())
        assert (row.attempts, row.reason) == (0, "handed back")
        assert len(agents(conversation)) == 1
    assert all(seen)
