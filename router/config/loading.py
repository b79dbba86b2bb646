"""The one way from ``routes.yaml`` to Routes: the server, ``check``, ``test`` and reload all load with it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from router import bundled
from router.config.checks import check_auth, check_flows, check_messages, check_tests
from router.config.faults import Faults
from router.config.files import Unreadable, contents, decoded
from router.config.fragments import Inclusion
from router.config.interpolation import Interpolation
from router.config.nodes import compose
from router.config.plugins import check_plugins, entries
from router.config.review import Review
from router.config.routes import build
from router.config.schema import Judge, grammar
from router.config.sources import Sources
from router.config.tools import check_tools
from router.errors import ConfigError
from router.hooks.discovery import discover
from router.hooks.host import PluginHost
from router.model.place import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from router.config.document import Document
    from router.hooks.discovery import FoundPlugin
    from router.model.diagnostic import Diagnostic
    from router.model.routes import Routes


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that may go live. ``files`` are all that were read for it, ``digest`` is over their contents.

    ``available`` are the plugins that could be switched on, by name.
    """

    routes: Routes
    plugins: PluginHost
    warnings: tuple[Diagnostic, ...]
    digest: str
    files: tuple[Path, ...]
    available: Mapping[str, FoundPlugin]
    sources: Sources


def load(
    path: Path,
    *,
    environ: Mapping[str, str],
    plugins_dirs: Sequence[Path] | None = None,
    make_host: Callable[[Iterable[FoundPlugin]], PluginHost] = PluginHost.of,
) -> Loaded:
    """Load the configuration at ``path``, with what it includes and refers to.

    Plugins are looked for in ``plugins_dirs`` (by default ``plugins/`` beside the file), then among the bundled ones.
    Raises ConfigError with everything that is wrong, never only the first.
    """
    faults = Faults()
    reader = _Reader(environ, faults)
    document = reader.read(path)
    if document is None:
        raise ConfigError(faults.diagnostics)
    Inclusion(path, document, reader.read, faults).apply()
    Judge(grammar(), faults).judge(document)
    review = Review.of(document, faults)
    beside = (path.parent / "plugins",) if plugins_dirs is None else plugins_dirs
    found = discover(_distinct((*beside, bundled.PLUGINS)))
    for check in (check_auth, check_flows, check_tools, check_messages, check_tests):
        check(review)
    configs = check_plugins(review, found)
    if faults.errors:
        raise ConfigError(faults.diagnostics)
    used = [found.plugins[entry.name] for entry in entries(review)]
    for plugin in used:
        reader.note(Path(plugin.source))
    digest = reader.digest()
    return Loaded(
        routes=build(review, configs, digest),
        plugins=make_host(used),
        warnings=faults.diagnostics,
        digest=digest,
        files=tuple(reader.files),
        available=found.plugins,
        sources=Sources(review),
    )


class _Reader:
    """Reads files up to the point where their own text is understood, and remembers what they held."""

    def __init__(self, environ: Mapping[str, str], faults: Faults) -> None:
        self._faults = faults
        self._interpolation = Interpolation(environ, faults)
        self._own: dict[Path, bytes] = {}

    @property
    def files(self) -> dict[Path, bytes]:
        return self._own | self._interpolation.read

    def read(self, path: Path) -> Document | None:
        """Read one file; None, and at least one fault, where it cannot be read as YAML."""
        name = str(path)
        self._faults.meet(name)
        try:
            found = contents(path)
        except Unreadable as error:
            self._faults.error(Place(name, 1, 1), error.code, f"the file {error}")
            return None
        self._own[path] = found
        text = decoded(found, name, self._faults)
        document = None if text is None else compose(text, name, self._faults)
        if document is not None:
            self._interpolation.apply(document)
        return document

    def note(self, path: Path) -> None:
        """Remember a plugin's file too: who changes one wants it to go live. One by entry point has no file of ours."""
        if path.is_file():
            self._own[path] = path.read_bytes()

    def digest(self) -> str:
        """Digest the contents of all files, whatever they are called."""
        whole = hashlib.sha256()
        for found in self.files.values():
            whole.update(hashlib.sha256(found).digest())
        return whole.hexdigest()


def _distinct(directories: Iterable[Path]) -> list[Path]:
    """Leave out a directory that was named before under another path."""
    return list({directory.resolve(): directory for directory in reversed(list(directories))}.values())[::-1]
