"""Results: how a benchmark is asked for them, and where they are kept, with the machine and the day they are of."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import math
import os
import platform
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Result: TypeAlias = "dict[str, Any]"
"""What a benchmark found, as JSON has it."""

ROOT: Final = Path(__file__).resolve().parent.parent
KEPT: Final = ROOT / "docs" / "performance"
"""The results that ``docs/performance.md`` shows."""

SHOWN: Final = ("handovers", "profile", "growth", "start", "soak", "two")
"""The benchmarks whose results it shows."""

ASIDE: Final = ROOT / "build" / "bench"


def options(name: str, about: str | None) -> argparse.ArgumentParser:
    """Make the parser of a benchmark's options, with those that all have."""
    parser = argparse.ArgumentParser(prog=f"make bench ARGS='{name} ...'", description=about)
    parser.add_argument("--to", type=folder, default=ASIDE, help="the folder for the result; default build/bench")
    parser.add_argument("--quick", action="store_true", help="little of everything: shows that it works, and no more")
    return parser


def folder(text: str) -> Path:
    """Read a folder that can be written into, so that no result is lost at the end."""
    path = Path(text)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot write into {text}: {error.strerror}; name another folder") from None


def some(text: str) -> int:
    """Read a count: a whole number from 1 on."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def seconds(text: str) -> float:
    """Read a time: seconds, 0 or more."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return found


def save(there: Path, name: str, result: Mapping[str, Any], *, is_quick: bool) -> Result:
    """Keep a result; gives it with the machine and the day."""
    whole = {"machine": _machine(), "day": dt.datetime.now(dt.UTC).date().isoformat(), "is_quick": is_quick}
    whole |= result
    there.mkdir(parents=True, exist_ok=True)
    (there / f"{name}.json").write_text(json.dumps(whole, indent=1) + "\n")
    return whole


def read(there: Path, name: str) -> Result:
    """Read a result; raises FileNotFoundError where there is none."""
    result: Result = json.loads((there / f"{name}.json").read_text())
    return result


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table that reads well on a screen and in a page; all but the first column stand to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [head, rule, *rows]
    return "".join(f"| {' | '.join(_placed(line, widths))} |\n" for line in lines)


def _placed(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [line[0].ljust(widths[0]), *(each.rjust(width) for each, width in zip(line[1:], widths[1:], strict=True))]


def _machine() -> str:
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    model = models[0].partition(":")[2].strip() if models else platform.machine()
    return f"{os.cpu_count()} cores ({model}), {platform.system()}, Python {platform.python_version()}"
