"""A ledger that does not work when told so: what is asked of it then raises, and nothing is kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from router.errors import LedgerError
from router.ledger.memory import MemoryLedger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from router.ledger.ledger import Figures
    from router.ledger.news import News
    from router.ledger.row import Row

Result = TypeVar("Result")


class FaultyLedger(MemoryLedger):
    """Works for ``passes`` decisions and then fails ``fails`` of them; ``struck`` is set when it failed.

    What came of news it fails to keep ``fails_settling`` times. While ``is_gone`` nothing at all works.
    """

    passes = 0
    fails = 0
    fails_settling = 0
    is_gone = False

    def strike(self, *, passes: int = 0, fails: int = 1) -> None:
        self.passes, self.fails = passes, fails
        self.struck = asyncio.Event()

    async def decide(
        self, conversation: str, decision: Callable[[Sequence[Row]], tuple[Result, Sequence[Row]]]
    ) -> Result:
        self._check()
        if self.passes:
            self.passes -= 1
        elif self.fails:
            self.fails -= 1
            self.struck.set()
            raise LedgerError("the disk is full")
        return await super().decide(conversation, decision)

    async def claim(self, now: datetime, most: int) -> Sequence[Row]:
        self._check()
        return await super().claim(now, most)

    async def settle_news(self, row: Row, told: Mapping[News, News | None]) -> None:
        if self.fails_settling:
            self.fails_settling -= 1
            self._telling.discard(row.id)
            raise LedgerError("the disk is full")
        await super().settle_news(row, told)

    async def figures(self) -> Figures:
        self._check()
        return await super().figures()

    def _check(self) -> None:
        if self.is_gone:
            raise LedgerError("the disk is gone")
