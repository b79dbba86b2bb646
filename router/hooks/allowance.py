"""How long the calls of one hook may take: each of them, and all together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.clock import Clock


class Allowance:
    """Seconds for ``each`` call, and ``total`` seconds for all of them, from now on."""

    __slots__ = ("_clock", "_each", "_until", "total")

    def __init__(self, each: float, total: float, clock: Clock) -> None:
        self.total = total
        self._each = each
        self._until = clock.monotonic() + total
        self._clock = clock

    @classmethod
    def endless(cls, clock: Clock) -> Allowance:
        """Give all the time there is."""
        return cls(math.inf, math.inf, clock)

    def for_one(self) -> float:
        """Give the seconds that the next call may take; none are left at 0 or below."""
        return min(self._each, self._until - self._clock.monotonic())
