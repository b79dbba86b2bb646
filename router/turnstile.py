"""A turnstile: so many pass at a time, and who waits gets through in turn."""

from __future__ import annotations

import asyncio
from collections import deque


class Turnstile:
    """Lets ``most`` through at a time. Who need not wait needs no event loop, no task and no clock either."""

    def __init__(self, most: int) -> None:
        self._most = self._free = most
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def inside(self) -> int:
        """So many are through and have not left."""
        return self._most - self._free

    def passes(self) -> bool:
        """Go through, if that is possible at once, and say whether."""
        if not self._free:
            return False
        self._free -= 1
        return True

    async def wait(self) -> None:
        """Go through when those have who waited before."""
        if self.passes():
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.leave()  # it had its turn, and was broken off in the same breath
            raise

    def leave(self) -> None:
        """Let the next one through, who never finds somebody else in that place."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
