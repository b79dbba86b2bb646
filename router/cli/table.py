"""A table of text: aligned columns, each line one row, cut where it must fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_GAP: Final = "  "
_NARROWEST: Final = 8


def table(rows: Sequence[Sequence[str]], room: int | None = None) -> str:
    """Align ``rows``, which have as many cells each; ``room`` is the number of characters that a line may have."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if room is not None:
        _narrow(widths, room - len(_GAP) * (len(widths) - 1))
    lines = (_GAP.join(cut(cell, width).ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in (lines if room is None else (cut(line, room) for line in lines)))


def _narrow(widths: list[int], room: int) -> None:
    """Take from the widest columns until they fit, or are too narrow to be read."""
    while sum(widths) > room and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1


def cut(text: str, width: int) -> str:
    """Give ``text``, or its beginning and a mark where it has more than ``width`` characters."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"
