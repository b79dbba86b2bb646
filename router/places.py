"""Places for work that goes on side by side: what hangs keeps its own, and nothing else waiting."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class Places:
    """``most`` places; ``on_free`` is called when one gets free where none was."""

    def __init__(self, most: int, on_free: Callable[[], None]) -> None:
        self._most = most
        self._on_free = on_free
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def free(self) -> int:
        """So many more there is room for."""
        return self._most - len(self._tasks)

    def take(self, work: Coroutine[Any, Any, None]) -> None:
        """Let ``work`` have a place until it ends; it raises nothing."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._leave)

    async def ended(self) -> None:
        """Wait until all work has ended that has a place now."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def clear(self) -> None:
        """Break off all work."""
        for task in self._tasks:
            task.cancel()

    def _leave(self, task: asyncio.Task[None]) -> None:
        was_full = not self.free
        self._tasks.discard(task)
        if was_full:
            self._on_free()
