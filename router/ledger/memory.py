"""The ledger of one process, in memory: it serialises the swaps of a conversation and forgets them when they end.

It is the place of the durable ledger: what holds here within a process (one open swap a conversation, a row from the
first step on) will hold there through crashes and across processes.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from router.ledger.row import Row

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class MemoryLedger:
    """Open rows and the turns that they wait for."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._waiting: dict[str, int] = {}

    def initiate(self, handover_id: str, conversation: str) -> Row:
        """Open a row before anything is changed."""
        return Row(handover_id, conversation)

    @contextlib.asynccontextmanager
    async def turn(self, conversation: str) -> AsyncIterator[None]:
        """Hold the one turn that a conversation has: who comes second waits, and finds what the first one did."""
        lock = self._locks.setdefault(conversation, asyncio.Lock())
        self._waiting[conversation] = self._waiting.get(conversation, 0) + 1
        try:
            async with lock:
                yield
        finally:
            self._waiting[conversation] -= 1
            if not self._waiting[conversation]:
                del self._waiting[conversation], self._locks[conversation]

    def faults(self) -> tuple[str, ...]:
        """Say what keeps the ledger from working; memory is always there."""
        return ()
