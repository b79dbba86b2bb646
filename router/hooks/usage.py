"""Who still uses something that is to be closed: it is closed when the last of them has left."""

from __future__ import annotations

import asyncio
from typing import Self


class Usage:
    """Counts the users of one thing within one event loop."""

    def __init__(self) -> None:
        self._users = 0
        self._is_free = asyncio.Event()
        self._is_free.set()

    def held(self) -> Self:
        """Use it while the block runs; such blocks may overlap."""
        return self

    def __enter__(self) -> None:
        self._users += 1
        self._is_free.clear()

    def __exit__(self, *_how: object) -> None:
        self._users -= 1
        if not self._users:
            self._is_free.set()

    async def ended(self) -> None:
        """Wait until nobody uses it."""
        await self._is_free.wait()
