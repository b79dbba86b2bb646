"""What was called: each hook of each plugin, with what it was given, in order."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from router.hooks.host import PluginHost
from router.hooks.markers import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from router.hooks.discovery import FoundPlugin


@dataclass(frozen=True, slots=True)
class HookCall:
    """One call: ``arguments`` has what the implementation asked for, by name."""

    plugin: str
    hook: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


class HookCalls(list[HookCall]):
    """The calls so far, the first one first; ``clear()`` forgets them.

    What is called while plugins are looked for, such as ``plugin_info``, comes before anything is noted.
    """

    def of(self, plugin: str = "", hook: str = "") -> list[HookCall]:
        """List those of a plugin, of a hook, or of both."""
        return [call for call in self if call.plugin == (plugin or call.plugin) and call.hook == (hook or call.hook)]

    @property
    def names(self) -> list[str]:
        """List them as ``plugin.hook``: what was called, in which order."""
        return [f"{call.plugin}.{call.hook}" for call in self]

    def host(self, found: Iterable[FoundPlugin], **options: Any) -> PluginHost:
        """Make a host as ``PluginHost.of`` does, whose calls are noted here."""
        return PluginHost.of((replace(each, plugin=self._noted(each)) for each in found), **options)

    def _noted(self, found: FoundPlugin) -> object:
        stand_in = _StandIn()
        for name in dir(found.plugin):
            function = inspect.getattr_static(found.plugin, name)
            options = getattr(getattr(function, "__func__", function), f"{PROJECT}_impl", None)
            if options is not None:
                hook = options["specname"] or name
                setattr(stand_in, name, self._noting(found.name, hook, getattr(found.plugin, name)))
        return stand_in

    def _noting(self, plugin: str, hook: str, function: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(function)

        def note(*given: Any, **named: Any) -> None:
            arguments = signature.bind(*given, **named).arguments
            self.append(HookCall(plugin, hook, MappingProxyType(dict(arguments))))

        # What waits stays ``async def``: a host may tell the two kinds apart.
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def noting_and_waiting(*given: Any, **named: Any) -> Any:
                note(*given, **named)
                return await function(*given, **named)

            return noting_and_waiting

        @functools.wraps(function)
        def noting(*given: Any, **named: Any) -> Any:
            note(*given, **named)
            return function(*given, **named)

        return noting


class _StandIn:
    """Stands for a plugin: has its implementations, each of which notes that it was called."""
