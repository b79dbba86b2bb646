"""Real servers under siege: random calls, faults and kill -9 from without; after each burst all must settle."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from router.aftercare import WATCH
from router.clock import Clock
from router.ledger.durable import DurableLedger
from router.ledger.ledger import Filter
from router.ledger.owner import this_process
from router.ledger.row import LOOKS, State
from router.model.messages import Messages
from router.sandbox.faults import Fault, Kind
from router.sandbox.flows import shipped_flows
from router.sandbox.sandbox import Sandbox
from tests.kit import CREATE, DELETE, FETCH, LIST, NEWEST, REDIRECT, WRITE
from tests.promise.besieged import Caused, Guest, Machine
from tests.promise.figures import Figures
from tests.promise.processes import environ_of, furnish
from tests.promise.promises import Told, lonely, standing, untruth
from tests.promise.scene import BILLING, REFUNDS

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from pathlib import Path

    from router.ledger.row import Row
    from tests.promise.processes import Server

PUBLIC: Final = "handover.example.com"
TOOLS: Final = {"/tools/refunds": REFUNDS, "/tools/billing": BILLING}
ROUTES: Final = f"""
version: 1
flows: {{refunds: {REFUNDS}, billing: {BILLING}}}
auth: [twilio_signature, secret: a-secret-of-the-tests]
assistant_webhooks: ["https://*.twil.io/channels/conversations/messageAdded*"]
defaults: {{limits: {{handovers_per_hour: 100}}}}
plugins: [use: conversation-attributes]
tools:
  /tools/refunds: {{flow: refunds, replay: last_message, hand_back: {{within: 5}}}}
  /tools/billing: {{flow: billing, hand_back: {{within: 3, end_execution: true}}}}
