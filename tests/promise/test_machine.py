"""Random walks through calls, messages, hand-backs, faults and deaths: once the dust settles, all is as promised."""

from __future__ import annotations

import pytest

from tests.promise.figures import Figures, Violation
from tests.promise.shrinking import shrink
from tests.promise.steps import steps_of
from tests.promise.walk import play

SEEDS = 16
WALKS = 11
"""A walk has some 60 steps, so that these are more than 10,000 steps."""


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_walk_breaks_a_promise(seed: int) -> None:
    """No interleaving of calls, hand-backs, faults, kills and restarts leaves a customer alone or the model misled."""
    figures = Figures()
    for number in range(seed * WALKS, (seed + 1) * WALKS):
        steps = steps_of(number)
        try:
            figures.add(play(number, steps))
        except Violation as found:
            fewer, last = shrink(number, steps, found)
            pytest.fail("\n".join([f"seed {number}:", *map(str, fewer), str(last)]), pytrace=False)
    assert figures.steps > WALKS * 60
    assert sum(figures.faults.values()) > 0
    assert figures.kills > 0


def test_a_walk_is_the_same_every_time() -> None:
    """The same seed gives the same walk, to the last request: a violation can be seen again."""
    first, second = play(7, steps_of(7)), play(7, steps_of(7))
    assert str(first) == str(second)
