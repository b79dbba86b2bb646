"""The share of the places that one plugin may have: one that hangs keeps no news of the others waiting."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Result = TypeVar("Result")

PATIENCE: Final = 1.0
"""Seconds that a call waits until one of the same plugin ends: longer only where that plugin is slow."""


class Shares:
    """``most`` calls of each plugin at the same time."""

    def __init__(self, most: int) -> None:
        self._free = defaultdict[str, asyncio.Semaphore](lambda: asyncio.Semaphore(most))
        self._slow: set[str] = set()

    async def call(self, plugin: str, work: Callable[[], Awaitable[Result]]) -> Result | None:
        """Give what comes of ``work``; None, and nothing was called, where the plugin has its share and is slow."""
        free = self._free[plugin]
        if free.locked() and plugin in self._slow:
            return None
        try:
            async with asyncio.timeout(PATIENCE):
                await free.acquire()
        except TimeoutError:
            self._slow.add(plugin)
            return None
        try:
            return await work()
        finally:
            self._slow.discard(plugin)
            free.release()
