"""Reading a configuration's files, up to the point where their own text is understood; what they held is kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from router.config.files import Unreadable, contents, decoded
from router.config.interpolation import Interpolation
from router.config.nodes import compose
from router.model.diagnostic import Severity
from router.model.place import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from router.config.document import Document
    from router.config.faults import Faults

Contents: TypeAlias = "Mapping[Path, bytes | None]"
"""What files hold, by their paths; None where one cannot be read."""

_LEAST: Final = 400
"""A file that had fewer bytes may shrink as it likes."""


def _nothing() -> Mapping[Path, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Substitutes:
    """What is read in place of what stands on the disk.

    ``instead`` has other contents for some files; ``fragments`` names those that are included, whatever the patterns
    find; ``left_out`` are fragments that are not read at all, each with the paths of the tools that it should hold.
    """

    instead: Mapping[Path, bytes] = field(default_factory=_nothing)
    fragments: tuple[Path, ...] | None = None
    left_out: Mapping[Path, tuple[str, ...]] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class Running:
    """The contents that are in use. A file that lost more than half of them is told with this severity."""

    contents: Mapping[Path, bytes] = field(default_factory=_nothing)
    severity: Severity = Severity.WARNING


class Reader:
    """Reads files of one configuration and tells ``faults`` what keeps them from being understood."""

    def __init__(
        self, environ: Mapping[str, str], faults: Faults, instead: Mapping[Path, bytes], running: Running
    ) -> None:
        self._faults = faults
        self._instead = instead
        self.running = running
        self._interpolation = Interpolation(environ, faults)
        self._own: dict[Path, bytes | None] = {}

    @property
    def own(self) -> dict[Path, bytes]:
        """The files of the configuration itself, less those that cannot be read."""
        return {path: found for path, found in self._own.items() if found is not None}

    @property
    def everything(self) -> dict[Path, bytes | None]:
        """All that was asked for, with the files that are only referred to."""
        return self._own | self._interpolation.read

    def read(self, path: Path, whence: str = "") -> Document | None:
        """Read one file; None, and at least one fault, where it cannot be read as YAML.

        ``whence`` continues the sentence about a file that cannot be read.
        """
        name = str(path)
        self._faults.meet(name)
        try:
            found = self._instead[path] if path in self._instead else contents(path)
        except Unreadable as error:
            self._own[path] = None
            self._faults.error(Place(name, 1, 1), error.code, f"the file {error}{whence}")
            return None
        self._own[path] = found
        self._compare(path, found)
        text = decoded(found, name, self._faults)
        document = None if text is None else compose(text, name, self._faults)
        if document is not None:
            self._interpolation.apply(document)
        return document

    def note(self, read: Mapping[Path, bytes]) -> None:
        """Remember further files of the configuration: its plugins'."""
        self._own.update(read)

    def _compare(self, path: Path, found: bytes) -> None:
        """Tell of a file that may have been cut off: a half-written one is often sound YAML."""
        before = len(self.running.contents.get(path, b""))
        if before >= _LEAST and 0 < len(found) * 2 < before:
            place = Place(str(path), found.count(b"\n") + (not found.endswith(b"\n")), 1)
            message = (
                f"the file ends here, after {len(found)} bytes; the one that runs has {before}. If it was not cut off,"
                " reload with POST /-/reload?shorter=accept, or start anew"
            )
            self._faults.tell(place, "file-shorter", message, self.running.severity)


def digest_of(found: Iterable[bytes | None]) -> str:
    """Digest the contents of files, whatever they are called."""
    whole = hashlib.sha256()
    for each in found:
        whole.update(hashlib.sha256(each).digest() if each is not None else b"-")
    return whole.hexdigest()
