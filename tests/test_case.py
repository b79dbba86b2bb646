"""A handover whose ledger fails in the middle: what is told is true, and is kept as soon as that is possible."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from router.case import Case
from router.handover import hand_over
from router.ledger.decisions import revise
from router.ledger.ledger import Filter, Holder
from router.ledger.row import Duty, Row, State
from router.model.messages import Messages
from router.model.outcome import Outcome
from router.sandbox.faults import Kind
from tests.faulty import FaultyLedger
from tests.kit import (
    AGENT_URL,
    CREATE,
    DELETE,
    FOREIGN,
    LIST,
    REFUNDS,
    SUCCESS,
    LeapingClock,
    agents,
    arm,
    asked,
    call,
    flows,
    open_desk,
    settled,
    until,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from router.desk import Desk
    from router.model.webhook import WebhookSpec
    from router.sandbox.sandbox import Sandbox

SENTENCES = Messages()


@contextlib.asynccontextmanager
async def faulty_desk(
    sandbox: Sandbox, directory: Path, gate: asyncio.Event, stream: io.StringIO | None = None
) -> AsyncIterator[tuple[Desk, FaultyLedger]]:
    """Open a desk whose ledger fails on demand, and is asked again once ``gate`` is open."""

    async def sleep(_seconds: float) -> None:
        await gate.wait()

    async with open_desk(sandbox, directory, sleep=sleep, stream=stream) as desk:
        ledger = FaultyLedger(desk.clock)
        yield replace(desk, ledger=ledger), ledger


async def the_row(desk: Desk) -> Row:
    (row,) = await desk.ledger.history(Filter())
    return row


async def test_nobody_makes_room_that_could_not_be_noted(sandbox: Sandbox, tmp_path: Path) -> None:
    """In a full house the agent's webhook stays where the ledger cannot keep that it goes."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=FOREIGN[:4])
    async with faulty_desk(sandbox, tmp_path, asyncio.Event()) as (desk, ledger):
        ledger.strike(passes=1)
        answer = await hand_over(call(conversation), desk)
        assert (answer.outcome, answer.message, answer.key) == (Outcome.FAILED, SENTENCES.unrecorded, "unrecorded")
        await settled(desk)
        row = await the_row(desk)
    assert (row.state, row.journal.removed, row.is_open) == (State.FAILED, (), False)
    assert asked(sandbox, conversation) == [LIST]


async def test_who_makes_room_is_noted_before(sandbox: Sandbox, tmp_path: Path) -> None:
    """While the delete is under way the ledger has the webhook that goes; whose it is not is in no journal."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=FOREIGN[:4])
    held = arm(sandbox, conversation, DELETE, Kind.SLOW)
    async with open_desk(sandbox, tmp_path) as desk:
        handover = asyncio.create_task(hand_over(call(conversation), desk))
        await held.reached.wait()
        row = await the_row(desk)
        assert [webhook.spec.url for webhook in row.journal.removed] == [AGENT_URL]
        assert (row.state, row.duty) == (State.INITIATED, Duty.SETTLE)
        held.release()
        assert (await handover).outcome is Outcome.HANDED_OVER
        await settled(desk)


@pytest.mark.parametrize("fails", [1, 3])
async def test_an_acceptance_that_cannot_be_kept_is_told(sandbox: Sandbox, tmp_path: Path, fails: int) -> None:
    """The flow is attached, so that is told at once; the agent goes only once it is kept that it does."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    gate, stream = asyncio.Event(), io.StringIO()
    async with faulty_desk(sandbox, tmp_path, gate, stream) as (desk, ledger):
        ledger.strike(passes=1, fails=fails)
        answer = await hand_over(call(conversation), desk)
        assert (answer.outcome, answer.message) == (Outcome.HANDED_OVER, SUCCESS)
        assert (flows(conversation), len(agents(conversation))) == ([REFUNDS], 1)
        assert (await the_row(desk)).state is State.INITIATED
        gate.set()
        await settled(desk)
        row = await the_row(desk)
    assert (row.state, row.message, row.is_open) == (State.ACCEPTED, SUCCESS, False)
    assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])
    said = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line["handover"], line["reason"]) for line in said] == [
        ("unrecorded", answer.handover_id, "the disk is full")
    ] * fails


