"""A random walk through all that can happen to a conversation; whenever the dust settles, the promises are checked."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from router.clock import Clock
from router.errors import LedgerError
from router.hand_back import hand_back, is_paved
from router.handover import hand_over
from router.ledger.memory import MemoryLedger
from router.ledger.row import Duty, State
from router.model.call import Identity, ToolCall
from router.model.routes import HandBack
from router.model.webhook import ROOM
from tests.promise import leaping
from tests.promise.figures import Figures, Violation
from tests.promise.process import Gone, Process
from tests.promise.promises import ALWAYS, TOO_EARLY, Told, lonely, lost_flow, standing, untruth
from tests.promise.scene import AGENT_URL, KINDS, STRANGERS, TOOLS, loaded
from tests.promise.twilio import Twilio
from tests.promise.weather import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from router.ledger.row import Row
    from router.model.outcome import Answer
    from router.model.webhook import ScopedWebhook
    from tests.promise.place import Place, Run
    from tests.promise.steps import Step

LONGEST: Final = 2 * 3600.0
"""Virtual seconds in which all must have settled: what may be another's execution is watched for an hour."""


WITHIN: Final = HandBack().within
"""So long, in seconds, a flow may take to end once it gave its conversation back."""


@dataclass(slots=True)
class Guest:
    """A conversation on the walk: the webhooks of others that must be there, and how far its history was looked at."""

    place: Place
    kind: int
    strangers: tuple[ScopedWebhook, ...]
    checked: int = 0

    @property
    def name(self) -> str:
        return self.place.ref.sid[-2:]