"""
WEIGHTS: Final = {"call": 16, "at_once": 4, "say": 8, "back": 3, "fault": 14, "kill": 2, "stop": 1, "end": 1}
WHERE: Final = (LIST, CREATE, CREATE, DELETE, DELETE, REDIRECT, FETCH, WRITE, NEWEST)
REFUSALS: Final = ((401, 20003), (409, 50391))
GUESTS: Final = 6
ROUND: Final = 20
"""After so many bursts there are new conversations."""

AMPLE: Final = 15.0
"""Seconds in which what a look finds is put right, on a machine with much to do."""

LONGEST: Final = max(LOOKS[-1], WATCH) + AMPLE
"""Seconds in which one answers once all goes well again: what turns up right after a look waits for the next."""

LAST: Final = 2 * sum(LOOKS) + AMPLE
"""Seconds after which nothing is owed any more: a flow is looked for, and then, as often, an agent that was away."""

TARDY: Final = 2.0
"""Seconds that an answer may take longer than the deadline, on a machine that has much to do."""

DEADLINE: Final = 4.5


class Siege:
    """One world, its servers, and what befalls them."""

    def __init__(self, seed: int, sandbox: Sandbox, machines: Sequence[Machine], ledger: DurableLedger) -> None:
        self._chance = random.Random(seed)
        self._sandbox = sandbox
        self._machines = machines
        self._ledger = ledger
        self.figures = Figures()
        self.violations: list[str] = []
        self.slowest = 0.0
        self._guests: list[Guest] = []
        self._told: list[Told] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._count = 100

    async def go(self, minutes: float) -> None:
        """Go on for so long, and then until nothing is owed."""
        until = time.monotonic() + minutes * 60
        await self._start()
        while time.monotonic() < until:
            if self.figures.settlings % ROUND == 0:
                self._guests = [self._arrive() for _ in range(GUESTS)]
            for _ in range(self._chance.randrange(4, 20)):
                self.figures.steps += 1
                name = self._chance.choices([*WEIGHTS], [*WEIGHTS.values()])[0]
                while not self._welcome():
                    await asyncio.sleep(0.05)
                await getattr(self, f"_{name}")(self._chance.choice(self._guests))
                await asyncio.sleep(self._chance.choice((0.0, 0.0, 0.02, 0.1, 0.3)))
            await self._settle(LONGEST)
        await self._settle(LAST, is_last=True)
        self.figures.requests = len(self._sandbox.requests)
        for machine in self._machines:
            await machine.kill()

    def _arrive(self) -> Guest:
        self._count = self._count % 899 + 101
        return Guest.at(self._sandbox, self._count)

    async def _start(self) -> None:
        await asyncio.gather(*(machine.start() for machine in self._machines))
        self._welcome()

    def _welcome(self) -> Machine | None:
        """Choose a machine that runs; it is also the one that flows reach from now on."""
        running = [machine for machine in self._machines if machine.server]
        machine = self._chance.choice(running) if running else None
        if machine and machine.server:
            self._sandbox.hosts[PUBLIC] = machine.server.url
        return machine

    async def _call(self, guest: Guest) -> None:
        self._ask(guest, self._chance.choice([*TOOLS]), self._chance.choice(("", "", "t1", "t2")))

    async def _at_once(self, guest: Guest) -> None:
        tool = self._chance.choice([*TOOLS])
        for _ in range(self._chance.randrange(2, 6)):
            self._ask(guest, tool)

    def _ask(self, guest: Guest, tool: str, token: str = "") -> None:
        if (machine := self._welcome()) and machine.server:
            self._take(machine, self._hear(guest, tool, token, machine, machine.server))

    def _take(self, machine: Machine, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        machine.calls.add(task)
        task.add_done_callback(machine.calls.discard)
        self._do(task)

    def _do(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)

    async def _hear(self, guest: Guest, tool: str, token: str, machine: Machine, server: Server) -> None:
        begun = len(guest.history) - 1
        try:
            told = await server.call(guest.conversation, tool, token and guest.conversation.sid + token)
        except (aiohttp.ClientError, TimeoutError) as error:
            if machine.server is server:
                self._fail(guest, f"no answer, although it lives: {error!r}")
            return
        self.figures.outcomes[told.outcome or str(told.status)] += 1
        self.slowest = max(self.slowest, told.seconds)
        if told.seconds > DEADLINE + TARDY:
            self._fail(guest, f"an answer took {told.seconds:.1f} s")
        seen = tuple(moment.studios for moment in guest.history[begun:])
        flow, is_unrecorded = TOOLS[tool], told.message == Messages().unrecorded
        sid = guest.conversation.sid
        self._told.append(
            Told(sid, flow, told.outcome, told.handover_id, seen, bool(token), is_unrecorded=is_unrecorded)
        )

    async def _say(self, guest: Guest) -> None:
        self._do(asyncio.create_task(self._speak(guest)))

    async def _speak(self, guest: Guest) -> None:
        await self._sandbox.customer_says(guest.conversation, "My lamp is broken")

    async def _back(self, guest: Guest) -> None:
        """A person gives the conversation back; flows do it of themselves."""
        if (machine := self._welcome()) and machine.server:
            self._take(machine, self._give_back(guest, machine.server))

    async def _give_back(self, guest: Guest, server: Server) -> None:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            await server.hand_back(guest.conversation)

    async def _end(self, guest: Guest) -> None:
        """What still runs of a flow that does not answer any more comes to its end."""
        guest.end_runs(await self._rows(guest))

    async def _fault(self, guest: Guest) -> None:
        choose = self._chance.choice
        method, rest = choose(WHERE)
        where = choose(("*", "*", guest.conversation.sid))
        status, code = choose(REFUSALS)
        self._sandbox.faults.add(
            Fault(
                choose([*Kind]),
                method=method,
                path=f"*/Conversations/{where}{rest}",
                times=choose((1, 1, 2, 5)),
                retry_after=choose((None, 0.2, 60.0)),
                delay=choose((0.3, 1.0, 3.0, 10.0)),
                status=status,
                code=code,
            )
        )

    async def _kill(self, _guest: Guest) -> None:
        if machine := self._welcome():
            self.figures.kills += 1
            await machine.kill()
            self._do(asyncio.create_task(self._raise(machine)))

    async def _stop(self, guest: Guest) -> None:
        if machine := self._welcome():
            self.figures.stops += 1
            code = await machine.stop()
            if code:
                self._fail(guest, f"SIGTERM ended with {code}")
            self._do(asyncio.create_task(self._raise(machine)))

    async def _raise(self, machine: Machine) -> None:
        await asyncio.sleep(self._chance.choice((0.0, 0.0, 1.0)))
        await machine.start()

    async def _settle(self, longest: float, *, is_last: bool = False) -> None:
        """Let all go well again, wait until one answers as the ledger says, and look."""
        self.figures.settlings += 1
        for armed in self._sandbox.faults.armed:
            self.figures.faults += Counter({str(armed.fault.kind): armed.hits})
        self._sandbox.faults.clear()
        await asyncio.gather(*self._tasks)
        self._tasks.clear()
        await self._start()
        until = time.monotonic() + longest
        while waiting := [guest for guest in self._guests if not await self._is_settled(guest, is_last=is_last)]:
            if time.monotonic() > until:
                for guest in waiting:
                    self._fail(guest, f"not settled after {longest:g} s", await self._rows(guest))
                break
            await asyncio.sleep(0.25)
        for guest in self._guests:
            self._check(guest, await self._rows(guest))
        self._told.clear()

    async def _is_settled(self, guest: Guest, *, is_last: bool) -> bool:
        """Say whether all is as it should be, and nothing but precautions are left; at the last not even those.

        That an execution is looked after, which goes on since its flow answers, is no more than a precaution ever.
        """
        rows = await self._rows(guest)
        guest.end_runs(rows)
        owing = [row for row in rows if row.is_open and not row.journal.runs]
        left = [row for row in owing if is_last or not (row.looks or row.state is State.COMPLETED)]
        return not left and guest.is_right(rows)

    async def _rows(self, guest: Guest) -> Sequence[Row]:
        return await self._ledger.history(Filter(conversation=guest.conversation.sid, limit=10_000))

    def _check(self, guest: Guest, rows: Sequence[Row]) -> None:
        for told in self._told:
            if told.conversation == guest.conversation.sid and (wrong := untruth(told, rows)):
                self._fail(guest, f"{wrong}: {told}", rows)
        for gap in lonely(guest.history[max(0, guest.checked - 1) :], self.figures.gaps):
            self._fail(guest, gap, rows)
        guest.checked = len(guest.history)

    def _fail(self, guest: Guest, text: str, rows: Sequence[Row] = ()) -> None:
        shown = [
            f"  {row.id[-4:]} {row.flow[-2:]} {row.state} {row.outcome} duty={row.duty} looks={row.looks}"
            f" attempts={row.attempts} way={row.way} reason={row.reason} doubts={row.journal.doubts}"
            for row in rows[:8]
        ]
        agents, flows = guest.answering
        there = f"{agents} agents and {[flow[-2:] for flow in flows]} answer; by the ledger {standing(rows)[-2:]!r}"
        last = [
            f"  {moment.at:.2f} {moment.agents} agents {[flow[-2:] for flow in moment.studios]} by {moment.cause}"
            for moment in guest.history[-12:]
        ]
        self.violations.append("\n".join([f"{guest.conversation.sid[-4:]}: {text}; {there}", *shown, *last]))


async def besiege(seed: int, minutes: float, database: str, directory: Path) -> Siege:
    """Besiege one server on SQLite, or two on PostgreSQL where ``database`` is its URL."""
    returning = shipped_flows(f"https://{PUBLIC}")[REFUNDS]  # the other one ends without giving the conversation back
    sandbox = Sandbox(flows=dict.fromkeys(TOOLS.values(), returning), put_back_delay=0.3)
    sandbox.app = Caused(sandbox.app)
    url = database or f"sqlite:///{directory / 'handovers.db'}"
    places = [furnish(directory / f"machine-{number}", ROUTES) for number in range(2 if database else 1)]
    async with sandbox.served():
        environ = environ_of(sandbox, HANDOVER_DATABASE_URL=url, HANDOVER_DEADLINE=str(DEADLINE))
        async with DurableLedger(url, this_process(), Clock()) as ledger:
            siege = Siege(seed, sandbox, [Machine(place, environ) for place in places], ledger)
            try:
                await siege.go(minutes)
            finally:
                sandbox.faults.clear()
                for machine in siege._machines:
                    await machine.kill()
    return siege