async def test_a_failure_that_cannot_be_kept_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    """The model hears why it failed; the row says so as soon as it can be written."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, CREATE, Kind.REFUSED, code=50367)
    gate = asyncio.Event()
    async with faulty_desk(sandbox, tmp_path, gate) as (desk, ledger):
        ledger.strike(passes=1)
        answer = await hand_over(call(conversation), desk)
        assert (answer.outcome, answer.message) == (Outcome.FAILED, SENTENCES.failure)
        assert (await the_row(desk)).state is State.INITIATED
        gate.set()
        await settled(desk)
        row = await the_row(desk)
    assert (row.state, row.outcome, row.is_open) == (State.FAILED, "failed", False)


async def test_tidying_that_cannot_be_kept_is_kept_later(sandbox: Sandbox, tmp_path: Path) -> None:
    """The agent is gone, only the ledger does not know that nothing is owed any more."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    gate = asyncio.Event()
    async with faulty_desk(sandbox, tmp_path, gate) as (desk, ledger):
        ledger.strike(passes=2)
        await hand_over(call(conversation), desk)
        await ledger.struck.wait()
        assert agents(conversation) == []
        assert (await the_row(desk)).duty is Duty.TIDY
        gate.set()
        await settled(desk)
        assert not (await the_row(desk)).is_open


async def test_what_breaks_is_left_to_others(sandbox: Sandbox, tmp_path: Path) -> None:
    """A swap that is stopped in the middle leaves its row in nobody's hand, due now, and the rounds settle it."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    held = arm(sandbox, conversation, CREATE, Kind.SLOW)
    async with open_desk(sandbox, tmp_path) as desk:
        handover = asyncio.create_task(hand_over(call(conversation), desk))
        await held.reached.wait()
        await desk.background.drain(0)
        row = await the_row(desk)
        assert (row.duty, row.owner, row.state) == (Duty.SETTLE, "", State.INITIATED)
        assert desk.owed.is_set()
        held.release()
        with contextlib.suppress(asyncio.CancelledError):
            await handover
        await until(lambda: flows(conversation) == [REFUNDS])
        await settled(desk)
        assert (await the_row(desk)).state is State.ACCEPTED
    assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])


async def test_what_breaks_while_the_ledger_is_gone_is_left_to_its_lease(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nothing more can be done: the row stays in our name until others may take it."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    held = arm(sandbox, conversation, CREATE, Kind.SLOW)
    async with faulty_desk(sandbox, tmp_path, asyncio.Event()) as (desk, ledger):
        handover = asyncio.create_task(hand_over(call(conversation), desk))
        await held.reached.wait()
        ledger.is_gone = True
        await desk.background.drain(0)
        ledger.is_gone = False
        row = await the_row(desk)
        assert (row.owner, row.state) == (ledger.holder.name, State.INITIATED)
        with contextlib.suppress(asyncio.CancelledError):
            await handover
        assert row.lease is not None
        assert isinstance(desk.clock, LeapingClock)
        desk.clock.leap(row.lease)
        await settled(desk)
        assert (await the_row(desk)).state is State.FAILED
    assert len(agents(conversation)) == 1


async def test_a_row_that_another_process_took_over_is_its_own(sandbox: Sandbox, tmp_path: Path) -> None:
    """We were silent for too long: the flow is attached, which is told, and the agent is for the other to let go."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    held = arm(sandbox, conversation, CREATE, Kind.SLOW_AFTER)
    them = Holder("another process")
    async with open_desk(sandbox, tmp_path) as desk:
        handover = asyncio.create_task(hand_over(call(conversation), desk))
        await held.reached.wait()
        row = await the_row(desk)
        taken = row.hold(them, desk.clock.now())
        await desk.ledger.decide(conversation.sid, lambda _rows: (None, (taken,)))
        held.release()
        assert (await handover).outcome is Outcome.HANDED_OVER
        assert await desk.background.drain(5) == 0
        assert (await the_row(desk)) == taken
        assert len(agents(conversation)) == 1
        await desk.ledger.decide(
            conversation.sid, lambda rows: revise(rows, row.id, them, lambda each: each.wait(each.created, 0))
        )
        await settled(desk)
    assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])


