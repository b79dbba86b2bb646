"""Handovers a second, latency, CPU, memory and connections of the router, beside the floor.

Floor, router on SQLite and router on PostgreSQL take turns in one run, each with a stand-in for Twilio of its own, and
what counts are the medians over the rounds; a ratio is taken within its round. A round ends when the last webhook of an
agent is removed, so that all have done the same work. The router is as it ships, with a guard and an observer.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import uvloop

from bench.postgres import postgres
from bench.processes import memory, raise_limits
from bench.results import options, save, seconds, some, table
from bench.stage import stage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench.results import Result
    from bench.stage import Server, Stage

DELAYS: Final = (0.0, 0.02, 0.08)
WIDTHS: Final = (1, 32, 256, 1000)

PATIENT: Final = {"HANDOVER_QUEUE": "2000", "HANDOVER_DEADLINE": "30"}
"""Nobody is refused, as the floor refuses nobody: a refusal is no handover, and faster than one."""

FLOOR: Final = "floor"
MAKERS: Final[Mapping[str, Callable[[Stage, contextlib.ExitStack], Server]]] = {
    FLOOR: lambda on, _: on.floor(),
    "SQLite": lambda on, _: on.router("SQLite", **PATIENT),
    "PostgreSQL": lambda on, stack: on.router("PostgreSQL", stack.enter_context(postgres()).url, **PATIENT),
}

CONNECTIONS: Final = 100
"""So many connections with Twilio the SDK's pool has, and as many handovers the router lets talk at a time."""

TRIPS: Final = 3
"""List, create, delete: the floor makes them one after the other."""

FASTEST: Final = 1000
"""Handovers a second that a round reckons with where Twilio does not hold them back, and 300 at one in flight."""

JUDGED: Final = (32, 0.0)
"""At so many in flight, and after so many seconds of Twilio's, the CPU is held against what is wanted."""

RARE: Final = 1000
"""So many calls it takes to speak of the slowest in a thousand."""


@dataclass(frozen=True, slots=True)
class Round:
    """One round: handovers a second, latencies and CPU a handover in seconds."""

    rate: float
    p50: float
    p99: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Cell:
    """A server at a width and a delay: its rounds, and all latencies of them."""

    server: Server
    rounds: list[Round]
    took: list[float]


@dataclass(frozen=True, slots=True)
class Length:
    """How long it is: ``rounds``, each of about so many ``seconds`` and of ``least`` handovers for each in flight."""

    rounds: int
    seconds: float
    least: int

    def turns(self, width: int, delay: float) -> int:
        """Say how many rounds there are: three times as many where CPU is judged: machines have moods."""
        return self.rounds * (3 if (width, delay) == JUDGED else 1)

    def count(self, width: int, delay: float) -> int:
        """Say how many handovers make a round."""
        waited = min(width, CONNECTIONS) / (TRIPS * delay) if delay else FASTEST
        return max(self.least * width, 10, int(self.seconds * min(FASTEST, 300 * width, waited)))


async def run_round(cell: Cell, numbers: Sequence[int], width: int) -> None:
    """Hand the conversations over, and note how that went."""
    server = cell.server
    removed, cpu, began = server.figures()["DELETE"], server.cpu, time.perf_counter()
    driven = await server.drive(numbers, width)
    await server.settle(removed + len(numbers))
    rate, used = len(numbers) / (time.perf_counter() - began), (server.cpu - cpu) / len(numbers)
    cell.rounds.append(Round(rate, driven.percentile(0.5), driven.percentile(0.99), used))
    cell.took.extend(driven.took)


