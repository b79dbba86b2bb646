"""The faults that are found while a file is loaded, gathered so that a user sees all of them at once."""

from __future__ import annotations

from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING, Final

from router.model.diagnostic import Diagnostic, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.model.place import Place

MOST: Final = 500
"""So many faults are told; a file with more is not read to its end by anyone."""

_GUESSES: Final = 100
_CHOICES: Final = 1000


class Faults:
    """Gathers diagnostics. The same one, found twice, is told once."""

    def __init__(self) -> None:
        self._found: dict[Diagnostic, None] = {}
        self._files: dict[str, int] = {}
        self._left_out: Diagnostic | None = None
        self._guesses = 0

    def meet(self, file: str) -> None:
        """Note the place of a file in the order in which faults are told."""
        self._files.setdefault(file, len(self._files))

    def error(self, place: Place, code: str, message: str) -> None:
        """Note what keeps the file from going live."""
        self.tell(place, code, message, Severity.ERROR)

    def warning(self, place: Place, code: str, message: str) -> None:
        """Note what is odd but works."""
        self.tell(place, code, message, Severity.WARNING)

    def tell(self, place: Place, code: str, message: str, severity: Severity) -> None:
        """Note what is as bad as whoever loads the file takes it to be."""
        diagnostic = Diagnostic(*place, code, message, severity)
        self.meet(diagnostic.file)
        if len(self._found) < MOST or diagnostic in self._found:
            self._found[diagnostic] = None
        elif self._left_out is None:
            self._left_out = diagnostic

    def near(self, word: str, known: Iterable[str]) -> str:
        """Ask whether the nearest of ``known`` was meant: ``; did you mean 'refunds'?``, or nothing.

        A file with very many faults gets no more guesses, as each takes time.
        """
        self._guesses += 1
        choices = {choice.casefold(): choice for choice in islice(known, _CHOICES)}
        if self._guesses > _GUESSES or len(choices) == _CHOICES:
            return ""
        close = get_close_matches(word.casefold()[:100], choices, n=1)
        return f"; did you mean '{choices[close[0]]}'?" if close else ""

    @property
    def is_full(self) -> bool:
        """No further fault would be told."""
        return self._left_out is not None

    @property
    def errors(self) -> bool:
        """Say whether anything keeps the file from going live."""
        return any(diagnostic.severity is Severity.ERROR for diagnostic in self._found)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All of them, file by file in the order in which the files were met, from top to bottom."""
        ordered = sorted(
            self._found,
            key=lambda found: (self._files[found.file], found.line, found.column, found.code, found.message),
        )
        if self._left_out is None:
            return tuple(ordered)
        last = self._left_out
        message = f"more than {MOST} faults; the others are not told"
        return (*ordered, Diagnostic(last.file, last.line, last.column, "faults-many", message))
