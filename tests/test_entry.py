"""The way in: who gets a row of its own, who waits, and who is told what was told before."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from router.entry import wish_of
from router.handover import hand_over
from router.ledger.decisions import revise
from router.ledger.ledger import Filter, Holder
from router.ledger.memory import MemoryLedger
from router.ledger.row import Duty, State
from router.model.messages import Messages
from router.model.outcome import Outcome
from router.resolution import Resolved, resolve
from router.sandbox.faults import Kind
from tests.faulty import FaultyLedger
from tests.kit import (
    AGENT_URL,
    CREATE,
    CUSTOMER,
    DELETE,
    LIST,
    REFUNDS,
    REHEARSED,
    REPLAYING,
    SUCCESS,
    LeapingClock,
    agents,
    arm,
    asked,
    call,
    flows,
    open_desk,
    settled,
    writes,
)

if TYPE_CHECKING:
    from pathlib import Path

    from router.desk import Desk
    from router.ledger.row import Row
    from router.sandbox.sandbox import Sandbox
    from router.sandbox.world import Conversation

SENTENCES = Messages()
FEW = "defaults: {limits: {handovers_per_hour: 1}}"


def leap(desk: Desk, seconds: float) -> None:
    assert isinstance(desk.clock, LeapingClock)
    desk.clock.leap(desk.clock.now() + timedelta(seconds=seconds))


async def rows(desk: Desk) -> list[Row]:
    return list(await desk.ledger.history(Filter()))


async def test_a_row_says_who_asked_for_what(sandbox: Sandbox, tmp_path: Path) -> None:
    """The customer's address only by its ends, and the caller's token only as a digest."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path) as desk:
        asking = replace(call(conversation), token="idempotent-77")
        await hand_over(asking, desk)
        await settled(desk)
        (row,) = await rows(desk)
    assert (row.conversation, row.service, row.tool, row.flow) == (
        conversation.sid,
        conversation.service.sid,
        "/tools/support",
        REFUNDS,
    )
    assert (row.identity, row.caller) == ("whatsapp:+1…00", "ai_assistants")
    assert (row.state, row.outcome, row.message) == (State.ACCEPTED, "handed_over", SUCCESS)
    assert (len(row.key), len(row.token)) == (32, 32)
    assert row.key != row.token
    for hidden in (CUSTOMER.value, "idempotent-77"):
        assert hidden not in repr(row)


async def test_what_another_call_asks_for_has_another_key(sandbox: Sandbox, tmp_path: Path) -> None:
    """Tool and flow make the key; identity and inputs do not; without a token there is none."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path) as desk:
        found = [
            resolve(asking, desk.routes, "HO1", desk.clock.now())
            for asking in (call(conversation), call(conversation, REPLAYING), call(conversation, identity=None))
        ]
    wishes = [wish_of(call(conversation), each) for each in found if isinstance(each, Resolved)]
    assert [wishes[0].key == wish.key for wish in wishes] == [True, False, True]
    assert [(wish.token, wish.identity) for wish in wishes] == [
        ("", "whatsapp:+1…00"),
        ("", "whatsapp:+1…00"),
        ("", ""),
    ]


@pytest.mark.parametrize("durable", [False, True])
async def test_a_hundred_calls_are_one(sandbox: Sandbox, tmp_path: Path, *, durable: bool) -> None:
    """At the same time: one row, one webhook, and the same sentence about the same handover to all."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path, durable=durable) as desk:
        answers = await asyncio.gather(*(hand_over(call(conversation), desk) for _ in range(100)))
        await settled(desk)
        assert len(await rows(desk)) == 1
    assert len({(answer.outcome, answer.message, answer.handover_id) for answer in answers}) == 1
    assert writes(sandbox, conversation) == [CREATE, DELETE]


