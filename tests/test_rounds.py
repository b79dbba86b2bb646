"""The rounds: what is owed is done, by whoever is free, and nothing stops them but a stop."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pytest

from router.case import STAYS
from router.hand_back import hand_back
from router.handover import hand_over
from router.ledger.decisions import Admitted, admit
from router.ledger.ledger import Filter, Holder
from router.ledger.row import LOOKS, Duty, Row, State, Way
from router.model.outcome import Outcome
from router.model.routes import Limits
from router.model.webhook import WebhookSpec
from router.rounds import Rounds
from router.sandbox.faults import Kind
from router.sandbox.world import State as Condition
from tests.faulty import FaultyLedger
from tests.kit import (
    AGENT_URL,
    BILLING,
    CREATE,
    DELETE,
    FOREIGN,
    LIST,
    REDIRECT,
    REFUNDS,
    UNLISTED,
    LeapingClock,
    agents,
    arm,
    call,
    flows,
    make_round,
    open_desk,
    settled,
    until,
    witness,
)

if TYPE_CHECKING:
    from pathlib import Path

    from router.desk import Desk
    from router.model.execution import Executions
    from router.sandbox.sandbox import Sandbox
    from router.sandbox.world import Conversation

KEPT = timedelta(days=90)


def rounds_of(desk: Desk, studio: object = None, retention: timedelta = KEPT) -> Rounds:
    return Rounds(lambda: desk, cast("Executions", studio or desk.gateway), retention)


async def the_row(desk: Desk) -> Row:
    (row,) = await desk.ledger.history(Filter())
    return row


async def owe(sandbox: Sandbox, conversation: Conversation, desk: Desk) -> Row:
    """Hand over, and let the agent's webhook be still to remove."""
    arm(sandbox, conversation, DELETE, Kind.REFUSED, status=401, code=20003)
    await hand_over(call(conversation), desk)
    assert await desk.background.drain(5) == 0
    row = await the_row(desk)
    assert row.duty is Duty.TIDY
    return row


async def test_the_rounds_go_on_until_they_are_stopped(sandbox: Sandbox, tmp_path: Path) -> None:
    """What falls due is done, what comes up later too, and a stop is heard at once."""
    first, second = (sandbox.open_conversation(agent_url=AGENT_URL) for _ in range(2))
    async with open_desk(sandbox, tmp_path) as desk:
        rounds = rounds_of(desk)
        making = asyncio.create_task(rounds.run())
        for conversation in (first, second):
            arm(sandbox, conversation, DELETE, Kind.REFUSED, status=401, code=20003)
            await hand_over(call(conversation), desk)
            await until(lambda there=conversation: not agents(there))  # type: ignore[misc]  # bound at once
        rounds.stop()
        async with asyncio.timeout(0.9):
            await making
        assert await desk.ledger.next_due() is None


async def test_a_ledger_that_cannot_be_read_is_asked_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """The log says so each time; the rounds go on, and do what was owed once it works."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    stream = io.StringIO()
    async with open_desk(sandbox, tmp_path, stream=stream) as opened:
        ledger = FaultyLedger(opened.clock)
        desk = replace(opened, ledger=ledger)
        await owe(sandbox, conversation, desk)
        ledger.is_gone = True
        rounds = rounds_of(desk)
        making = asyncio.create_task(rounds.run())
        await until(lambda: "the ledger cannot be read" in stream.getvalue())
        ledger.is_gone = False
        desk.owed.set()
        await until(lambda: not agents(conversation))
        rounds.stop()
        await making
    said = json.loads(stream.getvalue().splitlines()[0])
    assert (said["level"], said["reason"]) == ("error", "the disk is gone")


async def test_an_attempt_that_cannot_be_kept_is_made_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """The row is left to its lease: the agent is gone by then, and the next look finds nothing to do."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    stream = io.StringIO()
    async with open_desk(sandbox, tmp_path, stream=stream) as opened:
        ledger = FaultyLedger(opened.clock)
        desk = replace(opened, ledger=ledger)
        row = await owe(sandbox, conversation, desk)
        ledger.strike(fails=3)
        assert await make_round(desk)
        said = [json.loads(line) for line in stream.getvalue().splitlines()]
        assert {(line["event"], line["handover"], line["reason"]) for line in said} == {
            ("unrecorded", row.id, "the disk is full")
        }
        ledger.fails = 0
        await settled(desk)
        assert (await the_row(desk)).is_open is False
    assert (len(flows(conversation)), agents(conversation)) == (1, [])


