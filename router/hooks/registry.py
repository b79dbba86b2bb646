"""The plugins that are switched on, and what each of them implements, as pluggy has it."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from router.hooks.specs import KINDS, new_manager

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pluggy

    from router.hooks.discovery import FoundPlugin


@dataclass(frozen=True, slots=True)
class Registry:
    """``plugins`` by name, in the order of their giving, and the implementations of each hook in that order."""

    plugins: Mapping[str, FoundPlugin]
    implementations: Mapping[str, tuple[pluggy.HookImpl, ...]]

    @classmethod
    def of(cls, found: Iterable[FoundPlugin]) -> Self:
        """Register the plugins that are switched on."""
        manager = new_manager()
        plugins = {plugin.name: plugin for plugin in found}
        for name, plugin in plugins.items():
            manager.register(plugin.plugin, name=name)
        # The last one registered stands first to be called; the order among plugins is the route's, not this one.
        implementations = {hook: tuple(reversed(getattr(manager.hook, hook).get_hookimpls())) for hook in KINDS}
        return cls(MappingProxyType(plugins), MappingProxyType(implementations))
