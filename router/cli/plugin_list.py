"""The plugins that a configuration may switch on, as a table and as JSON."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from router.cli.table import table
from router.errors import ConfigError
from router.hooks.calls import CallLists
from router.hooks.names import same_name
from router.hooks.registry import Registry
from router.hooks.specs import KINDS, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.cli.subject import Subject
    from router.hooks.discovery import FoundPlugin
    from router.model.routes import PluginUse

_TITLES: Final = ("PLUGIN", "VERSION", "STATE", "ON ERROR", "FROM", "HOOKS")
_CALL_TITLES: Final = ("HOOK", "KIND", "CALLED, IN THIS ORDER")


@dataclass(frozen=True, slots=True)
class Called:
    """A plugin's place among those that have a hook; ``mark`` is ``tryfirst``, ``trylast`` or empty."""

    plugin: str
    mark: str

    def __str__(self) -> str:
        return f"{self.plugin} ({self.mark})" if self.mark else self.plugin


@dataclass(frozen=True, slots=True)
class Listing:
    """What there is. ``uses`` are the entries of the file in its order; None where its faults leave that open.

    ``faults`` keep plugins from being used; ``error`` has those of the file.
    """

    plugins: Mapping[str, FoundPlugin]
    uses: Sequence[PluginUse] | None
    faults: Sequence[object] = ()
    error: ConfigError | None = None

    @property
    def calls(self) -> dict[str, list[Called]]:
        """For each hook that a plugin in use has, but those that describe it: who is called, in which order."""
        uses = self.uses or ()
        lists = CallLists(Registry.of(self.plugins[same_name(use.name)] for use in uses))
        calls = {hook: _order(hook, lists, uses) for hook in KINDS}
        return {hook: order for hook, order in calls.items() if order and KINDS[hook] is not Kind.DESCRIPTION}

    def told(self) -> str:
        """Give it as people read it; on a terminal the lines are cut to its width."""
        room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        if not self.plugins:
            return "No plugins."
        parts = [table([_TITLES, *(self._cells(plugin) for plugin in self._sorted())], room)]
        if calls := self.calls:
            rows = ((hook, KINDS[hook], ", ".join(map(str, order))) for hook, order in calls.items())
            parts.append(table([_CALL_TITLES, *rows], room))
        return "\n\n".join(parts)

    def as_json(self) -> dict[str, Any]:
        """Give it as programs read it; ``position`` counts from 1 and is null for what is off."""
        return {
            "plugins": [
                {
                    "name": plugin.name,
                    "version": plugin.version,
                    "title": plugin.title,
                    "source": plugin.source,
                    "on": None if self.uses is None else self._use(plugin) is not None,
                    "position": self._position(plugin) or None,
                    "on_error": str(use.on_error) if (use := self._use(plugin)) else None,
                    "hooks": [{"hook": hook, "kind": str(KINDS[hook])} for hook in plugin.hooks],
                }
                for plugin in self._sorted()
            ],
            "calls": [
                {
                    "hook": hook,
                    "kind": str(KINDS[hook]),
                    "order": [{"plugin": each.plugin, "mark": each.mark} for each in order],
                }
                for hook, order in self.calls.items()
            ],
            "faults": [str(fault) for fault in (*self.faults, *(self.error.diagnostics if self.error else ()))],
        }

    def _cells(self, plugin: FoundPlugin) -> tuple[str, ...]:
        use = self._use(plugin)
        state = "?" if self.uses is None else f"on, {self._position(plugin)}" if use else "off"
        hooks = ", ".join(hook for hook in plugin.hooks if hook != "plugin_info")
        on_error = str(use.on_error) if use else "-"
        return plugin.name, plugin.version or "-", state, on_error, _shown(plugin.source), hooks or "-"

    def _sorted(self) -> list[FoundPlugin]:
        """List those in use first, in the order of the file."""
        return sorted(self.plugins.values(), key=lambda plugin: self._position(plugin) or len(self.plugins) + 1)

    def _position(self, plugin: FoundPlugin) -> int:
        use = self._use(plugin)
        return 1 + list(self.uses or ()).index(use) if use else 0

    def _use(self, plugin: FoundPlugin) -> PluginUse | None:
        return next((use for use in self.uses or () if same_name(use.name) == plugin.name), None)


def look(subject: Subject) -> Listing:
    """Look for the plugins, and at what the file says of them; raises nothing."""
    if subject.path == Path("routes.yaml") and not subject.path.exists():
        found = subject.discover()
        return Listing(found.plugins, (), found.faults)
    try:
        loaded = subject.load()
    except ConfigError as error:
        return Listing(subject.discover().plugins, None, error=error)
    faults = [warning for warning in loaded.warnings if warning.code == "plugin-broken"]
    return Listing(loaded.available, [use for use, _place in loaded.switched_on], faults)


def _order(hook: str, lists: CallLists, uses: Sequence[PluginUse]) -> list[Called]:
    """Order those of ``uses`` that have ``hook`` as a host calls them."""
    calls = lists.of(hook, uses)
    order = [Called(call.plugin, "tryfirst" * call.impl.tryfirst or "trylast" * call.impl.trylast) for call in calls]
    return order[::-1] if hook == "stopped" else order  # what was started last is stopped first


def _shown(source: str) -> str:
    """Give a file's path from here on, where it is below this directory."""
    path = Path(source)
    return str(path.relative_to(Path.cwd())) if path.is_absolute() and path.is_relative_to(Path.cwd()) else source
