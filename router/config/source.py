"""The configuration at one path as a server reads it again and again, with its last good form in mind."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from router.config.last_good import Saved
from router.config.loading import Attempt, attempt
from router.config.reading import Running
from router.config.salvage import salvage
from router.config.watch import Watch
from router.hooks.host import PluginHost
from router.model.diagnostic import Diagnostic, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from router.config.last_good import LastGood
    from router.config.loading import Loaded
    from router.config.reading import Substitutes
    from router.hooks.discovery import FoundPlugin

READINGS: Final = 3
"""So often files are read that change meanwhile."""


class Source:
    """Reads the files at ``path``; ``last_good`` keeps what went live last, over restarts. Every method may block.

    ``good`` is what went live last, where nothing is kept.
    """

    def __init__(
        self,
        path: Path,
        *,
        environ: Mapping[str, str],
        plugins_dirs: Sequence[Path] | None = None,
        make_host: Callable[[Iterable[FoundPlugin]], PluginHost] = PluginHost.of,
        last_good: LastGood | None = None,
        good: Saved | None = None,
    ) -> None:
        self._path = path
        self._attempt = partial(attempt, path, environ=environ, plugins_dirs=plugins_dirs, make_host=make_host)
        self._last_good = last_good
        self.good = last_good.read() if last_good else good

    def begin(self) -> Attempt:
        """Read the files for a start: where they cannot go live, their last good form does.

        That holds for a fault of our own in reading them, too, where there is a last good form.
        """
        try:
            found = self.read(may_shrink=True)
        except Exception as error:
            if self.good is None:
                raise
            found = self._broken(error)
        if found.loaded is None and self.good is not None:
            revived = self._attempt(substitutes=self.good.substitutes).loaded
            if revived is not None:
                return replace(found, loaded=replace(revived, saved_at=self.good.saved_at))
        return found

    def read(self, *, may_shrink: bool = False) -> Attempt:
        """Read the files anew. A fragment with faults is salvaged by its last good form.

        A file that lost more than half of what is in use is an error, unless it ``may_shrink``. Files that change while
        they are read are read again, and are an error where they do not come to rest.
        """
        for _ in range(READINGS):
            found = self._read(may_shrink=may_shrink)
            if found.watch.look() == found.watch.digest:
                return found
        message = "the files change while they are read; what was there is not one state of them, and goes nowhere"
        return replace(found, loaded=None, diagnostics=(Diagnostic(str(self._path), 1, 1, "files-unsteady", message),))

    def _read(self, *, may_shrink: bool) -> Attempt:
        good = self.good.contents if self.good else {}
        running = Running(good, Severity.WARNING if may_shrink else Severity.ERROR)

        def try_with(substitutes: Substitutes) -> Attempt:
            return self._attempt(running=running, substitutes=substitutes)

        return salvage(try_with, good)

    def _broken(self, error: Exception) -> Attempt:
        message = (
            f"the files could not be read: {type(error).__name__}; that is a fault of the router, please report it"
        )
        told = Diagnostic(str(self._path), 1, 1, "trial-broken", message)
        return Attempt(None, (told,), {}, Watch.of(self._path, (), (), {}))

    def accept(self, loaded: Loaded, now: datetime) -> None:
        """Take what went live as the last good form; raises OSError where it cannot be kept on the disk."""
        if loaded.saved_at is None:
            self.good = Saved.of(loaded, now)
            if self._last_good:
                self._last_good.write(self.good)
