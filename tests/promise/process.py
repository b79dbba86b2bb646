"""A process of the router as far as it can be killed: nothing that it awaits ever comes once it is dead."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog

from router.clock import Clock
from router.desk import Desk
from router.errors import LedgerError, TwilioUncertain
from router.ledger.ledger import Holder
from router.line import Line
from router.rounds import Rounds
from router.swap.background import Background
from tests.promise.client import Client
from tests.promise.leaping import now

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, MutableMapping, Sequence
    from datetime import datetime

    from router.config import Loaded
    from router.ledger.ledger import Figures, Filter
    from router.ledger.memory import MemoryLedger
    from router.ledger.news import News
    from router.ledger.row import Row
    from tests.promise.twilio import Twilio

Result = TypeVar("Result")

COMMIT: Final = 0.02
"""Seconds that a write takes at the most."""


class Gone(Exception):
    """The process that was asked died before it answered."""


class Death:
    """Whether a process has died. What it awaits then never comes; ``bury`` ends even that."""

    def __init__(self) -> None:
        self.came = asyncio.Event()
        self._is_buried = False
        self._never: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def pass_by(self, error: BaseException) -> None:
        """Go on only where the process lives; raises ``error`` once it is buried."""
        if self.came.is_set():
            if not self._is_buried:
                await self._never
            raise error

    def bury(self) -> None:
        """Let what hangs be ended."""
        self._is_buried = True
        self.came.set()


class Seat:
    """One process's view of the ledger that all share: a write takes a moment, and may fail."""

    def __init__(
        self, shared: MemoryLedger, holder: Holder, death: Death, chance: random.Random, faults: Callable[[], bool]
    ) -> None:
        self.holder = holder
        self._shared = shared
        self._death = death
        self._chance = chance
        self._faults = faults
        self._held: set[str] = set()

    async def decide(
        self, conversation: str, decision: Callable[[Sequence[Row]], tuple[Result, Sequence[Row]]]
    ) -> Result:
        await self._wait()

        given: Sequence[Row] = ()

        def note(rows: Sequence[Row]) -> tuple[Result, Sequence[Row]]:
            nonlocal given
            strays = {row.id for row in rows if row.owner == self.holder.name} - self._held
            result, rows = decision(rows)
            given = [row for row in rows if row.id not in strays]
            return result, rows

        result = await self._shared.decide(conversation, note)
        await self._wait()  # where that fails, the commit was made and its answer lost
        self._note(given)
        return result

    async def wait(self, conversation: str, seconds: float) -> None:
        await self._shared.wait(conversation, seconds)
        await self._death.pass_by(LedgerError("dead"))

    async def claim(self, moment: datetime, most: int) -> Sequence[Row]:
        await self._wait()
        self._shared.holder = self.holder
        taken = await self._shared.claim(moment, most)
        await self._wait()
        self._note(taken)
        return taken

    async def claim_news(self, moment: datetime, most: int) -> Sequence[Row]:
        await self._wait()
        return await self._shared.claim_news(moment, most)

    async def settle_news(self, row: Row, told: Mapping[News, News | None]) -> None:
        await self._wait()
        await self._shared.settle_news(row, told)

    async def next_due(self, *, news: bool = True) -> datetime | None:
        await self._wait()
        self._shared.holder = self.holder
        return await self._shared.next_due(news=news)

    async def history(self, wanted: Filter) -> Sequence[Row]:
        return await self._shared.history(wanted)

    async def figures(self) -> Figures:
        return await self._shared.figures()

    async def forget(self, before: datetime) -> int:
        return await self._shared.forget(before)

    async def probe(self) -> None:
        await self._shared.probe()

    def extend(self) -> None:
        """Extend the leases of what is in our hand, as the durable ledger does."""
        rows = self._shared._rows
        lease = now() + timedelta(seconds=self.holder.lease)
        self._held = {each for each in self._held if each in rows and rows[each].owner == self.holder.name}
        rows |= {each: rows[each].change(lease=lease) for each in self._held}

    def _note(self, rows: Sequence[Row]) -> None:
        for row in rows:
            (self._held.add if row.is_open and row.owner == self.holder.name else self._held.discard)(row.id)

    async def _wait(self) -> None:
        await asyncio.sleep(self._chance.random() * COMMIT)
        await self._death.pass_by(LedgerError("dead"))
        if self._faults():
            raise LedgerError("the disk is full")


class Process:
    """A desk with its rounds, until it is killed or stopped."""

    def __init__(
        self,
        name: str,
        loaded: Loaded,
        twilio: Twilio,
        shared: MemoryLedger,
        chance: random.Random,
        faults: Callable[[], bool],
        broken: Callable[[BaseException], None],
    ) -> None:
        self.name = name
        self._death = Death()
        self._seat = Seat(shared, Holder(name), self._death, chance, faults)
        clock = Clock(now=now, monotonic=asyncio.get_running_loop().time, sleep=self._sleep)
        self.desk = Desk(
            routes=loaded.routes,
            plugins=loaded.plugins,
            gateway=Client(twilio, clock, self._ask, chance),
            ledger=self._seat,
            background=Background(broken),
            log=_silent(broken),
            clock=clock,
            line=Line(places=4, queue=50),
            new_id=lambda: twilio.sid("HO"),
        )
        self._rounds = Rounds(lambda: self.desk, self.desk.gateway, timedelta(days=90))  # type: ignore[arg-type]  # it is both
        self.takes_calls = True
        self._tasks: list[asyncio.Task[Any]] = [
            asyncio.create_task(self._rounds.run()),
            asyncio.create_task(self._beat()),
        ]

    async def do(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Let the process do something; raises Gone where it dies before."""
        task = asyncio.create_task(work)
        death = asyncio.create_task(self._death.came.wait())
        self._tasks += [task, death]
        await asyncio.wait({task, death}, return_when=asyncio.FIRST_COMPLETED)
        death.cancel()
        try:
            return task.result()
        except (asyncio.InvalidStateError, asyncio.CancelledError):
            raise Gone from None

    def kill(self) -> None:
        """End it as ``kill -9`` does: no code of it runs any more."""
        self.takes_calls = False
        self._death.came.set()

    async def stop(self, patience: float) -> None:
        """End it in good order, as the app does; what is still under way after ``patience`` seconds is broken off."""
        self.takes_calls = False
        self._rounds.stop()
        await self.desk.background.drain(patience)
        await self._tasks[0]
        self._death.came.set()

    async def bury(self) -> None:
        """End all that hangs."""
        self._death.bury()
        tasks = [*self._tasks, *self.desk.background._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._death.pass_by(asyncio.CancelledError())

    async def _ask(self, request: Awaitable[Any]) -> Any:
        try:
            return await request
        finally:
            await self._death.pass_by(TwilioUncertain("dead", "dead"))

    async def _beat(self) -> None:
        while True:
            await self._sleep(3)
            self._seat.extend()


def _silent(broken: Callable[[BaseException], None]) -> Any:
    """A log that keeps nothing but what broke."""

    def keep(_logger: object, method: str, event: MutableMapping[str, Any]) -> Any:
        if method == "exception" or event.get("exc_info"):
            broken(RuntimeError(str(event)))
        raise structlog.DropEvent

    return structlog.wrap_logger(None, processors=[keep], wrapper_class=structlog.make_filtering_bound_logger(30))
