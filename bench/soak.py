"""The memory of a router over half a million handovers, 48 at a time, with retention as shipped.

The ledger grows on the disk, for that is its job; memory must not. Told is the slope over the second half, when caches
and pools are full: less than the smallest object of Python for each handover means that nothing is left over.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import uvloop

from bench.processes import memory, raise_limits
from bench.results import options, save, some, table
from bench.stage import stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.results import Result

WIDTH: Final = 48
STEP: Final = 10_000

FLAT: Final = 16.0
"""Bytes a handover, the size of an ``object()``: a leak of anything at all is no less."""

MEBIBYTE: Final = 1024 * 1024


def slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Give the slope of the straight line that fits best, by least squares."""
    middle, level = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - middle) ** 2 for x in xs)
    return sum((x - middle) * (y - level) for x, y in zip(xs, ys, strict=True)) / spread


async def measure(count: int, step: int, width: int) -> Result:
    """Hand over, and read the memory after every ``step`` handovers."""
    points: list[tuple[int, float]] = []
    with stage() as on:
        on.stand_in(0)
        server = on.router("SQLite")
        began = time.perf_counter()
        for done in range(step, count + 1, step):
            await server.drive(on.numbers(step), width)
            await server.settle(done)
            points.append((done, memory(server.pid)))
            print(f"{done:9,} handovers {points[-1][1]:8.1f} MiB", flush=True)
        seconds = time.perf_counter() - began
        disk = sum(file.stat().st_size for file in (on.folder / "SQLite").glob("handovers.db*"))
        peak = memory(server.pid, "VmHWM")
    half = points[len(points) // 2 :]
    grown = slope([done for done, _ in half], [here * MEBIBYTE for _, here in half])
    return {
        "width": width,
        "points": points,
        "slope": grown,
        "flat": FLAT,
        "peak": peak,
        "rate": points[-1][0] / seconds,
        "disk": disk / points[-1][0],
    }


def report(result: Result) -> str:
    """Write what the memory was at the beginning, in the middle and at the end, and whether it is flat."""
    points = result["points"]
    rows = [[f"{done:,}", f"{here:.1f}"] for done, here in (points[0], points[len(points) // 2], points[-1])]
    flat = "flat" if result["slope"] <= result["flat"] else "not flat"
    return (
        f"{table(['handovers', 'RSS MiB'], rows)}\n"
        f"Over the second half memory grew by {result['slope']:.1f} bytes a handover: {flat} "
        f"(up to {result['flat']:g} would be). {result['rate']:.0f} handovers a second, {result['width']} in flight; "
        f"{result['disk']:.0f} bytes a handover on the disk.\n"
    )


def main(arguments: Sequence[str]) -> None:
    """Read the options, measure, and keep the result."""
    parser = options("soak", __doc__)
    parser.add_argument("--count", type=some, default=500_000, help="handovers")
    parser.add_argument("--width", type=some, default=WIDTH, help="in flight")
    given = parser.parse_args(arguments)
    count, step = (8_000, 1_000) if given.quick else (given.count, STEP)
    raise_limits()
    result = uvloop.run(measure(count, step, given.width))
    print(report(save(given.to, "soak", result, is_quick=given.quick)))
