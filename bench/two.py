"""Two processes on one PostgreSQL, beside one: how much more they hand over.

Client, stand-in and PostgreSQL run on the same machine and need its cores too, so two processes that take all that they
can get show nothing. So each process is bounded by something of its own, as on a machine of its own: by the places
that it has for handovers where Twilio is slow, and by a share of a core where Twilio answers at once. A run without
bounds is told as well, with what each of those on the machine took.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import uvloop

from bench.postgres import postgres
from bench.processes import raise_limits
from bench.results import options, save, some, table
from bench.share import held_to
from bench.stage import stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.postgres import Postgres
    from bench.results import Result
    from bench.stage import Server, Stage


@dataclass(frozen=True, slots=True)
class Bound:
    """What bounds a process: ``places`` for handovers, a ``share`` of a core, or nothing; ``count`` makes a round."""

    title: str
    delay: float
    places: int
    share: float
    width: int
    count: int


SHARE: Final = 0.2
FREE: Final = Bound("nothing, Twilio at once", 0, 100, 0, 16, 1500)
BOUNDS: Final = (
    Bound("8 places each, Twilio 80 ms away", 0.08, 8, 0, 16, 200),
    Bound(f"{SHARE:.0%} of a core each, Twilio at once", 0, 100, SHARE, 16, 400),
    FREE,
)


async def run_round(on: Stage, servers: Sequence[Server], bound: Bound, there: Postgres) -> Result:
    """Hand over ``bound.count`` conversations by each of the servers at the same time."""
    whole = bound.count * len(servers)
    removed, began = servers[0].figures()["DELETE"], time.perf_counter()
    cpu, of_postgres = [server.cpu for server in servers], there.cpu
    async with contextlib.AsyncExitStack() as stack:
        for server in servers if bound.share else ():
            await stack.enter_async_context(held_to(server.pid, bound.share))
        await asyncio.gather(*(server.drive(on.numbers(bound.count), bound.width) for server in servers))
        await servers[0].settle(removed + whole)
    used = sum(server.cpu - before for server, before in zip(servers, cpu, strict=True))
    return {
        "rate": whole / (time.perf_counter() - began),
        "cpu": used / whole,
        "postgres": (there.cpu - of_postgres) / whole,
    }


async def compare(bound: Bound, rounds: int) -> Result:
    """Let one process and two take turns; gives medians of the rates, the CPU a handover, and of the ratios."""
    with postgres() as there, stage() as on:
        on.stand_in(bound.delay)
        settings = {"HANDOVER_CONCURRENCY": str(bound.places), "HANDOVER_DEADLINE": "30"}
        pair = [on.router(name, there.url, **settings) for name in ("first", "second")]
        turns: dict[int, list[Result]] = {1: [], 2: []}
        for number in range(rounds + 1):
            for size in (1, 2) if number % 2 else (2, 1):
                found = await run_round(on, pair[:size], bound, there)
                turns[size] += [found] if number else []  # the first round warms up
    told = {
        name: [statistics.median(each[name] for each in turns[size]) for size in (1, 2)]
        for name in ("rate", "cpu", "postgres")
    }
    ratios = (two["rate"] / one["rate"] for one, two in zip(turns[1], turns[2], strict=True))
    return {"title": bound.title, "is_bound": bound is not FREE, **told, "ratio": statistics.median(ratios)}


async def measure(rounds: int, bounds: Sequence[Bound]) -> Result:
    """Measure with each bound."""
    return {"rounds": rounds, "cores": os.cpu_count(), "bounds": [await compare(bound, rounds) for bound in bounds]}


def report(result: Result) -> str:
    """Write the rates and their ratio, and the CPU that a handover takes of the routers and of PostgreSQL."""
    rows = [
        [
            each["title"],
            *(f"{rate:.0f}" for rate in each["rate"]),
            f"{each['ratio']:.2f}",
            *(f"{one * 1e3:.2f}, {two * 1e3:.2f}" for one, two in (each["cpu"], each["postgres"])),
        ]
        for each in result["bounds"]
    ]
    return table(["what bounds a process", "one, 1/s", "two, 1/s", "ratio", "router CPU ms", "PostgreSQL CPU ms"], rows)


def main(arguments: Sequence[str]) -> None:
    """Read the options, measure, and keep the result."""
    parser = options("two", __doc__)
    parser.add_argument("--rounds", type=some, default=7, help="turns; what counts is their median")
    given = parser.parse_args(arguments)
    raise_limits()
    result = uvloop.run(measure(1 if given.quick else given.rounds, BOUNDS))
    print(report(save(given.to, "two", result, is_quick=given.quick)))
