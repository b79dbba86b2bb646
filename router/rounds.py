"""The rounds in the background: what is due and in nobody's hand is taken, one attempt each, again and again."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from router.aftercare import advance
from router.errors import LedgerError
from router.places import Places
from router.shares import Shares
from router.telling import tell_news

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from router.desk import Desk
    from router.ledger.news import News
    from router.ledger.row import Row
    from router.model.execution import Executions

AT_ONCE: Final = 16
"""So many rows are in hand at the same time; and of so many others plugins are told."""

LONGEST: Final = 1.0
"""Seconds between two rounds at the most: so soon another process's rows are found."""

SHORTEST: Final = 0.02
"""Seconds between two rounds at the least."""

CLEARING: Final = timedelta(hours=1)
"""So often rows that were finished long ago are dropped."""


class Rounds:
    """The rounds of one process. ``desk`` gives the desk in use: a repair follows the routes of now.

    ``studio`` tells of executions; ``retention`` is how long a finished row is kept. ``on_given_up`` is told of news
    that a plugin would not hear.
    """

    def __init__(
        self,
        desk: Callable[[], Desk],
        studio: Executions,
        retention: timedelta,
        on_given_up: Callable[[News], None] = lambda _news: None,
    ) -> None:
        self._desk = desk
        self._studio = studio
        self._retention = retention
        self._on_given_up = on_given_up
        self._cleared: datetime | None = None
        self._repairs = Places(AT_ONCE, self._wake)
        self._tellings = Places(AT_ONCE, self._wake)  # a plugin that hangs keeps no customer waiting
        self._shares = Shares(max(1, AT_ONCE // 2))
        self._is_stopping = False

    async def run(self) -> None:
        """Go on until told to stop; a ledger that does not work now is asked again."""
        while not self._is_stopping:
            desk = self._desk()
            desk.owed.clear()
            pause = LONGEST
            try:
                pause = SHORTEST if await self._begin() else await self._pause(desk)
                await self._clear(desk)
            except LedgerError as error:
                desk.log.error("the ledger cannot be read", reason=str(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await desk.owed.wait()
        await self._ended()

    def stop(self) -> None:
        """End when the attempts that are being made have ended."""
        self._is_stopping = True
        self._wake()

    async def make(self) -> int:
        """Make one attempt at all that is due, and wait for them; says how many. Raises LedgerError."""
        begun = await self._begin()
        await self._ended()
        return begun

    async def _begin(self) -> int:
        """Take as much in hand as there are places: what hangs keeps its own, and nothing else waiting."""
        desk = self._desk()
        return sum(await asyncio.gather(self._begin_repairs(desk), self._begin_tellings(desk)))

    async def _begin_repairs(self, desk: Desk) -> int:
        places = self._repairs.free
        rows = await desk.ledger.claim(desk.clock.now(), places) if places else ()
        for row in rows:
            self._repairs.take(self._attempt("a repair broke", row, partial(advance, studio=self._studio)))
        return len(rows)

    async def _begin_tellings(self, desk: Desk) -> int:
        places = self._tellings.free
        rows = await desk.ledger.claim_news(desk.clock.now(), places) if places else ()
        for row in rows:
            telling = partial(tell_news, shares=self._shares, on_given_up=self._on_given_up)
            self._tellings.take(self._attempt("a telling broke", row, telling))
        return len(rows)

    def _wake(self) -> None:
        self._desk().owed.set()

    async def _ended(self) -> None:
        """Wait for what was begun; whoever waits no longer leaves what is being told to the next process."""
        try:
            await self._repairs.ended()
            await self._tellings.ended()
        except asyncio.CancelledError:
            self._tellings.clear()
            raise

    async def _pause(self, desk: Desk) -> float:
        due = await desk.ledger.next_due(news=self._tellings.free > 0) if self._repairs.free else None
        ahead = (due - desk.clock.now()).total_seconds() if due else LONGEST
        return min(LONGEST, max(SHORTEST, ahead))

    async def _clear(self, desk: Desk) -> None:
        now = desk.clock.now()
        if self._cleared is None or now - self._cleared >= CLEARING:
            self._cleared = now
            await desk.ledger.forget(now - self._retention)

    async def _attempt(self, broke: str, row: Row, attempt: Callable[[Row, Desk], Awaitable[None]]) -> None:
        desk = self._desk()  # that of now, held at once: plugins may have been stopped while the row was claimed
        try:
            with desk.plugins.held():
                await attempt(row, desk)
        except LedgerError as error:
            desk.log.error("unrecorded", handover=row.id, reason=str(error))
        except Exception:
            desk.log.exception(broke, handover=row.id)
