"""The one way from ``routes.yaml`` to Routes: the server, ``check``, ``test`` and reload all load with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from router import bundled
from router.config.checks import check_auth, check_flows, check_messages, check_tests
from router.config.faults import Faults
from router.config.fragments import Inclusion, patterns
from router.config.plugins import check_plugins, entries
from router.config.reading import Reader, Running, Substitutes, digest_of
from router.config.review import Review
from router.config.routes import build, switched_on
from router.config.schema import Judge, grammar
from router.config.sources import Sources
from router.config.targets import register_targets
from router.config.tests import route_tests
from router.config.tools import check_tools
from router.config.watch import Watch
from router.errors import ConfigError
from router.hooks.discovery import discover
from router.hooks.host import PluginHost
from router.model.diagnostic import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from router.config.reading import Contents
    from router.hooks.discovery import Discovery, FoundPlugin
    from router.model.diagnostic import Diagnostic
    from router.model.place import Place
    from router.model.route_test import RouteTest
    from router.model.routes import PluginUse, Routes

_AS_IT_STANDS: Final = Substitutes()
_NOTHING_RUNS: Final = Running()


@dataclass(frozen=True, slots=True)
class Frozen:
    """A fragment with faults: whether its last good form still answers, or its tools are out of order."""

    file: str
    errors: tuple[Diagnostic, ...]
    has_good_form: bool

    def __str__(self) -> str:
        state = "its last good form still answers" if self.has_good_form else "its tools are out of order"
        first = self.errors[0]
        return f"{self.file} has faults, and {state}; the first: {first.file}:{first.line}: {first.code}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that may go live.

    ``files`` are all that were read for it and ``digest`` is over their contents; ``own`` are the contents of its own
    files, less what they only refer to. ``switched_on`` are the plugins in use, each with the config of its entry and
    the entry's place; ``available`` those that could be. ``frozen`` are the fragments that are not as they stand on the
    disk; ``saved_at`` is set where none of it is: then it is the last good form, of that time.
    """

    routes: Routes
    plugins: PluginHost
    warnings: tuple[Diagnostic, ...]
    digest: str
    files: tuple[Path, ...]
    available: Mapping[str, FoundPlugin]
    sources: Sources
    own: Mapping[Path, bytes]
    fragments: tuple[Path, ...]
    switched_on: tuple[tuple[PluginUse, Place], ...]
    test_on_reload: bool
    frozen: tuple[Frozen, ...] = ()
    saved_at: datetime | None = None
    tests: tuple[RouteTest, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of loading: ``loaded`` is None where the diagnostics have errors.

    ``read`` is what the files held, broken or not; ``watch`` is where a change of that would show. A configuration
    ``is_strict`` where none of its fragments may go live without the others.
    """

    loaded: Loaded | None
    diagnostics: tuple[Diagnostic, ...]
    read: Contents
    watch: Watch
    fragments: tuple[Path, ...] = ()
    is_strict: bool = False

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """What keeps it from going live."""
        return tuple(each for each in self.diagnostics if each.severity is Severity.ERROR)


def load(
    path: Path,
    *,
    environ: Mapping[str, str],
    plugins_dirs: Sequence[Path] | None = None,
    make_host: Callable[[Iterable[FoundPlugin]], PluginHost] = PluginHost.of,
    running: Running = _NOTHING_RUNS,
) -> Loaded:
    """Load the configuration at ``path``, with what it includes and refers to.

    Plugins are looked for in ``plugins_dirs`` (by default ``plugins/`` beside the file), then among the bundled ones.
    Raises ConfigError with everything that is wrong, never only the first.
    """
    found = attempt(path, environ=environ, plugins_dirs=plugins_dirs, make_host=make_host, running=running)
    if found.loaded is None:
        raise ConfigError(found.diagnostics)
    return found.loaded


def attempt(
    path: Path,
    *,
    environ: Mapping[str, str],
    plugins_dirs: Sequence[Path] | None = None,
    make_host: Callable[[Iterable[FoundPlugin]], PluginHost] = PluginHost.of,
    running: Running = _NOTHING_RUNS,
    substitutes: Substitutes = _AS_IT_STANDS,
) -> Attempt:
    """Load as ``load`` does, and raise nothing: what is wrong is told, and where a change would show."""
    faults = Faults()
    reader = Reader(environ, faults, substitutes.instead, running)
    beside = (path.parent / "plugins",) if plugins_dirs is None else tuple(plugins_dirs)
    document = reader.read(path)
    if document is None:
        return Attempt(None, faults.diagnostics, reader.everything, Watch.of(path, (), beside, reader.everything))
    inclusion = Inclusion(path, document, reader, faults)
    watched = patterns(document)
    fragments = inclusion.find() if substitutes.fragments is None else substitutes.fragments
    fragments = tuple(each for each in fragments if each not in substitutes.left_out)
    inclusion.apply(fragments)
    if substitutes.left_out:
        document.data.setdefault("tools", {})
        document.unfinished.add(("tools",))  # tests may call what is left out, and it may have been all there was
    Judge(grammar(), faults).judge(document)
    review = Review.of(document, faults)
    found = discover(plugin_directories(path, plugins_dirs), substitutes.instead)
    configs = check_plugins(review, found)
    used = [found.plugins[entry.name] for entry in entries(review) if entry.name in found.plugins]
    uses = tuple(switched_on(review))
    host = make_host(used)
    targets = register_targets(review, found, host, [use for use, _place in uses])
    check_flows(review, targets, found)
    for check in (check_auth, check_tools, check_messages, check_tests):
        check(review)
    tests = route_tests(review)
    is_strict = review.data.get("fragments") == "strict"
    loaded: Loaded | None = None
    if not faults.errors:
        reader.note(_files_of(used, found))
        digest = digest_of(reader.everything.values())
        loaded = Loaded(
            routes=build(review, configs, targets.plugins, digest, out_of_order=_tools_of(substitutes)),
            plugins=host,
            warnings=faults.diagnostics,
            digest=digest,
            files=tuple(reader.everything),
            available=found.plugins,
            sources=Sources(review),
            own=reader.own,
            fragments=fragments,
            switched_on=uses,
            test_on_reload=review.data.get("test_on_reload", False),
            tests=tests,
        )
    read = reader.everything | {file: held for file, held in found.read.items() if file.parent in beside}
    return Attempt(loaded, faults.diagnostics, read, Watch.of(path, watched, beside, read), fragments, is_strict)


def _files_of(used: Iterable[FoundPlugin], found: Discovery) -> dict[Path, bytes]:
    """Give the contents of the plugins' files; one by entry point has no file of ours."""
    return {path: found.read[path] for plugin in used if (path := Path(plugin.source)) in found.read}


def _tools_of(substitutes: Substitutes) -> tuple[str, ...]:
    return tuple(path for paths in substitutes.left_out.values() for path in paths)


def plugin_directories(path: Path, plugins_dirs: Sequence[Path] | None) -> list[Path]:
    """List where plugins are looked for, less a directory that was named before under another path."""
    directories = [*((path.parent / "plugins",) if plugins_dirs is None else plugins_dirs), bundled.PLUGINS]
    return list({directory.resolve(): directory for directory in reversed(directories)}.values())[::-1]
