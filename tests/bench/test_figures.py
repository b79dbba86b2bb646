"""The arithmetic of the benchmarks."""

from __future__ import annotations

import pytest

from bench.drive import Driven
from bench.handovers import Length
from bench.imports import by_package
from bench.profile import large
from bench.soak import slope


def test_a_percentile_is_what_so_many_kept_below() -> None:
    """Of a hundred latencies the 99th percentile is the slowest, and of one every percentile is that one."""
    driven = Driven([float(each) for each in range(100)], 1.0)
    assert [driven.percentile(share) for share in (0, 0.5, 0.99, 1)] == [0, 50, 99, 99]
    assert Driven([7.0], 1.0).percentile(0.999) == 7


def test_the_slope_is_that_of_the_straight_line() -> None:
    """Exact where the points lie on one, and zero where they scatter around a level."""
    assert slope([0, 10, 20], [5, 25, 45]) == pytest.approx(2)
    assert slope([0, 1, 2, 3], [1, -1, -1, 1]) == 0


def test_a_round_is_as_long_as_it_must_be() -> None:
    """As much as the delay lets through in its seconds, no more connections than there are, and some for each place."""
    length = Length(rounds=5, seconds=2, least=3)
    assert length.count(32, 0.08) == 266
    assert length.count(256, 0.08) == 833
    assert length.count(1000, 0.08) == 3000
    assert length.count(32, 0) == 2000
    assert length.count(1, 0.08) == 10
    assert (length.turns(32, 0.08), length.turns(256, 0), length.turns(32, 0)) == (5, 5, 15)


def test_imports_are_summed_up_by_package() -> None:
    """Each line of ``-X importtime`` counts with its own time; what is no such line does not count."""
    lines = [
        "import time: self [us] | cumulative | imported package",
        "import time:      1500 |       9000 |   twilio.rest",
        "import time:       500 |        500 | twilio",
        "import time:      3000 |       3000 |       yaml.nodes",
        "handover: serving on http://127.0.0.1:8000",
    ]
    assert by_package(lines) == {"yaml": 0.003, "twilio": 0.002}
    assert list(by_package(lines)) == ["yaml", "twilio"]


def test_small_rooms_are_summed_up() -> None:
    """What is under half a hundredth stands together at the end."""
    assert large({"a": 0.992, "b": 0.004, "c": 0.004}) == [("a", 0.992), ("(all others)", pytest.approx(0.008))]
    assert large({"a": 0.5, "b": 0.5}) == [("a", 0.5), ("b", 0.5)]
