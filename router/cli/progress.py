"""Progress on stderr: one line that changes where somebody watches, else a line every so often."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

FEW: Final = 10
"""So few are done before anybody wonders."""

PAUSE: Final = 5.0
"""Seconds between two lines where nobody watches."""

_CLEAR: Final = "\r\x1b[K"


@dataclass(slots=True)
class Progress:
    """Tells on ``stream`` how many of ``total`` are done. Use it in a ``with``, which leaves no half line behind."""

    what: str
    total: int
    stream: TextIO
    monotonic: Callable[[], float] = time.monotonic
    _told: float = field(init=False)

    def __post_init__(self) -> None:
        self._told = self.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.total > FEW and self.stream.isatty():
            self.stream.write(_CLEAR)
            self.stream.flush()

    def tell(self, done: int) -> None:
        """Say that so many are done, if it is worth saying."""
        if self.total <= FEW:
            return
        line = f"handover: {self.what}: {done} of {self.total}"
        if self.stream.isatty():
            self.stream.write(_CLEAR + line)
            self.stream.flush()
        elif self.monotonic() - self._told >= PAUSE:
            self._told = self.monotonic()
            self.stream.write(line + "\n")
