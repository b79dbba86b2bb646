"""The rounds in the background: rows that are due and in nobody's hand are taken, one attempt each, again and again."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from router.aftercare import advance
from router.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from router.desk import Desk
    from router.ledger.row import Row
    from router.model.execution import Executions

AT_ONCE: Final = 16
"""So many rows are in hand at the same time."""

LONGEST: Final = 1.0
"""Seconds between two rounds at the most: so soon another process's rows are found."""

SHORTEST: Final = 0.02
"""Seconds between two rounds at the least."""

CLEARING: Final = timedelta(hours=1)
"""So often rows that were finished long ago are dropped."""


class Rounds:
    """The rounds of one process. ``desk`` gives the desk in use: a repair follows the routes of now.

    ``studio`` tells of executions; ``retention`` is how long a finished row is kept.
    """

    def __init__(self, desk: Callable[[], Desk], studio: Executions, retention: timedelta) -> None:
        self._desk = desk
        self._studio = studio
        self._retention = retention
        self._cleared: datetime | None = None
        self._attempts: set[asyncio.Task[None]] = set()
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
                desk.log.error("the ledger cannot be read", reason=str(error))  # noqa: TRY400 - its text says all
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await desk.owed.wait()
        await self._ended()

    def stop(self) -> None:
        """End when the attempts that are being made have ended."""
        self._is_stopping = True
        self._desk().owed.set()

    async def make(self) -> int:
        """Make one attempt at each row that is due, and wait for them; says how many. Raises LedgerError."""
        begun = await self._begin()
        await self._ended()
        return begun

    async def _begin(self) -> int:
        """Take as many rows in hand as there are places: one that hangs keeps its own, and no other row waiting."""
        desk = self._desk()
        places = AT_ONCE - len(self._attempts)
        rows = await desk.ledger.claim(desk.clock.now(), places) if places else ()
        for row in rows:
            attempt = asyncio.create_task(self._attempt(row, desk))
            self._attempts.add(attempt)
            attempt.add_done_callback(self._end)
        return len(rows)

    def _end(self, attempt: asyncio.Task[None]) -> None:
        if len(self._attempts) == AT_ONCE:
            self._desk().owed.set()  # a place is free again
        self._attempts.discard(attempt)

    async def _ended(self) -> None:
        if self._attempts:
            await asyncio.wait(self._attempts)

    async def _pause(self, desk: Desk) -> float:
        due = await desk.ledger.next_due() if len(self._attempts) < AT_ONCE else None
        ahead = (due - desk.clock.now()).total_seconds() if due else LONGEST
        return min(LONGEST, max(SHORTEST, ahead))

    async def _clear(self, desk: Desk) -> None:
        now = desk.clock.now()
        if self._cleared is None or now - self._cleared >= CLEARING:
            self._cleared = now
            await desk.ledger.forget(now - self._retention)

    async def _attempt(self, row: Row, desk: Desk) -> None:
        try:
            with desk.plugins.held():
                await advance(row, desk, self._studio)
        except LedgerError as error:
            desk.log.error("unrecorded", handover=row.id, reason=str(error))  # noqa: TRY400 - its text says all
        except Exception:
            desk.log.exception("a repair broke", handover=row.id)
