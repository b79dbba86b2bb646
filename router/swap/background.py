"""Work that goes on after its answer was given: kept alive, reported if it breaks, waited for at the end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

PARTING: Final = 5.0
"""Seconds that work which is ended has to leave its row to others; a ledger that hangs is not waited for."""


class Background:
    """The tasks of one app. ``report`` is told of an exception that nobody was left to see."""

    def __init__(self, report: Callable[[BaseException], None]) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._report = report

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start ``work``, and keep it although nobody may wait for it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def drain(self, patience: float) -> int:
        """Wait until all work has ended, ``patience`` seconds at the most; end the rest and say how many that were.

        What does not end then either, since what it leaves behind cannot be kept, is left behind itself.

        Work that is started meanwhile counts: a handover that fails owes a repair.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while self._tasks:
                    await asyncio.wait(self._tasks)
        left = tuple(self._tasks)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=PARTING)
        return len(left)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._report(error)
