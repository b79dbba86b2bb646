"""A handover turns: who hears of it, when, and how often, whoever brought it there."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from router.errors import LedgerError
from router.hand_back import hand_back
from router.handover import hand_over
from router.ledger.decisions import revise
from router.ledger.ledger import Filter, Holder
from router.ledger.row import Duty, Row, State
from router.line import Line
from router.model.outcome import Answer, Outcome
from router.sandbox.faults import Kind
from tests.faulty import FaultyLedger
from tests.kit import (
    AGENT_URL,
    BILLING,
    CREATE,
    DELETE,
    LIST,
    REFUNDS,
    REHEARSED,
    SUCCESS,
    agents,
    arm,
    call,
    flows,
    make_round,
    open_desk,
    settled,
)
from tests.observers import PLUGINS, entries, heard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from router.desk import Desk
    from router.sandbox.sandbox import Sandbox

NAMES = ("at-once", "later")


def opened(sandbox: Sandbox, directory: Path, **how: Any) -> AbstractAsyncContextManager[Desk]:
    """Open a desk with both observers."""
    routes = entries(directory) + how.pop("routes", "")
    plugins = PLUGINS | how.pop("plugins", {})
    return open_desk(sandbox, directory, routes, plugins=plugins, **how)


def whats(directory: Path, name: str) -> list[tuple[str, str]]:
    return [(each.hook, each.what) for each in heard(directory, name)]


async def rows(desk: Desk) -> Sequence[Row]:
    return await desk.ledger.history(Filter())


async def test_who_answers_at_once_and_who_hears_later(sandbox: Sandbox, tmp_path: Path) -> None:
    """The one hears with the call, as the call was; the other from its row, which knows no address and no input."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with opened(sandbox, tmp_path) as desk:
        answer = await hand_over(replace(call(conversation), body_inputs={"order": "A-17"}), desk)
        assert await desk.background.drain(5) == 0
        assert desk.owed.is_set()
        ((kept,),) = [row.news for row in await rows(desk)]
        assert (kept.plugin, kept.hook, kept.outcome, kept.attempts) == ("later", "after_swap", "handed_over", 0)
        assert heard(tmp_path, "later") == []
        await settled(desk)
        assert [row.news for row in await rows(desk)] == [()]
    (at_once,), (later,) = (heard(tmp_path, name) for name in NAMES)
    assert at_once.identity == "whatsapp:+15550100"
    assert at_once.inputs == {"order": "A-17"}
    assert later == replace(at_once, identity=later.identity, inputs={})
    assert (later.hook, later.handover, later.what) == ("after_swap", answer.handover_id, "handed_over")
    assert later.message == SUCCESS
    assert "5550100" not in later.identity


async def test_a_failure_is_told_in_the_words_that_ended_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """The one gets the error itself, the other its class and its text, bounded and without an address."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, CREATE, Kind.REFUSED, status=400, code=50366)
    async with opened(sandbox, tmp_path) as desk:
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.FAILED
        await settled(desk)
    (at_once,), (later,) = (heard(tmp_path, name) for name in NAMES)
    assert at_once.hook == later.hook == "swap_failed"
    assert at_once.what.startswith("TwilioRefused: ")
    assert later.what == at_once.what


@pytest.mark.parametrize(
    ("guard", "line"),
    [("raise Decline('Not now.')", Line()), ("return None", Line(places=0))],
    ids=["declined", "never began"],
)
async def test_what_did_not_fail_is_nobodys_news(sandbox: Sandbox, tmp_path: Path, guard: str, line: Line) -> None:
    """A guard's word is no failure, and a call that found no place did not begin."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    source = f"""
    @hookimpl
    def before_swap(handover):
        {guard}
    """
    routes = entries(tmp_path).replace("plugins: [", "plugins: [{use: guard}, ")
    async with open_desk(
        sandbox, tmp_path, routes, plugins={**PLUGINS, "guard": source}, line=line, deadline=0.05
    ) as desk:
        await hand_over(call(conversation), desk)
        await settled(desk)
        (row,) = await rows(desk)
        assert (row.state, row.news) == (State.FAILED, ())
    assert [heard(tmp_path, name) for name in NAMES] == [[], []]


async def test_a_dry_run_is_nobodys_news(sandbox: Sandbox, tmp_path: Path) -> None:
    """It changes nothing, and the ledger keeps nothing of it."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with opened(sandbox, tmp_path) as desk:
        assert (await hand_over(call(conversation, REHEARSED), desk)).outcome is Outcome.DRY_RUN
        await settled(desk)
    assert [heard(tmp_path, name) for name in NAMES] == [[], []]


