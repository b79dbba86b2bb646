"""Where the CPU of a handover goes: the running router's stacks, sampled under load and told by room."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvloop

from bench.handovers import Cell, run_round
from bench.results import options, save, some, table
from bench.stacks import fold
from bench.stage import stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.results import Result

WIDTH: Final = 32
RATE: Final = 250
"""Samples a second: each stops the server for a moment."""

SPY: Final = Path(sys.executable).with_name("py-spy")
LEAST: Final = 0.005
"""Rooms with less of a share are summed up."""


@contextlib.contextmanager
def sampled(pid: int, file: Path) -> Iterator[None]:
    """Write the stacks of a process to ``file`` while the block runs; raises RuntimeError where that is not allowed."""
    spy = [str(SPY), "record", "--format=raw", f"--rate={RATE}"]
    command = [*spy, "--nolineno", "--duration=3600", f"--output={file}", f"--pid={pid}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as running:
        yield
        running.send_signal(signal.SIGINT)
        _, trouble = running.communicate()
    if not file.is_file():
        raise RuntimeError(f"py-spy saw nothing of process {pid}; it may have to run as root:\n{trouble}")


async def measure(count: int) -> Result:
    """Hand over so many conversations twice: once to see what one costs, and once to see where that goes."""
    with stage() as on:
        on.stand_in(0)
        server, file = on.router("SQLite"), on.folder / "stacks"
        warm, plain = Cell(server, [], []), Cell(server, [], [])
        await run_round(warm, on.numbers(count // 4), WIDTH)
        await run_round(plain, on.numbers(count), WIDTH)
        with sampled(server.pid, file):
            await asyncio.sleep(1)  # it reads the process's symbols first
            await run_round(warm, on.numbers(count), WIDTH)
        shares = fold(file.read_text().splitlines())
    return {"width": WIDTH, "count": count, "cpu": plain.rounds[0].cpu, "shares": shares}


def report(result: Result) -> str:
    """Write each room's share, and its part of a handover's CPU."""
    return table(
        ["room", "share", "µs a handover"],
        [[name, f"{share:.1%}", f"{share * result['cpu'] * 1e6:.0f}"] for name, share in large(result["shares"])],
    )


def large(shares: dict[str, float]) -> list[tuple[str, float]]:
    """Give the rooms that count, and the sum of all others at the end."""
    counting = [(name, share) for name, share in shares.items() if share >= LEAST]
    rest = 1 - sum(share for _, share in counting)
    return [*counting, ("(all others)", rest)] if rest > 0 else counting


def main(arguments: Sequence[str]) -> None:
    """Read the options, measure, and keep the result."""
    parser = options("profile", __doc__)
    parser.add_argument("--count", type=some, default=10_000, help="handovers under the profiler")
    given = parser.parse_args(arguments)
    if not SPY.exists():
        sys.exit("bench: py-spy is missing; delete .venv/bench and run make bench again")
    result = uvloop.run(measure(1000 if given.quick else given.count))
    print(report(save(given.to, "profile", result, is_quick=given.quick)))
