"""What was done on a walk, and what is said where a promise was not kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields


class Violation(AssertionError):
    """A promise that was not kept, with the trace that led there."""


@dataclass(slots=True)
class Figures:
    """What was done."""

    steps: int = 0
    requests: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    stops: int = 0
    settlings: int = 0
    gaps: Counter[str] = field(default_factory=Counter)

    def add(self, other: Figures) -> None:
        """Count another walk in."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    def __str__(self) -> str:
        return (
            f"{self.steps} steps, {self.requests} requests, {sum(self.faults.values())} faults {_shown(self.faults)},"
            f" {self.kills} kills, {self.stops} stops, {self.settlings} settlings, outcomes {_shown(self.outcomes)},"
            f" gaps {_shown(self.gaps)}"
        )


def _shown(counted: Counter[str]) -> str:
    return f"({', '.join(f'{name} {times}' for name, times in sorted(counted.items()))})"
