"""What a call costs as the router's surroundings grow: routes, idle plugins, old rows of the ledger, and open work.

For each of them several routers of different sizes take turns under the same load; told are CPU and median latency.
"""

from __future__ import annotations

import dataclasses
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvloop

from bench.configuration import INTENTS, write
from bench.handovers import Cell, run_round
from bench.processes import raise_limits
from bench.results import options, save, some, table
from bench.rows import FINISHED, OWING, copy, multiply, postpone
from bench.stage import HEAD, PATH, Question, stage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from bench.results import Result
    from bench.stage import Server, Stage

    Make = Callable[[Stage, int], Awaitable[Server]]

WIDTH: Final = 32
COUNT: Final = 1000


async def with_routes(on: Stage, size: int) -> Server:
    """Start a router with so many intents, all of whose tools are called."""
    path = write(on.folder / f"routes of {size}", size, f"{HEAD}include: [routes.d/*.yaml]\n")
    server = on.router(f"{size} intents", HANDOVER_CONFIG=str(path))
    tools = tuple(f"/tools/{number}" for number in range(size // INTENTS))
    return dataclasses.replace(server, question=Question(tools, b'{"intent": "wish 3"}', b"Number 3 takes over."))


async def with_plugins(on: Stage, size: int) -> Server:
    """Start a router with so many plugins that are switched on, and not used by the route."""
    names = [f"idle{number}" for number in range(size)]
    uses, offs = (", ".join(form.format(name) for name in names) for form in ("{{use: {}}}", "{}: false"))
    route = f"{PATH}: {{flow: refunds, intents: {{refund: {{}}}}, plugins: {{{offs}}}}}"
    return on.router(f"{size} plugins", routes=f"{HEAD}plugins: [{uses}]\ntools: {{{route}}}\n", plugins=names)


async def with_rows(on: Stage, size: int) -> Server:
    """Start a router with so many finished rows in its ledger, a tenth of them old enough to be dropped."""
    return await _with_ledger(on, size, FINISHED)


async def with_open_work(on: Stage, size: int) -> Server:
    """Start a router that owes something to so many conversations, though not yet."""
    return await _with_ledger(on, size, OWING)


async def _with_ledger(on: Stage, size: int, values: Mapping[str, str]) -> Server:
    source, file = on.folder / "source" / "handovers.db", _ledger(on, size)
    if not source.exists():
        server = on.router("source")
        await run_round(Cell(server, [], []), on.numbers(10 * WIDTH), WIDTH)
    copy(source, file)
    multiply(file, size, values)
    return on.router(f"{size} rows", str(file))


def _ledger(on: Stage, size: int) -> Path:
    return on.folder / f"{size}.db"


CURVES: Final[Mapping[str, tuple[Make, Sequence[int]]]] = {
    "intents in the routes": (with_routes, (10, 100, 1_000, 10_000)),
    "plugins that the route does not use": (with_plugins, (0, 10, 25, 50)),
    "rows in the ledger": (with_rows, (0, 10_000, 100_000, 1_000_000)),
    "conversations with open work": (with_open_work, (0, 100, 1_000, 10_000)),
}


async def measure_curve(make: Make, sizes: Sequence[int], rounds: int) -> Result:
    """Start a router for each size and let them take turns; gives seconds of CPU and of latency, by size."""
    with stage() as on:
        on.stand_in(0)
        cells = [Cell(await make(on, size), [], []) for size in sizes]
        for number in range(rounds + 1):
            for file in filter(Path.exists, (_ledger(on, size) for size in sizes)):
                postpone(file)
            for cell in cells if number % 2 else reversed(cells):
                await run_round(cell, on.numbers(COUNT), WIDTH)
    told = [
        {"cpu": [each.cpu for each in cell.rounds[1:]], "p50": [each.p50 for each in cell.rounds[1:]]} for cell in cells
    ]
    return {"sizes": sizes} | {name: [_beside(each[name], told[0][name]) for each in told] for name in ("cpu", "p50")}


def _beside(found: Sequence[float], first: Sequence[float]) -> tuple[float, float]:
    """Give the median, and that of the ratios to the first size, each taken within its round."""
    ratios = (one / other for one, other in zip(found, first, strict=True))
    return statistics.median(found), statistics.median(ratios)


async def measure(rounds: int, most: int) -> Result:
    """Measure every curve, up to so many of each."""
    curves = {}
    for name, (make, sizes) in CURVES.items():
        curves[name] = await measure_curve(make, [size for size in sizes if size <= most], rounds)
        print(report({"curves": {name: curves[name]}}), flush=True)
    return {"rounds": rounds, "width": WIDTH, "curves": curves}


def report(result: Result) -> str:
    """Write a table for each curve, with ratios to its first size."""
    parts = []
    for name, curve in result["curves"].items():
        rows = [
            [f"{size:,}", *(f"{median * 1e3:.2f} ({ratio:.2f})" for median, ratio in found)]
            for size, *found in zip(curve["sizes"], curve["cpu"], curve["p50"], strict=True)
        ]
        parts.append(table([name, "CPU ms", "p50 ms"], rows))
    return "\n".join(parts)


def main(arguments: Sequence[str]) -> None:
    """Read the options, measure, and keep the result."""
    parser = options("growth", __doc__)
    parser.add_argument("--rounds", type=some, default=15, help="turns; what counts is their median")
    given = parser.parse_args(arguments)
    rounds, most = (1, 10_000) if given.quick else (given.rounds, 1_000_000)
    raise_limits()
    save(given.to, "growth", uvloop.run(measure(rounds, most)), is_quick=given.quick)
