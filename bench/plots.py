"""The curves of ``docs/performance.md``, as PNG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib import pyplot as plt

from bench.profile import large

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from bench.results import Result

mpl.use("Agg")

COLOURS: Final = {"floor": "0.55", "SQLite": "tab:blue", "PostgreSQL": "tab:orange"}
FIGURES: Final = {
    "rate": ("handovers a second", 1),
    "p50": ("p50 (line), p99 (dots), ms", 1e3),
    "cpu": ("CPU a handover, ms", 1e3),
}


def handovers(result: Result, file: Path) -> None:
    """Draw rate, latency and CPU over the width, a column for each delay."""
    delays = list(dict.fromkeys(cell["delay"] for cell in result["cells"]))
    figure, axes = plt.subplots(len(FIGURES), len(delays), figsize=(3.6 * len(delays), 7.5), sharex=True, squeeze=False)
    for column, delay in enumerate(delays):
        axes[0][column].set_title(f"Twilio answers after {delay * 1e3:g} ms")
        for row, (name, (label, scale)) in enumerate(FIGURES.items()):
            for server in COLOURS:
                cells = [cell for cell in result["cells"] if (cell["delay"], cell["server"]) == (delay, server)]
                _draw(axes[row][column], cells, server, name, scale)
            if name != "p50":
                _from_zero(axes[row][column])
            axes[row][column].set_ylabel(label if not column else "")
        axes[-1][column].set_xlabel("in flight")
    axes[0][0].legend()
    _save(figure, file)


def _draw(axis: Any, cells: Sequence[Mapping[str, Any]], server: str, name: str, scale: float) -> None:
    widths = [cell["width"] for cell in cells]
    axis.semilogx(widths, [cell[name] * scale for cell in cells], "o-", color=COLOURS[server], label=server)
    if name == "p50":
        axis.set_yscale("log")
        axis.semilogx(widths, [cell["p99"] * scale for cell in cells], "o:", color=COLOURS[server])
    axis.set_xticks(widths, [f"{width:,}" for width in widths])
    axis.minorticks_off()


def profile(result: Result, file: Path) -> None:
    """Draw each room's part of a handover's CPU."""
    names, shares = zip(*reversed(large(result["shares"])), strict=True)
    figure, axis = plt.subplots(figsize=(7, 0.3 * len(names) + 1))
    axis.barh(names, [share * result["cpu"] * 1e6 for share in shares])
    axis.set_xlabel("µs of CPU a handover")
    _save(figure, file)


def growth(result: Result, file: Path) -> None:
    """Draw CPU and latency over each size, from zero on: a slope is as steep as it is."""
    curves, rows = result["curves"], {"cpu": "CPU a call, ms", "p50": "p50, ms"}
    figure, axes = plt.subplots(len(rows), len(curves), figsize=(3.4 * len(curves), 5), sharex="col", squeeze=False)
    for column, (name, curve) in enumerate(curves.items()):
        places = range(len(curve["sizes"]))
        for axis, (row, label) in zip(axes[:, column], rows.items(), strict=True):
            axis.plot(places, [median * 1e3 for median, _ in curve[row]], "o-")
            axis.set_ylabel(label if not column else "")
            _from_zero(axis)
        axes[-1][column].set_xticks(places, [f"{size:,}" for size in curve["sizes"]])
        axes[-1][column].set_xlabel(name)
    _save(figure, file)


def soak(result: Result, file: Path) -> None:
    """Draw the memory over the handovers."""
    figure, axis = plt.subplots(figsize=(7, 3))
    axis.plot(*zip(*result["points"], strict=True))
    axis.set_xlabel("handovers")
    axis.set_ylabel("RSS, MiB")
    _from_zero(axis)
    _save(figure, file)


def _from_zero(axis: Any) -> None:
    axis.set_ylim(0, 1.15 * axis.get_ylim()[1])


def _save(figure: Any, file: Path) -> None:
    figure.tight_layout()
    figure.savefig(file, dpi=90, metadata={"Software": None})
    plt.close(figure)


PLOTS: Final[Mapping[str, Callable[[Result, Path], None]]] = {
    "handovers": handovers,
    "profile": profile,
    "growth": growth,
    "soak": soak,
}
