"""What is promised of the router's speed, and whether the results keep it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bench.handovers import CONNECTIONS
from bench.results import table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bench.results import Result

ROUTERS: Final = ("SQLite", "PostgreSQL")
FLAT: Final = 1.1
"""A curve is flat where its last point is less than a tenth above the first."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What is promised, how much at the most (or the least), and what was measured, by what it was measured of."""

    what: str
    bound: float
    unit: str
    found: Mapping[str, float]
    is_least: bool = False

    @property
    def holds(self) -> bool:
        """All that was measured is within the bound."""
        return all(each >= self.bound if self.is_least else each <= self.bound for each in self.found.values())

    def row(self) -> list[str]:
        """Give it as a row of a table."""
        found = ", ".join(f"{name} {each:.3g}".strip() for name, each in self.found.items())
        wanted = f"{'≥' if self.is_least else '≤'} {self.bound:g} {self.unit}".strip()
        if not found:
            return [self.what, wanted, "not measured", "-"]
        return [self.what, wanted, found, "yes" if self.holds else "no"]


def promises(results: Mapping[str, Result]) -> Iterator[Promise]:
    """Hold the results against what is wanted; raises KeyError where a result lacks a part."""
    yield from _of_handovers(results["handovers"])
    yield from _of_start(results["start"])
    for name, curve in results["growth"]["curves"].items():
        what = f"CPU of a call, {curve['sizes'][-1]:,} {name}"
        yield Promise(what, FLAT, f"times that with {curve['sizes'][0]:,}", {"": curve["cpu"][-1][1]})
    soak = results["soak"]
    yield Promise(
        f"growth of memory, second half of {soak['points'][-1][0]:,} handovers",
        soak["flat"],
        "bytes a handover",
        {"": soak["slope"]},
    )
    bounds = [each for each in results["two"]["bounds"] if each["is_bound"]]
    found = {each["title"]: each["ratio"] for each in bounds}
    yield Promise("two processes on one PostgreSQL", 1.7, "times one", found, is_least=True)


def _of_handovers(result: Result) -> Iterator[Promise]:
    cells = {(cell["delay"], cell["width"], cell["server"]): cell for cell in result["cells"]}

    def of_both(delay: float, width: int, value: Callable[[Any], float]) -> dict[str, float]:
        return {name: value(cells[delay, width, name]) for name in ROUTERS if (delay, width, name) in cells}

    few, many = "80 ms a trip, 32 in flight: ", "80 ms a trip, 256 in flight: "
    yield Promise(f"{few}p50", 2.1, "trips", of_both(0.08, 32, lambda cell: cell["p50"] / 0.08))
    yield Promise(f"{few}p99", 1.25, "times p50", of_both(0.08, 32, lambda cell: cell["p99"] / cell["p50"]))
    repeats = {each["server"]: each["requests"] for each in result["repeats"] if each["delay"] == 0.08}  # noqa: PLR2004 - as above
    yield Promise("a repeat", 1, "request to Twilio", repeats)
    cpu = of_both(0, 32, lambda cell: cell["ratios"].get("cpu", math.nan))
    cpu.pop("PostgreSQL", None)  # the server takes a part of it
    yield Promise("CPU a handover, 32 in flight, Twilio at once", 0.8, "times the floor", cpu)
    yield Promise("the same, as it was aimed at", 0.4, "times the floor", cpu)
    rate = of_both(0.08, 256, lambda cell: cell["ratios"].get("rate", math.nan))
    yield Promise(f"{many}handovers a second", 0.9, "times the floor", rate, is_least=True)
    yield Promise(f"{many}p99", 2, "times p50", of_both(0.08, 256, lambda cell: cell["p99"] / cell["p50"]))
    yield Promise(f"{many}connections", CONNECTIONS, "at a time", of_both(0.08, 256, lambda cell: cell["most"]))
    peaks: dict[str, float] = {}
    for delay in (0, 0.02, 0.08):
        for name, peak in of_both(delay, 1000, lambda cell: cell["peak"]).items():
            peaks[name] = max(peak, peaks.get(name, 0))
    yield Promise("1,000 in flight: memory at its peak", 160, "MiB", peaks)


def _of_start(result: Result) -> Iterator[Promise]:
    many = result["intents"]
    yield Promise("process start to ready, shipped file", 1.0, "s", {"": result["starts"]["0"]})
    yield Promise(f"process start to ready, {many:,} intents", 4.0, "s", {"": result["starts"][str(many)]})
    walls = {name: wall for name, (wall, _) in result["commands"].items()}
    yield Promise("a command on the shipped file", 0.4, "s", walls)
    large = {name: len(found) for name, found in result["large"].items()}
    yield Promise("parts of SDK, web and database that it imports", 0, "", large)


def report(results: Mapping[str, Result]) -> str:
    """Write what is promised as a table."""
    return table(["what", "wanted", "measured", "holds"], [promise.row() for promise in promises(results)])