async def test_a_step_is_not_taken_again_where_its_duty_is_done(sandbox: Sandbox, tmp_path: Path) -> None:
    """A commit's answer was lost, and what we have in hand since is something else."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path) as desk:
        now = desk.clock.now()
        begun = Row("HO1", conversation.sid, conversation.ref.service, now).owe(Duty.HAND_BACK, now)
        held = begun.hold(desk.ledger.holder, now)
        await desk.ledger.decide(conversation.sid, lambda _rows: (None, (held,)))
        case = Case(held, desk)
        await case.change(lambda row, now: row.close(now), Duty.TIDY)
        assert (await the_row(desk)) == held
        await case.change(lambda row, now: row.close(now), Duty.HAND_BACK)
        assert (await the_row(desk)).is_open is False


async def test_nobody_makes_room_in_a_row_that_another_process_took_over(sandbox: Sandbox, tmp_path: Path) -> None:
    """In a full house the agent's webhook must be noted before it goes; whoever has lost the row notes nothing more."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=FOREIGN[:4])
    held = arm(sandbox, conversation, LIST, Kind.SLOW_AFTER)
    async with open_desk(sandbox, tmp_path) as desk:
        handover = asyncio.create_task(hand_over(call(conversation), desk))
        await held.reached.wait()
        taken = (await the_row(desk)).hold(Holder("another process"), desk.clock.now())
        await desk.ledger.decide(conversation.sid, lambda _rows: (None, (taken,)))
        held.release()
        answer = await handover
        assert (answer.outcome, answer.message) == (Outcome.PENDING, SENTENCES.pending)
        assert "another process has taken this handover over" in answer.detail
        assert await desk.background.drain(5) == 0
        assert (await the_row(desk)) == taken
    assert asked(sandbox, conversation) == [LIST]


@pytest.mark.parametrize(("silence", "is_taken"), [(0, False), (5, False), (5, True), (14, True)])
async def test_nothing_is_written_in_a_row_that_may_be_lost(
    sandbox: Sandbox, tmp_path: Path, silence: float, *, is_taken: bool
) -> None:
    """Who was silent between look and write asks first whose the row is; where it is ours still, its lease is anew."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    held = arm(sandbox, conversation, LIST, Kind.SLOW_AFTER)
    async with open_desk(sandbox, tmp_path) as desk:
        handover = asyncio.create_task(hand_over(call(conversation), desk))
        await held.reached.wait()
        assert isinstance(desk.clock, LeapingClock)
        desk.clock.leap(desk.clock.now() + timedelta(seconds=silence))
        row = await the_row(desk)
        if is_taken:
            row = row.hold(Holder("another process"), desk.clock.now())
            await desk.ledger.decide(conversation.sid, lambda _rows: (None, (row,)))
        second = arm(sandbox, conversation, CREATE, Kind.SLOW)
        held.release()
        if is_taken:
            assert ((await handover).outcome, asked(sandbox, conversation)) == (Outcome.PENDING, [LIST])
            assert await the_row(desk) == row
            return
        await second.reached.wait()
        assert ((await the_row(desk)).lease == row.lease) is (not silence)
        second.release()
        assert (await handover).outcome is Outcome.HANDED_OVER
        await settled(desk)


async def test_a_row_that_was_removed_keeps_nobody(sandbox: Sandbox, tmp_path: Path) -> None:
    """The ledger was emptied in the middle: the flow is attached, which is told, and the log says what is missing."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    held = arm(sandbox, conversation, CREATE, Kind.SLOW_AFTER)
    stream = io.StringIO()
    async with open_desk(sandbox, tmp_path, stream=stream) as desk:
        handover = asyncio.create_task(hand_over(call(conversation), desk))
        await held.reached.wait()
        desk.ledger._rows.clear()  # type: ignore[attr-defined]  # the one in memory
        held.release()
        assert (await handover).outcome is Outcome.HANDED_OVER
        assert await desk.background.drain(5) == 0
    assert "is not in the ledger any more" in stream.getvalue()
    assert (flows(conversation), len(agents(conversation))) == ([REFUNDS], 1)


async def test_a_sentence_is_kept_without_addresses(sandbox: Sandbox, tmp_path: Path) -> None:
    """The model hears the customer's number where the route says so; the ledger does not keep it."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    guard = """
    @hookimpl
    def before_swap(handover):
        return handover.replace(message="We call +1 555 010 0199 back.")
    """
    async with open_desk(sandbox, tmp_path, "plugins: [{use: guard}]\n", plugins={"guard": guard}) as desk:
        answer = await hand_over(call(conversation), desk)
        await settled(desk)
        row = await the_row(desk)
    assert answer.message == "We call +1 555 010 0199 back."
    assert row.message == row.success == "We call +… back."


@pytest.mark.parametrize("webhooks", [(), FOREIGN[:4]], ids=["room", "full house"])
async def test_a_row_tells_what_went(sandbox: Sandbox, tmp_path: Path, webhooks: Sequence[WebhookSpec]) -> None:
    """However the agent went, its row can put it back."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=webhooks)
    async with open_desk(sandbox, tmp_path) as desk:
        await hand_over(call(conversation), desk)
        await settled(desk)
        row = await the_row(desk)
        assert isinstance(desk.clock, LeapingClock)
        assert row.accepted is not None
        assert desk.clock.now() - row.accepted < timedelta(minutes=5)
    assert [webhook.spec.url for webhook in row.journal.removed] == [AGENT_URL]
