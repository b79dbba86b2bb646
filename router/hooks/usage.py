"""Who still uses something that is to be closed: it is closed when the last of them has left."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Usage:
    """Counts the users of one thing within one event loop."""

    def __init__(self) -> None:
        self._users = 0
        self._is_free = asyncio.Event()
        self._is_free.set()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Use it while the block runs."""
        self._users += 1
        self._is_free.clear()
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._is_free.set()

    async def ended(self) -> None:
        """Wait until nobody uses it."""
        await self._is_free.wait()