async def test_calls_at_the_same_time_fail_together(sandbox: Sandbox, tmp_path: Path) -> None:
    """Twilio refused, and all who waited are told so; a later call is another try."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    refused = arm(sandbox, conversation, LIST, Kind.SLOW)
    arm(sandbox, conversation, CREATE, Kind.REFUSED, code=50367)
    async with open_desk(sandbox, tmp_path) as desk:
        calls = [asyncio.create_task(hand_over(call(conversation), desk)) for _ in range(3)]
        await refused.reached.wait()
        await asyncio.sleep(0.02)
        refused.release()
        answers = await asyncio.gather(*calls)
        assert {(answer.outcome, answer.handover_id) for answer in answers} == {
            (Outcome.FAILED, answers[0].handover_id)
        }
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.HANDED_OVER
        await settled(desk)


async def test_a_repeat_within_the_window_asks_twilio_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """Is the flow still there? Then the same sentence is true again, and nothing is written."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path) as desk:
        first = await hand_over(call(conversation), desk)
        await settled(desk)
        second = await hand_over(call(conversation), desk)
        assert len(await rows(desk)) == 1
    assert (second.outcome, second.message, second.handover_id) == (
        Outcome.ALREADY_HANDED_OVER,
        SUCCESS,
        first.handover_id,
    )
    assert asked(sandbox, conversation) == [LIST, CREATE, DELETE, LIST]


async def test_a_repeat_whose_flow_has_ended_is_another_handover(sandbox: Sandbox, tmp_path: Path) -> None:
    """The sentence would not be true: the conversation is handed over anew."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path) as desk:
        first = await hand_over(call(conversation), desk)
        await settled(desk)
        conversation.webhooks.clear()
        second = await hand_over(call(conversation), desk)
        await settled(desk)
    assert (second.outcome, second.message) == (Outcome.HANDED_OVER, SUCCESS)
    assert second.handover_id != first.handover_id
    assert flows(conversation) == [REFUNDS]


async def test_a_repeat_that_cannot_be_confirmed_is_looked_into(sandbox: Sandbox, tmp_path: Path) -> None:
    """Twilio does not say whether the flow is there; the handover that follows finds it."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path) as desk:
        await hand_over(call(conversation), desk)
        await settled(desk)
        arm(sandbox, conversation, LIST, Kind.REFUSED, status=401, code=20003)
        second = await hand_over(call(conversation), desk)
        await settled(desk)
    assert (second.outcome, second.message) == (Outcome.ALREADY_HANDED_OVER, SENTENCES.already)
    assert flows(conversation) == [REFUNDS]


async def test_after_the_window_a_call_is_another_one(sandbox: Sandbox, tmp_path: Path) -> None:
    """It looks for itself, and finds the flow there."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path) as desk:
        first = await hand_over(call(conversation), desk)
        await settled(desk)
        leap(desk, 61)
        second = await hand_over(call(conversation), desk)
        await settled(desk)
    assert (second.outcome, second.message) == (Outcome.ALREADY_HANDED_OVER, SENTENCES.already)
    assert second.handover_id != first.handover_id


async def test_a_request_that_is_repeated_is_told_the_same_without_a_question(sandbox: Sandbox, tmp_path: Path) -> None:
    """The same token after the window: the same request, the same outcome, and Twilio is not asked."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    asking = replace(call(conversation), token="once")
    async with open_desk(sandbox, tmp_path) as desk:
        first = await hand_over(asking, desk)
        await settled(desk)
        leap(desk, 600)
        before = asked(sandbox, conversation)
        assert await hand_over(asking, desk) == replace(first, key="")
    assert asked(sandbox, conversation) == before


