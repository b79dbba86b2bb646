"""What each hook of each plugin has done since the start."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Final

RECENT: Final = 100
"""So many calls the 95th percentile is over."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Calls, failed calls and seconds in all; ``p95`` are the seconds that 95 of the last 100 calls kept within.

    ``blocked`` is how often it held the event loop; ``last_error`` is why it failed last, fit for a log.
    """

    calls: int = 0
    failures: int = 0
    seconds: float = 0.0
    p95: float = 0.0
    blocked: int = 0
    last_error: str = ""


@dataclass(slots=True)
class Tally:
    """Counts for one hook of one plugin."""

    calls: int = 0
    failures: int = 0
    seconds: float = 0.0
    blocked: int = 0
    last_error: str = ""
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))

    def count(self, seconds: float, *, blocked: bool) -> None:
        """Count a call."""
        self.calls += 1
        self.seconds += seconds
        self.blocked += blocked
        self._recent.append(seconds)

    def fail(self, reason: str) -> None:
        """Count that one failed."""
        self.failures += 1
        self.last_error = reason

    @property
    def figures(self) -> Figures:
        """The figures as they are now."""
        ranked = sorted(self._recent)
        p95 = ranked[math.ceil(0.95 * len(ranked)) - 1] if ranked else 0.0
        return Figures(self.calls, self.failures, self.seconds, p95, self.blocked, self.last_error)