class Broken:
    """A Studio that breaks as only a mistake of ours does."""

    async def fetch_execution(self, _flow: str, _sid: str) -> Any:
        raise RuntimeError("a mistake of ours")


async def test_a_repair_that_breaks_does_not_stop_the_others(sandbox: Sandbox, tmp_path: Path) -> None:
    """It is logged with its traceback, and its row is tried again."""
    first, second = (sandbox.open_conversation(agent_url=AGENT_URL) for _ in range(2))
    stream = io.StringIO()
    async with open_desk(sandbox, tmp_path, stream=stream) as desk:
        await hand_over(call(first), desk)
        await settled(desk)
        row = await the_row(desk)
        asked_back = row.change(way=Way(desk.clock.now(), "FN" + "1" * 32, is_paved=True)).owe(
            Duty.HAND_BACK, desk.clock.now()
        )
        await desk.ledger.decide(first.sid, lambda _rows: (None, (asked_back,)))
        arm(sandbox, second, DELETE, Kind.REFUSED, status=401, code=20003)
        await hand_over(call(second), desk)
        assert await desk.background.drain(5) == 0
        assert isinstance(desk.clock, LeapingClock)
        desk.clock.leap(desk.clock.now() + timedelta(seconds=5))
        assert await rounds_of(desk, Broken()).make() == 2
        assert agents(second) == []
        broken = next(json.loads(line) for line in stream.getvalue().splitlines() if "a repair broke" in line)
        assert broken["handover"] == row.id
        assert "a mistake of ours" in broken["exception"]
        assert (await desk.ledger.history(Filter(open=True)))[0].id == row.id
        await settled(desk)


