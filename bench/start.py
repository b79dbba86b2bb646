"""From process start to ready, and to the end of ``handover check`` and ``explain``; and what they import meanwhile.

Each is a process of its own, timed from outside; told are the medians.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

from bench.configuration import write
from bench.imports import by_package
from bench.parsing import parsing
from bench.results import ROOT, options, save, some, table
from bench.stage import stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.results import Result

SHIPPED: Final = str(ROOT / "routes.yaml")
INTENTS: Final = 10_000

COMMANDS: Final[Mapping[str, Sequence[str]]] = {
    "check": ("check", SHIPPED),
    "explain": ("explain", "POST", "/tools/support", "--json", '{"intent": "chargeback"}', SHIPPED),
}

LARGE: Final = ("twilio", "starlette", "aiohttp", "uvicorn", "sqlalchemy")
"""What ``check`` and ``explain`` must not wait for: the SDK, the web, the database."""

TOLD: Final = 8
"""So many of the packages that take the longest."""


def time_start(intents: int) -> float:
    """Start a router, on the shipped file where ``intents`` is 0; gives the seconds until it was ready."""
    with stage() as on:
        on.stand_in(0)
        path = str(write(on.folder / "config", intents)) if intents else SHIPPED
        return on.router("SQLite", HANDOVER_CONFIG=path).started


def time_command(command: Sequence[str]) -> tuple[float, float]:
    """Run ``handover`` with arguments; gives seconds of wall time and of CPU. Raises RuntimeError where it fails."""
    began = time.perf_counter()
    running = subprocess.Popen([sys.executable, "-m", "router.cli", *command], stdout=subprocess.DEVNULL, cwd=ROOT)
    _, status, used = os.wait4(running.pid, 0)
    seconds = time.perf_counter() - began
    running.returncode = os.waitstatus_to_exitcode(status)  # it was waited for here, and not by Popen
    if running.returncode:
        raise RuntimeError(f"handover {command[0]} ended with {running.returncode}")
    return seconds, used.ru_utime + used.ru_stime


def imported(command: Sequence[str]) -> Mapping[str, float]:
    """Give the packages that a command imports, with the seconds that each took itself."""
    run = [sys.executable, "-X", "importtime", "-m", "router.cli", *command]
    done = subprocess.run(run, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    return by_package(done.stderr.splitlines())


def imported_by_server() -> Mapping[str, float]:
    """Give the packages that the server has imported when it is ready."""
    with stage() as on:
        on.stand_in(0)
        log = on.router("SQLite", HANDOVER_CONFIG=SHIPPED, PYTHONPROFILEIMPORTTIME="1").log
        return by_package(log.read_text().splitlines())


def measure(rounds: int) -> Result:
    """Measure the starts, the commands in turns, the imports, and what reading costs."""
    starts = {str(intents): statistics.median(time_start(intents) for _ in range(rounds)) for intents in (0, INTENTS)}
    runs = [{name: time_command(command) for name, command in COMMANDS.items()} for _ in range(rounds)]
    packages = {name: imported(command) for name, command in COMMANDS.items()} | {"serve": imported_by_server()}
    return {
        "rounds": rounds,
        "intents": INTENTS,
        "starts": starts,
        "commands": {name: [statistics.median(run[name][i] for run in runs) for i in (0, 1)] for name in COMMANDS},
        "large": {name: [each for each in LARGE if each in packages[name]] for name in COMMANDS},
        "imports": {name: dict(list(found.items())[:TOLD]) for name, found in packages.items()},
        "parsing": parsing(INTENTS, rounds),
    }


def report(result: Result) -> str:
    """Write the times, the imports, and what reading costs."""
    starts, many = result["starts"], f"{result['intents']:,} intents"
    rows = [["from process start to ready, shipped file", f"{starts['0']:.2f}", ""]]
    rows += [[f"the same, {many}", f"{starts[str(result['intents'])]:.2f}", ""]]
    rows += [[f"handover {name}", f"{wall:.2f}", f"{cpu:.2f}"] for name, (wall, cpu) in result["commands"].items()]
    longest = [
        [name, ", ".join(f"{package} {taken * 1e3:.0f}" for package, taken in found.items())]
        for name, found in result["imports"].items()
    ]
    large = "; ".join(f"`{name}`: {', '.join(found) or 'none'}" for name, found in result["large"].items())
    reading = [[name, f"{cpu:.2f}"] for name, cpu in result["parsing"].items()]
    return (
        f"{table(['', 'seconds', 's of CPU'], rows)}\n"
        f"Of {', '.join(LARGE)} are imported by {large}.\n\n"
        f"{table(['', 'packages that take the longest to import, ms'], longest)}\n"
        f"{table([f'{many}, read by', 's of CPU'], reading)}"
    )


def main(arguments: Sequence[str]) -> None:
    """Read the options, measure, and keep the result."""
    parser = options("start", __doc__)
    parser.add_argument("--rounds", type=some, default=7, help="turns; what counts is their median")
    given = parser.parse_args(arguments)
    print(report(save(given.to, "start", measure(1 if given.quick else given.rounds), is_quick=given.quick)))
