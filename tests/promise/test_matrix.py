"""Each request to Twilio on each path meets each fault: somebody answers, the sentence is true, and all is settled."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from router.hand_back import hand_back
from router.handover import hand_over
from router.ledger.ledger import Filter
from router.ledger.row import State
from router.model.call import ToolCall
from router.model.outcome import Outcome
from router.rounds import Rounds
from router.sandbox.faults import Fault
from router.twilio.gateway import TwilioGateway
from tests.fixtures import running_sandbox
from tests.kit import AGENT_URL, CUSTOMER, REFUNDS, LeapingClock, arm, flows, foreign, open_desk, witness
from tests.promise.cells import BRIEF, CELLS, END, FAULTS, RUN, RUNS, Cell, is_believed, is_told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from router.desk import Desk
    from router.ledger.row import Row
    from router.model.outcome import Answer
    from router.sandbox.sandbox import Responder, Sandbox
    from router.sandbox.world import Conversation, Execution
    from tests.promise.cells import Path

PLUGIN = """
@hookimpl
async def add_attributes(handover):
    return {"ours": handover.id}
"""
SIDE_BY_SIDE = 4
ROUNDS = 1500
LISTED = tuple(cell for cell in CELLS if cell.request == RUNS)
"""Executions are listed by flow and not by conversation, so each of these cells has a flow of its own."""


def routes() -> str:
    """Write the tools of the matrix."""
    own = "".join(
        f"  /tools/own{number}: {{flow: {_flow(number)}, hand_back: {{within: 5}}}}\n" for number in range(len(LISTED))
    )
    return (
        "  /tools/plain: {flow: refunds, hand_back: {within: 5}}\n"
        "  /tools/ending: {flow: refunds, hand_back: {within: 5, end_execution: true}}\n"
        "  /tools/rich: {flow: refunds, replay: last_message, plugins: {notes: {}}}\n"
        + own
        + "plugins: [{use: notes}]\n"
    )


def _flow(number: int) -> str:
    return f"FW{number + 256:032x}"


@dataclass(slots=True)
class Played:
    """What came of one cell."""

    cell: Cell
    conversation: Conversation
    foreign: Sequence[object]
    seen: list[tuple[Responder, ...]]
    sizes: list[int] = field(default_factory=list)
    answer: Answer | None = None
    told_at: tuple[str, ...] = ()
    run: Execution | None = None
    row: Row | None = None

    def complaints(self) -> list[str]:
        """List what is not as it was promised."""
        row = self.row
        kept = {
            "the webhooks of others are untouched": foreign(self.conversation) == self.foreign,
            "the attributes of others are kept": '"theirs"' in self.conversation.attributes,
            "nothing is owed": row is None or not row.is_open,
            **(self._back() if self.cell.path.is_back else self._handed()),
        }
        return [f"{promise}: {self.seen} {self.answer} {row}" for promise, is_kept in kept.items() if not is_kept]

    def _handed(self) -> dict[str, bool]:
        assert self.answer is not None
        outcome, there = self.answer.outcome, flows(self.conversation)
        at_last, is_full = self.seen[-1], self.cell.path.name == "full-house"
        begun = self.seen[0]
        return {
            "somebody answers at every moment": all(self.seen) or is_full,
            "one responder at the end": len(at_last) == (1 if REFUNDS in there else len(begun)),
            "handed over: the flow was there": outcome != Outcome.HANDED_OVER or REFUNDS in self.told_at,
            "handed over: the flow stays": outcome != Outcome.HANDED_OVER or there == [REFUNDS],
            "failed: all is as it was": outcome != Outcome.FAILED or _kinds(at_last) == _kinds(begun),
            "an outcome that fits": outcome in (Outcome.HANDED_OVER, Outcome.FAILED, Outcome.PENDING),
        }

    def _back(self) -> dict[str, bool]:
        assert self.row is not None
        is_full = self.cell.path.name == "back-full-house"
        return {
            "somebody answers at every moment": all(self.seen) or is_full,
            "the agent alone answers": [each.kind for each in self.seen[-1]] == ["agent"],
            "the row says so": self.row.state is State.COMPLETED,
        }


class Matrix:
    """Plays the cells of one path at the same time, at one desk and one sandbox."""

    def __init__(self, sandbox: Sandbox, desk: Desk, wanted: Sequence[Cell]) -> None:
        self._sandbox = sandbox
        self._desk = desk
        self._wanted: dict[Path, list[Cell]] = defaultdict(list)
        for cell in wanted:
            self._wanted[cell.path].append(cell)
        self._played: dict[Cell, Played] = {}
        self._few = asyncio.Semaphore(SIDE_BY_SIDE)
        self._many = asyncio.Semaphore(10 * SIDE_BY_SIDE)  # more would meet time-outs that nobody has armed

    async def play(self, cell: Cell) -> Played:
        """Give what came of a cell."""
        if cell not in self._played:
            played = await asyncio.gather(*map(self._begin, self._wanted[cell.path]))
            await self._settle(played)
            self._played |= {each.cell: each for each in played}
        return self._played[cell]

    async def _begin(self, cell: Cell) -> Played:
        async with self._many:
            return await self._act(cell)

    async def _act(self, cell: Cell) -> Played:
        path, sandbox = cell.path, self._sandbox
        conversation = sandbox.open_conversation(
            agent_url=AGENT_URL if path.with_agent else None,
            service_url="https://agent.example.com/on-service" if path.on_service else None,
            webhooks=path.webhooks,
        )
        conversation.attributes = '{"theirs": 1}'
        sandbox.world.add_message(conversation, author=conversation.customer.address, body="I want my money back")
        played = Played(cell, conversation, foreign(conversation), witness(sandbox, conversation))
        await (self._give_back if path.is_back else self._hand_over)(played)
        return played

    async def _hand_over(self, played: Played) -> None:
        cell, conversation = played.cell, played.conversation
        arm(self._sandbox, conversation, cell.request, **FAULTS[cell.fault], times=cell.times)
        played.answer = await hand_over(ToolCall(cell.path.tool, "test", conversation.ref, CUSTOMER), self._desk)
        played.told_at = tuple(flows(conversation))

    async def _give_back(self, played: Played) -> None:
        cell, conversation, desk = played.cell, played.conversation, self._desk
        tool = f"/tools/own{LISTED.index(cell)}" if cell in LISTED else cell.path.tool
        async with self._few:  # this one must go right, also on a machine that has other things to do
            answer = await hand_over(ToolCall(tool, "test", conversation.ref, CUSTOMER), desk)
        assert answer.outcome is Outcome.HANDED_OVER
        while len(played.seen[-1]) > 1:
            await asyncio.sleep(0.01)
        if cell.path.has_run:
            self._start_run(played, answer.flow)
        played.seen[:-1] = []
        self._arm(played, answer.flow)
        execution = played.run.sid if played.run and cell.path.names_run else ""
        assert await hand_back(conversation.sid, desk.ledger, desk.clock, execution)

    def _start_run(self, played: Played, flow: str) -> None:
        world, conversation = self._sandbox.world, played.conversation
        if flow not in world.flows:
            world.flows[flow] = replace(world.flows[REFUNDS], sid=flow)
        webhook = conversation.studio_webhooks[0]
        played.run = world.add_execution(world.flows[flow], conversation.customer.address, conversation, webhook)

    def _arm(self, played: Played, flow: str) -> None:
        cell = played.cell
        if cell.request not in (RUN, RUNS, END):
            arm(self._sandbox, played.conversation, cell.request, **FAULTS[cell.fault], times=cell.times)
            return
        assert played.run is not None
        path = f"*/Flows/{flow}/Executions" + ("" if cell.request == RUNS else f"/{played.run.sid}")
        self._sandbox.faults.add(Fault(method=cell.request[0], path=path, times=cell.times, **FAULTS[cell.fault]))

    async def _settle(self, played: Sequence[Played]) -> None:
        """Do what is owed, whenever it is due; a run ends as soon as the agent answers beside it."""
        desk, gateway = self._desk, self._desk.gateway
        assert isinstance(gateway, TwilioGateway)
        assert isinstance(desk.clock, LeapingClock)
        assert await desk.background.drain(20) == 0
        rounds = Rounds(lambda: desk, gateway, timedelta(days=90))
        for _round in range(ROUNDS):
            due = await desk.ledger.next_due()
            if due is None:
                break
            desk.clock.leap(due)
            await asyncio.gather(*(rounds.make() for _ in range(SIDE_BY_SIDE)))
            for each in played:
                if each.run and each.cell.request != END and "agent" in {found.kind for found in each.seen[-1]}:
                    self._sandbox.end(each.run)
        for each in played:
            rows = await desk.ledger.history(Filter(conversation=each.conversation.sid))
            each.row = rows[0] if rows else None
        await desk.ledger.forget(datetime.max.replace(tzinfo=UTC))
        self._sandbox.faults.clear()
        self._sandbox.world.conversations.clear()


@pytest.fixture(scope="module")
async def matrix(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Matrix]:
    """The cells that this run asks for."""
    asked = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    wanted = [params["cell"] for params in asked if isinstance(params.get("cell"), Cell)]
    async with contextlib.AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(running_sandbox())
        desk = await stack.enter_async_context(
            open_desk(sandbox, tmp_path_factory.mktemp("matrix"), routes(), plugins={"notes": PLUGIN}, limits=BRIEF)
        )
        yield Matrix(sandbox, desk, wanted)


@pytest.mark.parametrize("cell", [cell for cell in CELLS if not is_believed(cell)], ids=str)
async def test_a_fault_breaks_no_promise(matrix: Matrix, cell: Cell) -> None:
    """Somebody answers at every moment and one alone at the end, the sentence is true, and others' things are safe."""
    played = await matrix.play(cell)
    assert played.complaints() == []


@pytest.mark.parametrize("cell", [cell for cell in CELLS if is_believed(cell)], ids=str)
async def test_what_twilio_says_for_good_is_believed_and_told(matrix: Matrix, cell: Cell) -> None:
    """Where Twilio says that the conversation or the webhook is gone, nothing more is tried, and the row says why."""
    played = await matrix.play(cell)
    row = played.row
    assert row is not None
    assert not row.is_open
    assert foreign(played.conversation) == played.foreign
    assert (f"code {FAULTS[cell.fault]['code']}" in row.reason) is is_told(cell)


def _kinds(responders: Sequence[Responder]) -> list[tuple[str, str]]:
    return sorted((each.kind, each.name) for each in responders)