async def test_a_row_that_hangs_keeps_its_place_and_no_other(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one place, the second row waits for it; it is begun as soon as the place is free."""
    monkeypatch.setattr("router.rounds.AT_ONCE", 1)
    first, second = (sandbox.open_conversation(agent_url=AGENT_URL) for _ in range(2))
    async with open_desk(sandbox, tmp_path) as desk:
        for conversation in (first, second):
            arm(sandbox, conversation, DELETE, Kind.REFUSED, status=401, code=20003)
            await hand_over(call(conversation), desk)
            assert await desk.background.drain(5) == 0
        assert isinstance(desk.clock, LeapingClock)
        desk.clock.leap(desk.clock.now() + timedelta(seconds=5))
        held = arm(sandbox, first, LIST, Kind.SLOW)
        rounds = rounds_of(desk)
        running = asyncio.create_task(rounds.run())
        await held.reached.wait()
        desk.owed.set()
        await asyncio.sleep(0.05)
        assert len(agents(second)) == 1
        held.release()
        await until(lambda: not agents(second))
        rounds.stop()
        await running
    assert agents(first) == []


async def test_rows_that_were_finished_long_ago_are_dropped(sandbox: Sandbox, tmp_path: Path) -> None:
    """When the rounds begin, and every hour from then on, but not each time."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path) as desk:
        await hand_over(call(conversation), desk)
        await settled(desk)
        assert isinstance(desk.clock, LeapingClock)
        rounds = rounds_of(desk, retention=timedelta(days=1))
        making = asyncio.create_task(rounds.run())
        await asyncio.sleep(0.01)
        for ahead, kept in ((timedelta(minutes=59), 1), (timedelta(days=2), 0)):
            desk.clock.leap(desk.clock.now() + ahead)
            desk.owed.set()
            await asyncio.sleep(0.05)
            assert len(await desk.ledger.history(Filter())) == kept
        rounds.stop()
        await making


@pytest.mark.parametrize("gone", ["closed", "unknown"])
async def test_what_can_never_be_changed_again_is_closed(sandbox: Sandbox, tmp_path: Path, gone: str) -> None:
    """A conversation that is closed, or unknown, is owed nothing: its row is closed, and not tried for ever."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path) as desk:
        await owe(sandbox, conversation, desk)
        if gone == "closed":
            conversation.state = Condition.CLOSED
        else:
            del sandbox.world.conversations[conversation.sid]
        assert await make_round(desk)
        row = await the_row(desk)
    assert (row.is_open, row.state) == (False, State.ACCEPTED)
    assert ("20404" in row.reason) is (gone == "unknown")


async def test_a_handover_that_never_began_is_settled(sandbox: Sandbox, tmp_path: Path) -> None:
    """Its process died before anything: the agent still answers, the row is looked at again and fails in the end."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path) as desk:
        arm(sandbox, conversation, ("POST", "/Webhooks"), Kind.CUT_BEFORE, times=1)
        arm(sandbox, conversation, ("GET", "/Webhooks"), Kind.REFUSED, skip=1, times=1)
        await hand_over(call(conversation), desk)
        assert await desk.background.drain(5) == 0
        row = (await the_row(desk)).change(duty=Duty.SETTLE, message="", outcome="")
        await desk.ledger.decide(conversation.sid, lambda _rows: (None, (row,)))
        await settled(desk)
        settled_row = await the_row(desk)
    assert (settled_row.state, settled_row.is_open) == (State.FAILED, False)
    assert (flows(conversation), len(agents(conversation))) == ([], 1)
    assert settled_row.reason == "nothing was attached, and nothing is owed"


async def begin_and_die(desk: Desk, conversation: Conversation, flow: str, number: int = 9) -> None:
    """A process takes a call in hand, with what is owed to its conversation, and dies."""
    dead, now = Holder(f"dead process {number}", lease=-1), desk.clock.now()
    wish = Row(f"HO{number:032x}", conversation.sid, conversation.ref.service, now, flow=flow, key=f"dead {number}")
    decision = partial(admit, wish=wish, limits=Limits(), holder=dead, now=now)
    assert isinstance(await desk.ledger.decide(conversation.sid, decision), Admitted)


async def test_what_never_began_is_over_with_its_last_look(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nothing was removed, and no late request need be feared any more: no repair is owed after that."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path) as desk:
        begun = desk.clock.now()
        await begin_and_die(desk, conversation, REFUNDS)
        await settled(desk)
        assert desk.clock.now() < begun + timedelta(seconds=sum(LOOKS) + 5)
        row = await the_row(desk)
    assert (row.state, row.is_open, len(agents(conversation))) == (State.FAILED, False, 1)


async def test_what_a_dead_call_had_taken_over_goes_on(sandbox: Sandbox, tmp_path: Path) -> None:
    """A call came between a hand-back and its end, and its process died: the agent answers again all the same."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path) as desk:
        await hand_over(call(conversation), desk)
        await settled(desk)
        assert await hand_back(conversation.sid, desk.ledger, desk.clock) is not None
        await begin_and_die(desk, conversation, BILLING)
        await settled(desk)
        states = [row.state for row in await desk.ledger.history(Filter())]
    assert (flows(conversation), len(agents(conversation))) == ([], 1)
    assert states == [State.FAILED, State.COMPLETED]


@pytest.mark.parametrize("looks", range(1, 6))
async def test_what_a_dead_call_brings_late_goes_again(sandbox: Sandbox, tmp_path: Path, looks: int) -> None:
    """It had taken a repair over, and came to nothing: its flow does not stay beside the agent, whenever it comes."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=FOREIGN[:4])
    async with open_desk(sandbox, tmp_path) as desk:
        arm(sandbox, conversation, DELETE, Kind.CUT_BEFORE, times=3)
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.FAILED
        assert await desk.background.drain(5) == 0
        assert (await the_row(desk)).duty is Duty.RESTORE
        conversation.webhooks.pop()
        await begin_and_die(desk, conversation, BILLING)
        for _look in range(looks):
            assert await make_round(desk)
        seen = witness(sandbox, conversation)
        sandbox.world.add_webhook(conversation, WebhookSpec.studio(BILLING))
        await settled(desk)
        assert {row.state for row in await desk.ledger.history(Filter())} == {State.FAILED}
    assert (flows(conversation), len(agents(conversation))) == ([], 1)
    assert all(seen)


async def test_a_flow_of_somebody_else_that_a_failed_call_leads_elsewhere_late_is_pointed_back(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """No handover of ours has attached it, so no webhook of the agent's is known: it is all that the customer has."""
    conversation = sandbox.open_conversation(webhooks=[WebhookSpec.studio(UNLISTED)])
    async with open_desk(sandbox, tmp_path) as desk:
        arm(sandbox, conversation, REDIRECT, Kind.CUT_BEFORE, times=3)
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.PENDING
        assert await desk.background.drain(5) == 0
        arm(sandbox, conversation, REDIRECT, Kind.REFUSED, status=401, code=20003)
        while (await the_row(desk)).state is not State.FAILED:
            assert await make_round(desk)
        (there,) = conversation.webhooks
        conversation.webhooks[0] = replace(there, spec=WebhookSpec.studio(REFUNDS))
        seen = witness(sandbox, conversation)
        await settled(desk)
    assert flows(conversation) == [UNLISTED]
    assert all(seen)


@pytest.mark.parametrize(("state", "duty"), [(State.FAILED, Duty.RESTORE), (State.COMPLETED, Duty.HAND_BACK)])
async def test_who_fell_silent_before_a_look_removes_no_flow_of_who_took_it_over(
    sandbox: Sandbox, tmp_path: Path, state: State, duty: Duty
) -> None:
    """Another process attaches the same flow by then, and its handover is not accepted yet."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path) as desk:
        now, where = desk.clock.now(), conversation.ref
        earlier = Row("HO1", where.sid, where.service, now, flow=REFUNDS, state=state, way=Way(now), finished=now)
        earlier = earlier.change(journal=earlier.journal.with_doubts(REFUNDS)).owe(duty, now)
        await desk.ledger.decide(where.sid, lambda _rows: (None, (earlier,)))
        held = arm(sandbox, conversation, LIST, Kind.SLOW)
        making = asyncio.create_task(make_round(desk))
        await held.reached.wait()
        assert isinstance(desk.clock, LeapingClock)
        desk.clock.leap(desk.clock.now() + timedelta(seconds=2 * desk.ledger.holder.lease))
        wish, other, now = Row("HO2", where.sid, where.service, now, flow=REFUNDS), Holder("other"), desk.clock.now()
        decision = partial(admit, wish=wish, limits=Limits(), holder=other, now=now)
        assert isinstance(await desk.ledger.decide(where.sid, decision), Admitted)
        sandbox.world.add_webhook(conversation, WebhookSpec.studio(REFUNDS))
        held.release()
        assert await making
    assert flows(conversation) == [REFUNDS]


@pytest.mark.parametrize("looks", range(1, 6))
async def test_a_flow_of_somebody_else_that_a_dead_call_leads_elsewhere_late_is_pointed_back(
    sandbox: Sandbox, tmp_path: Path, looks: int
) -> None:
    """Where it led was seen by the looks at what the dead calls had left, and goes to whoever restores."""
    conversation = sandbox.open_conversation(webhooks=[WebhookSpec.studio(UNLISTED)])
    async with open_desk(sandbox, tmp_path) as desk:
        await begin_and_die(desk, conversation, REFUNDS, 1)
        await begin_and_die(desk, conversation, BILLING, 2)
        for _look in range(looks):
            assert await make_round(desk)
        (there,) = conversation.webhooks
        conversation.webhooks[0] = replace(there, spec=WebhookSpec.studio(BILLING))
        seen = witness(sandbox, conversation)
        await settled(desk)
        assert {row.state for row in await desk.ledger.history(Filter())} == {State.FAILED}
    assert flows(conversation) == [UNLISTED]
    assert all(seen)


async def test_a_failed_call_for_a_flow_that_answers_already_lets_it_answer(sandbox: Sandbox, tmp_path: Path) -> None:
    """Its flow is in doubt, but an earlier handover has attached it, and stands."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path) as desk:
        await hand_over(call(conversation), desk)
        await settled(desk)
        earlier, now = await the_row(desk), desk.clock.now()
        journal = earlier.journal.with_doubts(REFUNDS)
        failed = earlier.change(id="HO" + "f" * 32, created=now, state=State.FAILED, journal=journal)
        await desk.ledger.decide(conversation.sid, lambda _rows: (None, (failed.owe(Duty.RESTORE, now),)))
        await settled(desk)
    assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])


@pytest.mark.parametrize(("own", "served"), [(AGENT_URL, None), (None, AGENT_URL)])
async def test_of_two_dead_calls_neither_leaves_a_flow_behind(
    sandbox: Sandbox, tmp_path: Path, own: str | None, served: str | None
) -> None:
    """What the second brings late goes at the end of the looks for the first, whose flow never came."""
    conversation = sandbox.open_conversation(agent_url=own, service_url=served)
    async with open_desk(sandbox, tmp_path) as desk:
        await begin_and_die(desk, conversation, REFUNDS, 1)
        await begin_and_die(desk, conversation, BILLING, 2)
        assert await make_round(desk)
        sandbox.world.add_webhook(conversation, WebhookSpec.studio(BILLING))
        await settled(desk)
        assert {row.state for row in await desk.ledger.history(Filter())} == {State.FAILED}
    assert flows(conversation) == []
    assert [responder.kind for responder in sandbox.responders(conversation)] == ["agent"]


async def test_a_late_request_still_counts_where_twilio_then_said_no(sandbox: Sandbox, tmp_path: Path) -> None:
    """The model was told that nobody knows yet: the flow is attached after all, and it alone answers."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path) as desk:
        now = desk.clock.now()
        row = Row("HO1", conversation.sid, conversation.service.sid, now, flow=REFUNDS, duty=Duty.FINISH, due=now)
        await desk.ledger.decide(conversation.sid, lambda _rows: (None, (row,)))
        arm(sandbox, conversation, CREATE, Kind.REFUSED, status=401, code=20003)
        assert await make_round(desk)
        assert (flows(conversation), len(agents(conversation))) == ([], 1)
        sandbox.world.add_webhook(conversation, WebhookSpec.studio(REFUNDS))
        await settled(desk)
        assert (await the_row(desk)).state is State.ACCEPTED
    assert (flows(conversation), len(agents(conversation))) == ([REFUNDS], 0)


async def test_a_webhook_that_stays_is_a_reason(sandbox: Sandbox, tmp_path: Path) -> None:
    """While tidying fails its row says why, as that of any other duty; once it is done nothing is said any more."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, DELETE, Kind.REFUSED, status=401, code=20003, times=2)
    async with open_desk(sandbox, tmp_path) as desk:
        await hand_over(call(conversation), desk)
        assert await desk.background.drain(5) == 0
        row = await the_row(desk)
        assert (row.duty, row.attempts, row.reason) == (Duty.TIDY, 1, STAYS)
        assert await make_round(desk)
        row = await the_row(desk)
        assert (row.duty, row.attempts, row.reason) == (Duty.TIDY, 2, STAYS)
        await settled(desk)
        row = await the_row(desk)
        assert (row.duty, row.reason) == (Duty.NONE, "")
