"""Reading on behind what is no YAML: the broken lines are emptied, so that the others are judged too."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from router.config.remedies import DASHES

if TYPE_CHECKING:
    from router.config.breaks import Broken

_BUDGET: Final = 1_000_000
"""So many characters are read again at most."""

_MOST: Final = 20
"""So often a file is mended at most."""


def _indent_below(line: str) -> int:
    """Guess how far the line below ``line`` is indented: as far as its keys, or further where they have no value."""
    bare = line.lstrip()
    keys = bare.lstrip("- ")
    return len(line) - len(keys) + (2 if keys.rstrip().endswith(":") else 0)


class Mending:
    """A text that is emptied line by line where it is broken.

    ``gaps`` are the lines that were changed, from 1; ``shifts`` says by how many columns a line became longer.
    """

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines(keepends=True)
        self._left = min(_MOST, _BUDGET // (len(text) + 1))
        self.gaps: set[int] = set()
        self.shifts: dict[int, int] = {}
        self._ordered: list[int] = []

    @property
    def text(self) -> str:
        """The text with all its lines at their places."""
        return "".join(self._lines)

    def mend(self, broken: Broken) -> bool:
        """Empty what is broken; say whether it is worth reading the text again."""
        self._left -= 1
        if self._left < 0:
            return False
        if broken.code == "yaml-tab":
            self._expand_tabs()
            return True
        if broken.code == "yaml-character":
            self._make_plain(broken.place.line, broken.place.column - 1)
            return True
        is_full = self._indent(broken.place.line) >= 0
        if is_full:
            self._empty(broken.place.line)
        return is_full

    def touches(self, first: int, last: int) -> bool:
        """Say whether a line was changed from the one before ``first`` to ``last``."""
        if len(self._ordered) != len(self.gaps):
            self._ordered = sorted(self.gaps)
        index = bisect_left(self._ordered, first - 1)
        return index < len(self._ordered) and self._ordered[index] <= last

    def is_cut_below(self, line: int) -> bool:
        """Say whether the next line that has something in it, or had, was emptied."""
        following = range(line + 1, len(self._lines) + 1)
        return next((each in self.gaps for each in following if each in self.gaps or self._indent(each) >= 0), False)

    def _empty(self, first: int) -> None:
        """Empty a line and all that is indented below it."""
        indent = self._indent(first)
        for number in range(first, len(self._lines) + 1):
            if number > first and 0 <= self._indent(number) <= indent:
                break
            line = self._lines[number - 1]
            self._lines[number - 1] = line[len(line.rstrip("\r\n")) :] or "\n"
            self.gaps.add(number)

    def _make_plain(self, number: int, column: int) -> None:
        """Put a plain dash or space in the place of one that only looks like it."""
        line = self._lines[number - 1]
        rest = line[column + 1 :] if line[column] in DASHES else line[column:].lstrip()
        width = len(line) - column - len(rest)
        plain = "-" if line[column] in DASHES else " " * width
        self._lines[number - 1] = line[:column] + plain + rest
        self.gaps.add(number)

    def _expand_tabs(self) -> None:
        """Take each tab of an indentation for one level; lines with tabs begin where the line above lets them."""
        above, move = "", 0
        for number, line in enumerate(self._lines, 1):
            rest = line.lstrip(" \t")
            indent = line[: len(line) - len(rest)]
            if "\t" in indent:
                width = len(indent.replace("\t", "  "))
                if "\t" not in above[: len(above) - len(above.lstrip())]:
                    move = _indent_below(above) - width
                new = " " * max(0, width + move)
                self._lines[number - 1] = new + rest
                self.gaps.add(number)
                self.shifts[number] = len(new) - len(indent)
            if rest.strip() and not rest.startswith("#"):
                above = line

    def _indent(self, number: int) -> int:
        """Count the spaces before what stands in a line; -1 where nothing does."""
        line = self._lines[number - 1] if number <= len(self._lines) else ""
        bare = line.lstrip()
        return len(line) - len(bare) if bare and not bare.startswith("#") else -1
