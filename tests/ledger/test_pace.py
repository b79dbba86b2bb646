from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from router.ledger.pace import BUSY, COMPANY, WAIT, WINDOW, Pace


@dataclass
class Process:
    """A process whose clock and CPU stand still until some time has passed."""

    now: float = 100.0
    used: float = 7.0
    pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        self.pace = Pace(now=lambda: self.now, used=lambda: self.used)

    def passes(self, seconds: float, share: float) -> None:
        self.now += seconds
        self.used += seconds * share


@pytest.mark.parametrize(
    ("share", "held", "wanted"),
    [
        (BUSY + 0.01, COMPANY, WAIT),
        (BUSY + 0.01, COMPANY - 1, 0.0),
        (BUSY - 0.01, COMPANY, 0.0),
        (BUSY - 0.01, COMPANY - 1, 0.0),
    ],
)
def test_who_is_busy_and_has_company_waits(share: float, held: int, wanted: float) -> None:
    """With CPU to spare nobody waits, and neither does who would wait alone."""
    process = Process()
    process.passes(2 * WINDOW, share)
    assert process.pace.pause(held) == wanted


def test_a_new_process_does_not_wait() -> None:
    """Until something was measured there is CPU to spare."""
    assert Process().pace.pause(COMPANY) == 0.0


def test_how_busy_it_is_counts_over_a_while() -> None:
    """One busy moment makes nobody wait, and one idle moment ends no wait; what is measured next does."""
    process = Process()
    process.passes(WINDOW / 2, 1.0)
    assert process.pace.pause(COMPANY) == 0.0
    process.passes(WINDOW, 1.0)
    assert process.pace.pause(COMPANY) == WAIT
    process.passes(WINDOW / 2, 0.0)
    assert process.pace.pause(COMPANY) == WAIT
    process.passes(WINDOW, 0.0)
    assert process.pace.pause(COMPANY) == 0.0
