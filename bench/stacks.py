"""Stacks that a profiler has seen, folded by room: whose code was at work, and how much of all that worked."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FRAME: Final = re.compile(r"(.+) \(([^()]*?)(?::\d+)?\)")

WAITS: Final = frozenset(
    {
        ("_worker", "concurrent/futures/thread.py"),
        ("wait", "threading.py"),
        ("Writer._gather", "router/ledger/writer.py"),
    }
)
"""Functions in which a thread waits for work: to the profiler it looks busy where it has just been woken."""

BELOW: Final = ("router/cli/",)
"""The server is started there, and so it is below all that runs in the loop."""


def fold(lines: Iterable[str]) -> Mapping[str, float]:
    """Give each room's share of the samples, the largest first, from lines of ``frame;frame;... count``.

    A sample belongs to the room of the innermost frame within ``router/``; where there is none, to the library of the
    innermost frame. Threads that only wait do not count.
    """
    counts: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        frames = [_frame(frame) for frame in stack.split(";")]
        if frames[-1] not in WAITS:
            ours = [_room(file) for _, file in frames if file.startswith("router/") and not file.startswith(BELOW)]
            counts[ours[-1] if ours else _library(frames[-1][1])] += int(count)
    whole = counts.total()
    return {name: count / whole for name, count in counts.most_common()}


def _frame(text: str) -> tuple[str, str]:
    """Part a frame into its function and its file."""
    match = _FRAME.fullmatch(text)
    return (match[1], match[2]) if match else (text, "")


def _room(file: str) -> str:
    """Name the folder within ``router/``, or the module that stands there by itself."""
    return file.removesuffix(".py").split("/")[1]


def _library(file: str) -> str:
    """Name the package; the loop is compiled, and so has no frames but those of asyncio below it."""
    package = file.split("/", maxsplit=1)[0].removesuffix(".py")
    return "(asyncio, uvloop)" if package == "asyncio" else f"({package})"
