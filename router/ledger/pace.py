"""How long decisions wait for others to share their commit with: not at all, while there is CPU to spare."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT: Final = 0.003
"""Seconds that a busy process waits; a commit takes a fifth of a millisecond of CPU, whatever it holds."""

COMPANY: Final = 3
"""So many jobs the last transaction must have held: who is alone waits for nobody."""

BUSY: Final = 0.75
"""So much of a core this process must be using: one that uses less answers sooner by not waiting."""

WINDOW: Final = 0.05
"""Seconds over which that is measured."""


class Pace:
    """The pace of a process's commits. ``now`` and ``used`` are its clock and how much CPU it has used, in seconds."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic, used: Callable[[], float] = time.process_time
    ) -> None:
        self._now, self._used = now, used
        self._since, self._had = now(), used()
        self._is_busy = False

    def pause(self, held: int) -> float:
        """Say how many seconds to wait before the next transaction; the last one held so many jobs."""
        now = self._now()
        if now - self._since >= WINDOW:
            used = self._used()
            self._is_busy = used - self._had >= BUSY * (now - self._since)
            self._since, self._had = now, used
        return WAIT if self._is_busy and held >= COMPANY else 0.0
