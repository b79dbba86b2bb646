"""What goes on beside the answers to requests: deliveries, replays, a flow's own requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Errands:
    """Work in the background."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Let ``work`` go on beside whatever caused it."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def settled(self) -> None:
        """Wait until nothing is under way."""
        while self._running:
            await asyncio.wait(list(self._running))

    async def stop(self) -> None:
        """Give up what is under way."""
        for task in list(self._running):
            task.cancel()
        await self.settled()
