"""A loop whose time leaps: where nothing is ready, the next timer is, and nobody waits."""

from __future__ import annotations

import asyncio
import selectors
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Coroutine

BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)


class Standstill(Exception):
    """Everybody waits for what will never come."""


class LeapingLoop(asyncio.SelectorEventLoop):
    """Runs what is ready; then its clock goes to the next timer at once."""

    def __init__(self) -> None:
        self._seconds = 0.0
        super().__init__(_Leaping(self))

    def time(self) -> float:
        return self._seconds

    def leap(self, seconds: float) -> None:
        self._seconds += seconds


class _Leaping(selectors.SelectSelector):
    """Asks the system for nothing but the loop's own pipe, and never waits."""

    def __init__(self, loop: LeapingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Standstill
        if timeout > 0:
            self._loop.leap(timeout)
        return []


def now() -> datetime:
    """Tell the time of the loop that runs."""
    return BEGIN + timedelta(seconds=asyncio.get_running_loop().time())


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run ``work`` in a loop of its own."""
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        return runner.run(work)
