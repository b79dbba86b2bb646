"""A clock that can be set forward, so that no test waits for what is due in an hour."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from router.clock import Clock


@dataclass(frozen=True)
class LeapingClock(Clock):
    """The time of day, and as much more as it was set ahead; it never goes back.

    Only ``now`` leaps: deadlines, which are counted in ``monotonic`` seconds, and ``sleep`` are real.
    """

    ahead: list[timedelta] = field(default_factory=list)

    @classmethod
    def starting(cls) -> LeapingClock:
        """Make one that tells the time as it is."""
        ahead: list[timedelta] = []
        return cls(now=lambda: datetime.now(UTC) + sum(ahead, timedelta()), ahead=ahead)

    def leap(self, to: datetime | timedelta) -> None:
        """Set it to a time, which has a time zone, or so much further; what is past stays as it is."""
        self.ahead.append(max(timedelta(), to if isinstance(to, timedelta) else to - self.now()))
