"""A bell for each conversation, within a process: who waits for it wakes when a decision has kept a row of it."""

from __future__ import annotations

import asyncio


class Bell:
    """The waiting, by conversation."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Event] = {}

    def ring(self, conversation: str) -> None:
        """Wake all who wait for ``conversation``."""
        if event := self._waiting.pop(conversation, None):
            event.set()

    async def wait(self, conversation: str, seconds: float) -> None:
        """Wait for the next ring about ``conversation``, for ``seconds`` at the most."""
        event = self._waiting.setdefault(conversation, asyncio.Event())
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass
