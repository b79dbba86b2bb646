"""Finding plugins: files in directories, then the entry points of what is installed. The first of a name wins."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from importlib import metadata
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from router.hooks.failure import reason_of
from router.hooks.inspection import PluginFault, examine
from router.hooks.names import same_name
from router.hooks.source import execute, place_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["ENTRY_POINTS", "Discovery", "FoundPlugin", "PluginFault", "discover"]

ENTRY_POINTS: Final = "handover.plugins"
"""The group under which an installed package names its plugins."""

_AS_THEY_ARE: Final[Mapping[Path, bytes]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class FoundPlugin:
    """A plugin that could be switched on.

    ``name`` is its file's or entry point's, with ``-`` for ``_``; ``title`` what it calls itself; ``source`` the file,
    or the entry point as text; ``hooks`` what it implements. The plain functions of one that is ``blocking`` run in
    threads; ``background`` are the hooks that are called from the ledger alone.
    """

    name: str
    source: str
    plugin: object
    hooks: tuple[str, ...] = ()
    version: str = ""
    title: str = ""
    config_schema: Mapping[str, Any] | None = None
    blocking: bool = False
    background: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found: plugins by name, in the order of their finding, and what kept others from being found.

    ``read`` has the contents of the plugins' files, as they were executed.
    """

    plugins: Mapping[str, FoundPlugin]
    faults: tuple[PluginFault, ...]
    read: Mapping[Path, bytes]


class _Search:
    """What was found so far. A name is taken by the first that bears it, also when that one cannot be used."""

    def __init__(self, instead: Mapping[Path, bytes]) -> None:
        self.plugins: dict[str, FoundPlugin] = {}
        self.faults: list[PluginFault] = []
        self.read: dict[Path, bytes] = {}
        self._instead = instead
        self._taken: set[str] = set()

    def takes(self, name: str) -> bool:
        """Take ``name``, unless an earlier plugin bears it."""
        is_new = name not in self._taken
        self._taken.add(name)
        return is_new

    def look_into(self, path: Path) -> None:
        """Load a plugin from its file."""
        try:
            self.read[path] = self._instead[path] if path in self._instead else _contents(path)
            self._keep(same_name(path.stem), execute(path, self.read[path]), str(path))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever ends one file, SystemExit too, the others still load
            line, reason = place_of(error, path)
            self.faults.append(PluginFault(str(path), line, f"cannot be loaded: {reason}"))

    def look_at(self, entry: metadata.EntryPoint) -> None:
        """Load a plugin by its entry point; where that names a class, make an object of it."""
        source = f"entry point {entry.name} = {entry.value}"
        try:
            plugin = entry.load()
            self._keep(same_name(entry.name), plugin() if inspect.isclass(plugin) else plugin, source)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - as for files
            self.faults.append(PluginFault(source, 1, f"cannot be loaded: {reason_of(error)}"))

    def _keep(self, name: str, plugin: object, source: str) -> None:
        twin = next((found.name for found in self.plugins.values() if found.plugin is plugin), None)
        if twin is not None:
            self.faults.append(PluginFault(source, 1, f"'{name}' is the same object as '{twin}': name a class instead"))
            return
        seen = examine(plugin, name)
        self.faults += seen.faults
        if not seen.faults:
            self.plugins[name] = FoundPlugin(
                name=name,
                source=source,
                plugin=plugin,
                hooks=seen.hooks,
                version=seen.info.get("version", ""),
                title=seen.info.get("name", ""),
                config_schema=seen.info.get("config_schema"),
                blocking=seen.info.get("blocking", False),
                background=seen.background,
            )


def discover(directories: Sequence[Path], instead: Mapping[Path, bytes] = _AS_THEY_ARE) -> Discovery:
    """Look into the directories in their order, each in name order, then at the entry points; raises nothing.

    ``instead`` has sources that are taken in place of what stands in their files, or stood there.

    A file whose name begins with ``_`` or ``.`` is no plugin; a directory that is not there holds none. Each call
    executes the files anew: two discoveries share no state. Installed packages are imported as always, once for the
    process; what an entry point should keep for one app alone belongs into a class.
    """
    search = _Search(instead)
    for directory in directories:
        for path in sorted({*directory.glob("*.py"), *_given(directory, instead)}):
            if not path.name.startswith(("_", ".")) and search.takes(same_name(path.stem)):
                search.look_into(path)
    for entry in sorted(metadata.entry_points(group=ENTRY_POINTS), key=lambda entry: (entry.name, entry.value)):
        if search.takes(same_name(entry.name)):
            search.look_at(entry)
    return Discovery(MappingProxyType(search.plugins), tuple(search.faults), MappingProxyType(search.read))


def _contents(path: Path) -> bytes:
    """Read a plugin's source; raises OSError also for a pipe, which nobody may ever write to."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError("it is no regular file")
    return path.read_bytes()


def _given(directory: Path, instead: Mapping[Path, bytes]) -> set[Path]:
    """List the plugins of a directory that are given instead of read: one may have been deleted since."""
    return {path for path in instead if path.parent == directory and path.suffix == ".py"}