async def test_a_repair_that_tidies_tells_nobody_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """The call has told already: that the agent goes later is no turn."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, DELETE, Kind.REFUSED, times=3, status=401, code=20003)
    async with opened(sandbox, tmp_path) as desk:
        await hand_over(call(conversation), desk)
        assert await desk.background.drain(5) == 0
        assert len(agents(conversation)) == 1
        await settled(desk)
    assert agents(conversation) == []
    assert [whats(tmp_path, name) for name in NAMES] == [[("after_swap", "handed_over")]] * 2


async def pending(sandbox: Sandbox, desk: Desk) -> tuple[Any, Answer]:
    """Make a call whose end nobody knows: the flow's create and the look after it had no answer."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, CREATE, Kind.CUT_BEFORE, times=1)
    arm(sandbox, conversation, LIST, Kind.REFUSED, skip=1, times=1, status=401, code=20003)
    answer = await hand_over(call(conversation), desk)
    assert await desk.background.drain(5) == 0
    assert answer.outcome is Outcome.PENDING
    return conversation, answer


async def test_a_repair_that_finishes_a_handover_tells_of_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nobody was told by the call, as nobody knew; when it is true both hear, without the customer's address."""
    async with opened(sandbox, tmp_path) as desk:
        conversation, answer = await pending(sandbox, desk)
        assert [heard(tmp_path, name) for name in NAMES] == [[], []]
        await settled(desk)
    assert flows(conversation) == [REFUNDS]
    (at_once,), (later,) = (heard(tmp_path, name) for name in NAMES)
    assert at_once == later
    assert (later.hook, later.what, later.handover) == ("after_swap", "handed_over", answer.handover_id)
    assert "5550100" not in later.identity


async def test_a_repair_that_finds_nothing_tells_of_a_failure(sandbox: Sandbox, tmp_path: Path) -> None:
    """After the last look it is certain that nothing came of it, and both hear so, once."""
    async with opened(sandbox, tmp_path) as desk:
        conversation, answer = await pending(sandbox, desk)
        (row,) = await rows(desk)
        await desk.ledger.decide(conversation.sid, lambda _rows: (None, (row.change(duty=Duty.SETTLE),)))
        await settled(desk)
    for name in NAMES:
        (each,) = heard(tmp_path, name)
        assert each.handover == answer.handover_id
        assert (each.hook, each.what) == ("swap_failed", "NotAttached: nothing was attached, and nothing is owed")


async def test_a_conversation_that_is_gone_is_told_as_a_failure(sandbox: Sandbox, tmp_path: Path) -> None:
    """Where Twilio says for good that nothing can be changed, that is the error."""
    async with opened(sandbox, tmp_path) as desk:
        conversation, _ = await pending(sandbox, desk)
        del sandbox.world.conversations[conversation.sid]
        await settled(desk)
    for name in NAMES:
        (each,) = heard(tmp_path, name)
        assert each.hook == "swap_failed"
        assert each.what.startswith("TwilioRefused: ")


async def test_the_way_back_is_told_when_the_agent_answers(sandbox: Sandbox, tmp_path: Path) -> None:
    """Once, although the conversation is looked at again; by the plugins of the handover's own route."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with opened(sandbox, tmp_path) as desk:
        answer = await hand_over(call(conversation), desk)
        await settled(desk)
        await hand_back(conversation.sid, desk.ledger, desk.clock)
        while (await rows(desk))[0].state is not State.COMPLETED:
            assert await make_round(desk)
        assert len(agents(conversation)) == 1
        assert whats(tmp_path, "at-once")[-1] == ("after_hand_back", "")
        await settled(desk)
    for name in NAMES:
        assert whats(tmp_path, name) == [("after_swap", "handed_over"), ("after_hand_back", "")]
        assert heard(tmp_path, name)[-1].handover == answer.handover_id


async def test_a_handover_that_was_taken_over_is_told_as_failed(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nobody knew its end, and another call came: that one's success is the other one's failure, and both are told."""
    routes = f"  /tools/other: {{flow: {BILLING}}}\n"
    async with open_desk(sandbox, tmp_path, routes + entries(tmp_path), plugins=PLUGINS) as desk:
        conversation, first = await pending(sandbox, desk)
        second = await hand_over(call(conversation, "/tools/other"), desk)
        assert second.outcome is Outcome.HANDED_OVER
        await settled(desk)
    for name in NAMES:
        told = {each.handover: (each.hook, each.what) for each in heard(tmp_path, name)}
        assert len(heard(tmp_path, name)) == 2
        assert told == {
            second.handover_id: ("after_swap", "handed_over"),
            first.handover_id: ("swap_failed", f"NotAttached: superseded by {second.handover_id}"),
        }