class Walk:
    """One world, and what happens in it."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(f"walk {seed}")
        self.trace: list[str] = []
        self.figures = Figures()
        self._broken: list[BaseException] = []
        self._twilio = Twilio(self._chance, leaping.now, self.note)
        self._shared = MemoryLedger(Clock(now=leaping.now))
        self._all: list[Process] = []
        self._calls: set[asyncio.Task[Any]] = set()
        self._told: list[Told] = []
        self._full_until = 0.0
        self._guests = [self._open(kind) for kind in range(len(KINDS))]
        self._closed: list[Guest] = []

    def note(self, text: str) -> None:
        """Keep the trace."""
        self.trace.append(f"{asyncio.get_running_loop().time():9.3f} {text}")

    async def go(self, steps: Sequence[Step]) -> Figures:
        """Take the steps; raises Violation."""
        self._start()
        try:
            for step in steps:
                self.figures.steps += 1
                if step.name == "settle":
                    await self._settle()
                else:
                    self.note(f"-- {step}")
                    getattr(self, f"_{step.name}")(*step.args)
                    await asyncio.sleep(step.pause)
            await self._settle()
        finally:
            for process in self._all:
                await process.bury()
            for task in self._calls:
                task.cancel()
            await asyncio.gather(*self._calls, return_exceptions=True)
        self.figures.requests = self._twilio.requests
        self.figures.faults = self._twilio.weather.struck
        return self.figures

    def _open(self, kind: int) -> Guest:
        place = self._twilio.open(f"+1555010{kind}{kind}", AGENT_URL, KINDS[kind], is_served=not kind)
        return Guest(place, kind, place.strangers)

    def _living(self) -> list[Process]:
        living = [process for process in self._all if process.takes_calls]
        return living or [self._start()]

    def _start(self) -> Process:
        process = Process(
            f"process {len(self._all)}",
            loaded(),
            self._twilio,
            self._shared,
            self._chance,
            lambda: asyncio.get_running_loop().time() < self._full_until,
            self._broken.append,
        )
        self._all.append(process)
        return process

    def _call(self, where: int, tool: str, token: str = "") -> None:
        place, process = self._guests[where].place, self._chance.choice(self._living())
        self._do(self._ask(place, tool, token, process))

    def _at_once(self, where: int, tool: str, times: int) -> None:
        for _ in range(times):
            self._call(where, tool)

    async def _ask(self, place: Place, tool: str, token: str, process: Process) -> None:
        call = ToolCall(
            tool, "test", place.ref, Identity("whatsapp", place.customer), token=token and place.ref.sid + token
        )
        own = self._twilio.sid("HO")
        begun, before = len(place.history) - 1, asyncio.get_running_loop().time()
        try:
            answer = await process.do(hand_over(call, replace(process.desk, new_id=lambda: own)))
        except Gone:
            return
        now = asyncio.get_running_loop().time()
        self.note(
            f"{place.ref.sid[-2:]} was told {answer.outcome} ({answer.key}; {answer.handover_id[-3:]}) {answer.detail}"
        )
        if now > before + process.desk.deadline + 0.1:
            self._fail(f"an answer took {now - before:.2f} s")
        self.figures.outcomes[answer.outcome] += 1
        seen = tuple(moment.studios for moment in place.history[begun:])
        told = Told(place.ref.sid, TOOLS[tool], answer.outcome, answer.handover_id, seen, bool(token))
        self._told.append(replace(told, is_limited=answer.key == "limit", is_unrecorded=answer.key == "unrecorded"))
        if answer.outcome in ALWAYS and self._is_fresh(answer, own, process):
            self._require(not (taker := lost_flow(answer.flow, place.history)), f"gone when told so, by {taker}", place)

    def _is_fresh(self, answer: Answer, own: str, process: Process) -> bool:
        """Say whether the handover is still in the hand of the process that tells of it."""
        row = self._shared._rows.get(answer.handover_id)
        return row is not None and (row.id == own or (row.owner == process.name and row.duty is Duty.TIDY))

    def _say(self, where: int) -> None:
        self._twilio.say(self._guests[where].place)

    def _back(self, where: int) -> None:
        """A person gives the conversation back."""
        self._do(self._ask_back(self._guests[where].place, ""))

    def _flow_back(self, where: int, ends_after: float | None) -> None:
        """The flow that answers does, and ends (None: never)."""
        place = self._guests[where].place
        for run in place.active:
            if place.at(run.webhook.sid) is not None and run.flow in place.studios:
                self._do(self._ask_back(place, run.sid, partial(self._end_later, place, run, ends_after)))
                return

    def _end_later(self, place: Place, run: Run, seconds: float | None) -> None:
        if seconds is not None:
            asyncio.get_running_loop().call_later(seconds, self._end_if_left, place, run)

    def _end_if_left(self, place: Place, run: Run) -> None:
        """A run ends, unless it alone answers and nobody asked it back: that would be its own choice."""
        is_ours = any(webhook.sid == run.webhook.sid and webhook.spec.flow == run.flow for webhook in place.webhooks)
        known = [row for row in self._rows(place) if row.is_open and row.state is not State.INITIATED]
        ways = [row.way for row in known if row.way is not None]
        if ways or not is_ours or run.asked_back is not None:
            is_early = place.is_closed or not run.is_paved or (ways and not ways[0].is_paved)
            is_late = run.asked_back is not None and asyncio.get_running_loop().time() > run.asked_back + WITHIN
            self._twilio.end(place, run, TOO_EARLY if is_early else f"Studio's removal{', late' if is_late else ''}")

    def _end(self, where: int) -> None:
        """What still runs of a flow that does not answer any more comes to its end."""
        place = self._guests[where].place
        for run in place.active:
            self._end_if_left(place, run)

    async def _ask_back(self, place: Place, execution: str, then: Callable[[], None] = lambda: None) -> None:
        process = self._chance.choice(self._living())
        ledger, clock = process.desk.ledger, process.desk.clock
        try:
            row = await process.do(hand_back(place.ref.sid, ledger, clock, execution))
            self.note(f"{place.ref.sid[-2:]} goes back: {row and (row.id[-3:], row.state, row.duty)}")
            process.desk.owed.set()
            if row and execution:
                is_there = await process.do(is_paved(row, ledger, clock, process.desk.deadline))
                self.note(f"{place.ref.sid[-2:]} is {'' if is_there else 'not yet '}paved")
                run = next(run for run in place.runs if run.sid == execution)
                run.asked_back, run.is_paved = asyncio.get_running_loop().time(), is_there
        except (LedgerError, Gone):
            return
        then()

    def _come(self, where: int, which: int) -> None:
        """Somebody else attaches a webhook; not the fifth, with which nobody could answer."""
        guest = self._guests[where]
        self._check_strangers(guest)
        if len(guest.strangers) < ROOM - 1:
            self._twilio.come(guest.place, STRANGERS[which])
            guest.strangers = guest.place.strangers

    def _go(self, where: int) -> None:
        """Somebody else removes a webhook."""
        guest = self._guests[where]
        self._check_strangers(guest)
        if guest.strangers:
            self._twilio.go(guest.place, self._chance.choice(guest.strangers))
            guest.strangers = guest.place.strangers

    def _close(self, where: int) -> None:
        """The conversation is closed for good, and the customer's next message opens another."""
        guest = self._guests[where]
        self._twilio.close(guest.place)
        self._closed.append(guest)
        self._guests[where] = self._open(guest.kind)

    def _arm(self, verb: str, kind: str, times: int) -> None:
        self._twilio.weather.armed.append((verb, Trouble(kind), times))

    def _storm(self, chance: float) -> None:
        self._twilio.weather.storm = chance

    def _kill(self, which: int) -> None:
        living = self._living()
        living[which % len(living)].kill()
        self.figures.kills += 1

    def _stop(self, which: int) -> None:
        living = self._living()
        process = living[which % len(living)]
        if len(living) == 1:
            self._start()
        self._do(process.stop(self._chance.choice((0.1, 10.0))))
        self.figures.stops += 1

    def _idle(self) -> None:
        """Nothing happens for a while."""

    def _full(self, seconds: float) -> None:
        """The ledger's disk is full."""
        self._full_until = asyncio.get_running_loop().time() + seconds

    def _do(self, work: Any) -> None:
        self._calls.add(asyncio.create_task(work))

    async def _settle(self) -> None:
        """Let all go well again, wait until nothing is owed, and look."""
        self.note("-- settle")
        self.figures.settlings += 1
        loop = asyncio.get_running_loop()
        self._twilio.weather.clear()
        self._full_until = 0.0
        self._living()
        until = loop.time() + LONGEST
        while not self._is_settled():
            owed = [row for row in self._shared._rows.values() if row.is_open]
            self._require(loop.time() < until, f"still owed after {LONGEST} s, {self._twilio.under_way}", rows=owed)
            await asyncio.sleep(2)
            for guest in (*self._guests, *self._closed):
                for run in guest.place.active:
                    self._end_if_left(guest.place, run)
        for task in list(self._calls):
            self._calls.discard(task)
            task.result()
        if self._broken:
            raise self._broken[0]
        for guest in (*self._guests, *self._closed):
            self._check(guest)
        self._told.clear()
        self._closed.clear()

    def _is_settled(self) -> bool:
        is_quiet = all(task.done() for task in self._calls) and not self._twilio.under_way
        return is_quiet and not any(row.is_open for row in self._shared._rows.values())

    def _rows(self, place: Place) -> Sequence[Row]:
        rows = [row for row in self._shared._rows.values() if row.conversation == place.ref.sid]
        return sorted(rows, key=lambda row: (row.created, row.id), reverse=True)

    def _check(self, guest: Guest) -> None:
        """Hold the promises for one conversation; in a closed one nobody need answer."""
        place, rows = guest.place, self._rows(guest.place)
        flow = standing(rows)
        answering = ((flow,), 0) if flow else ((), 1)
        found = f"{place.agents} agents and {place.studios} answer; the ledger says {flow}"
        self._require(place.is_closed or (place.studios, place.agents) == answering, found, place)
        self._check_strangers(guest)
        self._require(place.attributes.get("theirs") == 1, "others' attributes were lost", place)
        self._require(all(row.state is not State.INITIATED for row in rows), "a row has no end", place)
        for told in self._told:
            if told.conversation == place.ref.sid:
                self._require(not (wrong := untruth(told, rows)), wrong, place)
        for gap in lonely(place.history[max(0, guest.checked - 1) :], self.figures.gaps):
            self._fail(f"{guest.name}: {gap}", rows)
        guest.checked = len(place.history)

    def _check_strangers(self, guest: Guest) -> None:
        self._require(guest.place.strangers == guest.strangers, "others' webhooks were touched", guest.place)

    def _require(self, is_so: object, text: str, place: Place | None = None, rows: Sequence[Row] = ()) -> None:
        if not is_so:
            self._fail(f"{place.ref.sid[-2:] if place else ''}: {text}", self._rows(place) if place else rows)

    def _fail(self, text: str, rows: Sequence[Row] = ()) -> None:
        shown = [
            f"{row.id[-3:]} {row.flow[-2:]} {row.state} {row.outcome} duty={row.duty} way={row.way} reason={row.reason}"
            f" doubts={row.journal.doubts} removed={len(row.journal.removed)} accepted={row.accepted}"
            for row in rows
        ]
        raise Violation("\n".join([text, *shown, *self.trace[-120:]]))


def play(seed: int, steps: Sequence[Step]) -> Figures:
    """Play a walk; raises Violation."""

    async def work() -> Figures:
        return await Walk(seed).go(steps)

    result: Figures = leaping.run(work())
    return result
