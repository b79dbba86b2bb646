"""The last good configuration on the disk: with it a restart comes up that finds the files broken."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

from router import bundled
from router.config.reading import Substitutes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.config.loading import Loaded

_VERSION: Final = 1
_NOWHERE: Final = Path()
_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Saved:
    """What went live last: the ``contents`` of the configuration's own files, which of them are fragments, and when.

    ``out_of_order`` are the tools that were so then. What the files refer to is not in it: secrets stay where they are.
    """

    contents: Mapping[Path, bytes]
    fragments: tuple[Path, ...]
    saved_at: datetime
    out_of_order: tuple[str, ...] = ()

    @classmethod
    def of(cls, loaded: Loaded, now: datetime) -> Self:
        """Take what is to be kept of a configuration; bundled plugins are not its own."""
        own = {path: held for path, held in loaded.own.items() if not path.is_relative_to(bundled.PLUGINS)}
        broken = tuple(path for path, tool in loaded.routes.tools.items() if tool.out_of_order)
        return cls(MappingProxyType(own), loaded.fragments, now, broken)

    @property
    def substitutes(self) -> Substitutes:
        """The whole of it in place of what stands on the disk."""
        left_out = {_NOWHERE: self.out_of_order} if self.out_of_order else {}
        return Substitutes(self.contents, self.fragments, MappingProxyType(left_out))


class LastGood:
    """Where the last good form of the configuration at ``config`` is kept: a file in ``directory``, readable by us."""

    def __init__(self, directory: Path, config: Path) -> None:
        whole = str(config.absolute())
        self._config = whole
        self._root = config.parent
        self.path = directory / f"last-good-{hashlib.sha256(whole.encode()).hexdigest()[:12]}.json"

    def read(self) -> Saved | None:
        """Read what was kept; None where nothing was, it cannot be understood, or others may have written it.

        Plugins are in it, and whoever writes those can do what we can.
        """
        try:
            status = self.path.stat()
            if status.st_uid != os.geteuid() or status.st_mode & _OTHERS:
                return None
            kept = json.loads(self.path.read_bytes())
            if (kept["version"], kept["config"]) != (_VERSION, self._config):
                return None
            files = {self._root / name: text.encode("utf-8", "surrogateescape") for name, text in kept["files"].items()}
            fragments = tuple(self._root / name for name in kept["fragments"])
            saved_at = datetime.fromisoformat(kept["saved_at"])
            return Saved(MappingProxyType(files), fragments, saved_at, tuple(kept["out_of_order"]))
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return None

    def write(self, saved: Saved) -> None:
        """Keep it in place of what was kept, whole or not at all; raises OSError."""
        kept = {
            "version": _VERSION,
            "config": self._config,
            "saved_at": saved.saved_at.isoformat(),
            "fragments": [self._name(path) for path in saved.fragments],
            "out_of_order": list(saved.out_of_order),
            "files": {
                self._name(path): held.decode("utf-8", "surrogateescape") for path, held in saved.contents.items()
            },
        }
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, written = tempfile.mkstemp(dir=self.path.parent, prefix=self.path.stem)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(kept, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            Path(written).replace(self.path)
        except BaseException:
            with suppress(OSError):
                Path(written).unlink()
            raise

    def _name(self, path: Path) -> str:
        """Call a file as it is seen from the configuration's directory, so that the working directory is no matter."""
        return str(path.relative_to(self._root) if path.is_relative_to(self._root) else path.absolute())