async def test_a_handover_that_was_seen_attached_is_told_as_one(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nobody could say so at its end; the call that took it over saw its flow, so it had come about, and is told so."""
    routes = f"  /tools/other: {{flow: {BILLING}}}\n"
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path, routes + entries(tmp_path), plugins=PLUGINS) as desk:
        arm(sandbox, conversation, CREATE, Kind.CUT_AFTER, times=1)
        arm(sandbox, conversation, LIST, Kind.REFUSED, skip=1, times=1, status=401, code=20003)
        first = await hand_over(call(conversation), desk)
        assert first.outcome is Outcome.PENDING
        assert await desk.background.drain(5) == 0
        second = await hand_over(call(conversation, "/tools/other"), desk)
        assert second.outcome is Outcome.HANDED_OVER
        await settled(desk)
    assert flows(conversation) == [BILLING]
    for name in NAMES:
        told = {each.handover: (each.hook, each.what) for each in heard(tmp_path, name)}
        assert len(heard(tmp_path, name)) == 2
        assert told == dict.fromkeys((first.handover_id, second.handover_id), ("after_swap", "handed_over"))


async def test_who_lost_the_row_tells_nobody(sandbox: Sandbox, tmp_path: Path) -> None:
    """We were silent for too long: the process that has the row brings it to its end, and tells of it, once."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    held = arm(sandbox, conversation, CREATE, Kind.SLOW_AFTER)
    them = Holder("another process")
    async with opened(sandbox, tmp_path) as desk:
        handover = asyncio.create_task(hand_over(call(conversation), desk))
        await held.reached.wait()
        (row,) = await rows(desk)
        await desk.ledger.decide(conversation.sid, lambda _rows: (None, (row.hold(them, desk.clock.now()),)))
        held.release()
        assert (await handover).outcome is Outcome.HANDED_OVER
        assert await desk.background.drain(5) == 0
        assert [heard(tmp_path, name) for name in NAMES] == [[], []]
        freed: Callable[[Sequence[Row]], tuple[Row, Sequence[Row]]] = partial(
            revise, row_id=row.id, holder=them, change=lambda each: each.wait(each.created, 0)
        )
        await desk.ledger.decide(conversation.sid, freed)
        await settled(desk)
    assert [whats(tmp_path, name) for name in NAMES] == [[("after_swap", "handed_over")]] * 2


async def test_a_turn_whose_row_was_removed_is_told_all_the_same(sandbox: Sandbox, tmp_path: Path) -> None:
    """The ledger was emptied in the middle: who hears at once does; for the other there is nothing to keep it in."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    held = arm(sandbox, conversation, CREATE, Kind.SLOW_AFTER)
    async with opened(sandbox, tmp_path) as desk:
        handover = asyncio.create_task(hand_over(call(conversation), desk))
        await held.reached.wait()
        desk.ledger._rows.clear()  # type: ignore[attr-defined]  # the one in memory
        held.release()
        assert (await handover).outcome is Outcome.HANDED_OVER
        await settled(desk)
    assert [whats(tmp_path, name) for name in NAMES] == [[("after_swap", "handed_over")], []]


class Forgetful(FaultyLedger):
    """A ledger that keeps what was decided, and then cannot say so."""

    loses = 0

    async def decide(self, conversation: str, decision: Any) -> Any:
        result = await super().decide(conversation, decision)
        turned = any(row.state is State.ACCEPTED for row in self._rows.values())
        if turned and self.loses:
            self.loses -= 1
            raise LedgerError("the server has closed the connection")
        return result


async def test_a_commit_whose_answer_was_lost_is_told_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """It is decided once more, and what is known by then is not known twice."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with opened(sandbox, tmp_path) as opened_desk:
        ledger = Forgetful(opened_desk.clock)
        ledger.loses = 2
        desk = replace(opened_desk, ledger=ledger)
        await hand_over(call(conversation), desk)
        await settled(desk)
        assert ledger.loses == 0
    assert [whats(tmp_path, name) for name in NAMES] == [[("after_swap", "handed_over")]] * 2


async def test_without_anybody_in_the_background_a_call_costs_the_same(sandbox: Sandbox, tmp_path: Path) -> None:
    """As many decisions as with nobody at all: what is kept for the background is kept with what is kept anyway."""
    counts = []
    for routes in ("", entries(tmp_path)):
        conversation = sandbox.open_conversation(agent_url=AGENT_URL)
        async with open_desk(sandbox, tmp_path, routes, plugins=PLUGINS) as opened_desk:
            ledger = Counting(opened_desk.clock)
            desk = replace(opened_desk, ledger=ledger)
            await hand_over(call(conversation), desk)
            assert await desk.background.drain(5) == 0
            counts.append(ledger.count)
    assert counts[0] == counts[1]


class Counting(FaultyLedger):
    count = 0

    async def decide(self, conversation: str, decision: Any) -> Any:
        self.count += 1
        return await super().decide(conversation, decision)


async def test_news_stand_in_the_decision_that_makes_the_turn(sandbox: Sandbox, tmp_path: Path) -> None:
    """There is no moment at which a handover is kept as accepted, and its news are not: a crash loses neither."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    seen: list[tuple[State, int]] = []

    class Watched(FaultyLedger):
        async def decide(self, conversation: str, decision: Any) -> Any:
            result = await super().decide(conversation, decision)
            seen.extend((row.state, len(row.news)) for row in self._rows.values())
            return result

    async with opened(sandbox, tmp_path) as opened_desk:
        desk = replace(opened_desk, ledger=Watched(opened_desk.clock))
        await hand_over(call(conversation), desk)
        assert await desk.background.drain(5) == 0
    assert set(seen) == {(State.INITIATED, 0), (State.ACCEPTED, 1)}
