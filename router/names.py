"""The names of handovers."""

from __future__ import annotations

import os
import time
from typing import Final

AT_ONCE: Final = 64
"""So many names share one draw: to ask the system for random bytes takes longer than all the rest."""


class Names:
    """Gives each handover a name as Twilio names things: two capitals and 32 hex digits.

    The milliseconds come first, as in a UUID of version 7: rows that come together lie together in the ledger's index.
    What follows is random, 80 bits. A fork draws its own.
    """

    __slots__ = ("_drawn", "_pid")

    def __init__(self) -> None:
        self._drawn: list[str] = []
        self._pid = 0

    def __call__(self) -> str:
        """Give a name that nobody has."""
        if not self._drawn or self._pid != os.getpid():
            self._pid = os.getpid()
            drawn = os.urandom(10 * AT_ONCE).hex()
            self._drawn = [drawn[place : place + 20] for place in range(0, len(drawn), 20)]
        return f"HO{time.time_ns() // 1_000_000:012x}{self._drawn.pop()}"
