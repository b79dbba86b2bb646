"""Where a change of a configuration would show: its files, and the places where more could turn up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Final, Self

from router.config.files import Unreadable, contents, matching
from router.config.reading import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from router.config.reading import Contents

_MOST: Final = 1000


@dataclass(frozen=True, slots=True)
class Watch:
    """``digest`` is that of what was read; ``look`` gives that of what stands there now."""

    digest: str
    files: tuple[Path, ...]
    places: tuple[tuple[Path, str], ...]

    @classmethod
    def of(cls, path: Path, patterns: Sequence[str], plugins_dirs: Sequence[Path], read: Contents) -> Self:
        """Watch what was ``read`` and where more could turn up: directories, each with a pattern."""
        found = [(path.parent, pattern) for pattern in patterns if _is_pattern(pattern)]
        found += [(directory, "[!_.]*.py") for directory in plugins_dirs]
        # What a pattern finds and nobody read, such as a link that leads outside, is watched too.
        return cls(_digest({**_held(_matching(found) - read.keys()), **read}), tuple(read), tuple(found))

    def look(self) -> str:
        """Read all files and digest them. It may block, and raises nothing."""
        return _digest(_held({*self.files, *_matching(self.places)}))


def _is_pattern(text: str) -> bool:
    path = PurePath(text)
    return bool(text) and "**" not in text and not path.is_absolute() and ".." not in path.parts


def _matching(places: Iterable[tuple[Path, str]]) -> set[Path]:
    found: set[Path] = set()
    for directory, pattern in places:
        found.update(matching(directory, pattern, _MOST))
    return found


def _held(paths: Iterable[Path]) -> dict[Path, bytes | None]:
    held: dict[Path, bytes | None] = {}
    for path in paths:
        try:
            held[path] = contents(path)
        except Unreadable:
            held[path] = None
    return held


def _digest(read: Contents) -> str:
    return digest_of(read[path] for path in sorted(read))