async def test_an_agent_that_goes_round_in_circles_is_stopped(sandbox: Sandbox, tmp_path: Path) -> None:
    """After as many handovers as its route allows an hour: a sentence of its own, a row, and nothing at Twilio."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path, FEW) as desk:
        await hand_over(call(conversation), desk)
        await settled(desk)
        leap(desk, 61)
        before = asked(sandbox, conversation)
        answer = await hand_over(call(conversation), desk)
        assert (answer.outcome, answer.message, answer.key) == (Outcome.DECLINED, SENTENCES.limit, "limit")
        assert asked(sandbox, conversation) == before
        refused = (await rows(desk))[0]
        assert (refused.id, refused.state, refused.outcome) == (answer.handover_id, State.FAILED, "declined")
        leap(desk, 3600)
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.ALREADY_HANDED_OVER
        await settled(desk)


async def begin_elsewhere(conversation: Conversation, desk: Desk) -> None:
    """Let another process have the conversation in hand: with this very call, and nobody was told anything."""
    found = resolve(call(conversation), desk.routes, "HO" + "e" * 32, desk.clock.now())
    assert isinstance(found, Resolved)
    row = wish_of(call(conversation), found).owe(Duty.SETTLE, desk.clock.now())
    theirs = row.hold(Holder("another process"), desk.clock.now())
    await desk.ledger.decide(conversation.sid, lambda _rows: (None, (theirs,)))


async def test_who_waits_for_another_process_is_told_in_time(sandbox: Sandbox, tmp_path: Path) -> None:
    """It has the conversation in hand: ``pending`` is true, whichever way that ends."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path, deadline=0.1) as desk:
        await begin_elsewhere(conversation, desk)
        answer = await hand_over(call(conversation), desk)
        assert (answer.outcome, answer.message) == (Outcome.PENDING, SENTENCES.pending)
        await desk.ledger.decide(
            conversation.sid,
            lambda found: revise(
                found, "HO" + "e" * 32, Holder("another process"), lambda row: row.wait(row.created, 0)
            ),
        )
        await settled(desk)
    assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])


async def test_the_row_of_a_process_that_died_is_gone_on_with(sandbox: Sandbox, tmp_path: Path) -> None:
    """The same call after its lease: the handover keeps its name, and there is one."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path) as desk:
        await begin_elsewhere(conversation, desk)
        leap(desk, 11)
        answer = await hand_over(call(conversation), desk)
        await settled(desk)
        assert len(await rows(desk)) == 1
    assert (answer.outcome, answer.handover_id) == (Outcome.HANDED_OVER, "HO" + "e" * 32)
    assert flows(conversation) == [REFUNDS]


@pytest.mark.parametrize("request_", [LIST, CREATE], ids=["look", "create"])
async def test_the_row_of_a_process_that_died_cannot_just_fail(
    sandbox: Sandbox, tmp_path: Path, request_: tuple[str, str]
) -> None:
    """A request of the dead process may still take effect, so a failure now is told as not confirmed, and seen to."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path) as desk:
        await begin_elsewhere(conversation, desk)
        leap(desk, 11)
        arm(sandbox, conversation, request_, Kind.REFUSED, status=401, code=20003)
        answer = await hand_over(call(conversation), desk)
        assert (answer.outcome, answer.handover_id) == (Outcome.PENDING, "HO" + "e" * 32)
        await settled(desk)
    assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])


async def test_a_ledger_that_does_not_work_lets_nobody_in(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nothing is changed at Twilio without a row: the sentence says that it did not work, and another try may."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path) as opened:
        ledger = FaultyLedger(opened.clock)
        ledger.strike()
        desk = replace(opened, ledger=ledger)
        answer = await hand_over(call(conversation), desk)
        assert (answer.outcome, answer.message, answer.key) == (Outcome.FAILED, SENTENCES.unrecorded, "unrecorded")
        assert answer.detail == "the disk is full"
        assert asked(sandbox, conversation) == []
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.HANDED_OVER
        await settled(desk)


async def test_a_dry_run_leaves_no_row(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nothing happened, so nothing is recorded, and a real call after it is no repeat."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path) as desk:
        assert isinstance(desk.rehearsing().ledger, MemoryLedger)
        for _ in range(2):
            assert (await hand_over(call(conversation, REHEARSED), desk)).outcome is Outcome.DRY_RUN
        assert await rows(desk) == []


async def test_a_row_names_twilios_requests(sandbox: Sandbox, tmp_path: Path) -> None:
    """Of the call and of what was repaired after it, in their order."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, DELETE, Kind.REFUSED, status=401, code=20003)
    stream = io.StringIO()
    async with open_desk(sandbox, tmp_path, stream=stream) as desk:
        await hand_over(call(conversation), desk)
        await settled(desk)
        (row,) = await rows(desk)
    assert list(row.requests) == [entry.request_id for entry in sandbox.requests]
    assert len(row.requests) == 5
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["repair"]