async def compare(on: Stage, servers: Sequence[Server], width: int, count: int, rounds: int) -> list[Result]:
    """Let the servers take turns; the first round warms up. Gives a result for each."""
    for server in servers:
        await run_round(Cell(server, [], []), on.numbers(max(width, count // 4)), width)
    cells = [Cell(server, [], []) for server in servers]
    for number in range(rounds):
        for cell in cells if number % 2 else reversed(cells):
            await run_round(cell, on.numbers(count), width)
    floors = [cell.rounds for cell in cells if cell.server.name == FLOOR]
    return [{"width": width, "count": count, **told(cell, *floors)} for cell in cells]


def told(cell: Cell, floor: Sequence[Round] = ()) -> Result:
    """Give what a cell comes to: medians, the ratios to the floor, and what the process has by now."""
    took, rounds, server = sorted(cell.took), [asdict(each) for each in cell.rounds], cell.server
    seen = server.figures()
    return {
        "server": server.name,
        **_medians(rounds),
        "p999": took[int(len(took) * 0.999)] if len(took) >= RARE else None,
        "memory": memory(server.pid),
        "peak": memory(server.pid, "VmHWM"),
        "opened": seen["opened"],
        "most": seen["most"],
        "ratios": _medians([_ratios(*pair) for pair in zip(rounds, map(asdict, floor), strict=True)] if floor else []),
    }


def _medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: statistics.median(each[name] for each in rounds) for name in (rounds[0] if rounds else ())}


def _ratios(of: Mapping[str, float], to: Mapping[str, float]) -> dict[str, float]:
    return {name: of[name] / to[name] for name in of}


async def repeat(on: Stage, server: Server, width: int, count: int) -> Result:
    """Hand conversations over, then ask for the same again; gives what a repeat takes."""
    numbers = on.numbers(count)
    await run_round(Cell(server, [], []), numbers, width)
    before = requests(server)
    driven = await server.drive(numbers, width)
    asked = (requests(server) - before) / count
    return {"server": server.name, "p50": driven.percentile(0.5), "requests": asked}


def requests(server: Server) -> int:
    """Count what its stand-in was asked."""
    seen = server.figures()
    return seen["GET"] + seen["POST"] + seen["DELETE"]


async def measure(delays: Sequence[float], widths: Sequence[int], names: Sequence[str], length: Length) -> Result:
    """Measure every server at every width and delay."""
    cells: list[Result] = []
    repeats: list[Result] = []
    for delay in delays:
        with stage() as on, contextlib.ExitStack() as stack:
            servers = []
            for name in names:
                on.stand_in(delay)
                servers.append(MAKERS[name](on, stack))
            for width in widths:
                found = await compare(on, servers, width, length.count(width, delay), length.turns(width, delay))
                cells += [{"delay": delay, **each} for each in found]
                print(report({"cells": cells[-len(found) :], "repeats": []}), flush=True)
            if delay:
                routers = [server for server in servers if server.name != FLOOR]
                repeats += [{"delay": delay, **await repeat(on, each, 32, 320)} for each in routers]
    print(report({"cells": [], "repeats": repeats}), flush=True)
    return {"rounds": length.rounds, "cells": cells, "repeats": repeats}


def report(result: Result) -> str:
    """Write a table for each delay, and what a repeat takes."""
    parts = []
    for delay, cells in groupby(result["cells"], key=lambda cell: cell["delay"]):
        head = ["in flight, server", "1/s", "p50 ms", "p99 ms", "p99.9 ms"]
        head += ["trips", "CPU ms", "RSS MiB", "peak MiB", "connections"]
        rows = [_row(cell) for cell in cells]
        parts.append(f"**Twilio answers after {delay * 1e3:g} ms**\n\n{table(head, rows)}")
    for each in result["repeats"]:
        trips, requests_ = each["p50"] / each["delay"], each["requests"]
        parts.append(
            f"A repeat at {each['delay'] * 1e3:g} ms, {each['server']}: "
            f"{trips:.2f} trips, {requests_:.2f} requests to Twilio.\n"
        )
    return "\n".join(parts)


def _row(cell: Mapping[str, Any]) -> list[str]:
    ratios, p999, delay = cell["ratios"], cell["p999"], cell["delay"]
    beside = {name: f" ({ratio:.2f})" if cell["server"] != FLOOR else "" for name, ratio in ratios.items()}
    return [
        f"{cell['width']:,}, {cell['server']}",
        f"{cell['rate']:.0f}{beside.get('rate', '')}",
        f"{cell['p50'] * 1e3:.1f}{beside.get('p50', '')}",
        f"{cell['p99'] * 1e3:.1f}{beside.get('p99', '')}",
        f"{p999 * 1e3:.1f}" if p999 else "-",
        f"{cell['p50'] / delay:.2f}" if delay else "-",
        f"{cell['cpu'] * 1e3:.2f}{beside.get('cpu', '')}",
        f"{cell['memory']:.0f}",
        f"{cell['peak']:.0f}",
        f"{cell['most']} ({cell['opened']})",
    ]


def main(arguments: Sequence[str]) -> None:
    """Read the options, measure, and keep the result."""
    parser = options("handovers", __doc__)
    parser.add_argument("--rounds", type=some, default=5, help="turns of each server; what counts is their median")
    parser.add_argument("--seconds", type=seconds, default=2.0, help="that a round takes at least, about")
    parser.add_argument("--widths", type=some, nargs="+", default=list(WIDTHS), help="calls in flight")
    parser.add_argument("--delays", type=seconds, nargs="+", default=list(DELAYS), help="seconds of a trip to Twilio")
    parser.add_argument("--servers", nargs="+", choices=MAKERS, default=list(MAKERS), help="who takes turns")
    given = parser.parse_args(arguments)
    length = Length(1, 0.2, 1) if given.quick else Length(given.rounds, given.seconds, 3)
    raise_limits()
    result = uvloop.run(measure(given.delays, given.widths, given.servers, length))
    save(given.to, "handovers", result, is_quick=given.quick)
