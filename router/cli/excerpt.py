"""The line of the file that a diagnostic is about, with a caret below the place."""

from __future__ import annotations

import re
import unicodedata
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from router.cli.veil import LONGEST, secret_lines, veiled
from router.config.files import Unreadable, contents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.model.diagnostic import Diagnostic

_WIDTH: Final = 100
"""Columns of a terminal that the part of a line may take."""

_TOKEN: Final = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\"|[$][{][^}]*[}]|[\[\]{}]|(?:(?!:\s|:$|\s#|,\s|[\]}]).)+"
)


class Excerpts:
    """Reads each file once, and only as far as it is asked for; what cannot be read has no excerpt."""

    def __init__(self) -> None:
        self._files: dict[str, _Source] = {}

    def of(self, diagnostic: Diagnostic) -> Iterator[str]:
        """Yield the source line and the line with the caret; nothing where there is none, as for a plugin's code."""
        if diagnostic.file.endswith(".py"):
            return
        if diagnostic.file not in self._files:
            self._files[diagnostic.file] = _Source(Path(diagnostic.file))
        line = self._files[diagnostic.file].line(diagnostic.line)
        if not line.strip():
            return
        number = f"{diagnostic.line:>5} | "
        text, before, span = _part(line, min(diagnostic.column - 1, len(line)))
        yield click.style(number, fg="blue") + text
        yield click.style(f"{'|':>7} ", fg="blue") + " " * before + click.style("^" * span, fg="red", bold=True)


class _Source:
    """The lines of one file, with what may be secret in them hidden."""

    def __init__(self, path: Path) -> None:
        try:
            text = contents(path).decode("utf-8-sig", "replace")
        except Unreadable:
            text = ""
        self._lines = text.splitlines()
        self._judged = secret_lines(self._lines)
        self._is_secret: list[bool] = []

    def line(self, number: int) -> str:
        """Give a line by its number, from 1; an empty one where there is none."""
        if number > len(self._lines):
            return ""
        while len(self._is_secret) < number:
            self._is_secret.append(next(self._judged))
        return veiled(self._lines[number - 1][:_READ], is_secret=self._is_secret[number - 1])


_READ: Final = 10 * LONGEST


def _part(line: str, column: int) -> tuple[str, int, int]:
    """Cut a line around a column; give the part, the columns of a terminal before the caret, and those below it."""
    token = _TOKEN.match(line, column)
    end = column + len(token.group().rstrip()) if token else column
    first = max(0, min(column - _WIDTH // 2, len(line) - _WIDTH))
    cells = [_cell(character) for character in line[first : first + _WIDTH]]
    widths = [0, *accumulate(map(_columns, cells))]
    begin, stop = widths[column - first], widths[min(end - first, len(cells))]
    lead, trail = "…" if first else "", "…" if first + _WIDTH < len(line) else ""
    return f"{lead}{''.join(cells)}{trail}", len(lead) + begin, max(1, stop - begin)


def _cell(character: str) -> str:
    """Show a character that has no width, or moves the cursor, by its escape."""
    return character if character.isprintable() else ascii(character)[1:-1]


def _columns(cell: str) -> int:
    """Count the columns that a terminal gives to it."""
    if len(cell) > 1:
        return len(cell)
    if unicodedata.combining(cell):
        return 0
    return 2 if unicodedata.east_asian_width(cell) in "WF" else 1
