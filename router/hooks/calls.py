"""The calls of one hook for one route: worked out once, and kept as long as the route's list of plugins is."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from router.hooks.names import same_name
from router.hooks.specs import KINDS
from router.model.call import ToolCall
from router.model.handover import Handover

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pluggy

    from router.hooks.discovery import FoundPlugin
    from router.hooks.registry import Registry
    from router.hooks.specs import Kind
    from router.model.routes import PluginUse

Own = TypeVar("Own", Handover, ToolCall)

_CONFIG: Final = "config"

_OPEN: Final = frozenset({_CONFIG, "handover", "call"})
"""What a plugin could change in its place, and so gets as its own."""


@dataclass(frozen=True, slots=True)
class Call:
    """One implementation as one route uses it. What can be said of it once for all is said when it is worked out.

    Where ``is_blocking`` it runs in a thread; where ``is_background`` it is called from the ledger alone.
    """

    impl: pluggy.HookImpl
    plugin: str
    hook: str
    kind: Kind
    use: PluginUse
    is_blocking: bool
    is_background: bool
    _config: Mapping[str, Any] = field(repr=False)
    _is_config_flat: bool

    @classmethod
    def of(cls, impl: pluggy.HookImpl, hook: str, use: PluginUse, plugin: FoundPlugin) -> Call:
        """Work out how ``plugin`` wants to be called."""
        is_blocking = plugin.blocking and not inspect.iscoroutinefunction(inspect.unwrap(impl.function))
        config = MappingProxyType(_copied(use.config))
        return cls(
            impl=impl,
            plugin=impl.plugin_name,
            hook=hook,
            kind=KINDS[hook],
            use=use,
            is_blocking=is_blocking,
            is_background=hook in plugin.background,
            _config=config,
            _is_config_flat=not any(isinstance(each, Mapping | list) for each in config.values()),
        )

    @property
    def file(self) -> str:
        """The file that the implementation stands in."""
        file: str = inspect.unwrap(self.impl.function).__code__.co_filename
        return file

    def with_given(self, given: Mapping[str, Any]) -> Any:
        """Call the implementation with those of the given values that it asks for."""
        impl = self.impl
        wanted = [self._own(name, given) if name in _OPEN else given[name] for name in impl.argnames]
        if not impl.kwargnames:
            return impl.function(*wanted)
        optional = [name for name in impl.kwargnames if name in given or name == _CONFIG]
        named = {name: self._own(name, given) if name in _OPEN else given[name] for name in optional}
        return impl.function(*wanted, **named)

    def _own(self, name: str, given: Mapping[str, Any]) -> Any:
        if name != _CONFIG:
            return handed(given[name])
        # Of a flat one that can only be read there is nothing to be copied.
        return self._config if self._is_config_flat else MappingProxyType(_copied(self._config))


def handed(value: Own) -> Own:
    """Give a plugin a handover or a call of its own: what it does to that, nobody else feels."""
    if isinstance(value, Handover):
        return value.change(inputs=_copied(value.inputs))
    return value.change(url_inputs=_copied(value.url_inputs), body_inputs=_copied(value.body_inputs))


def _copied(value: Any) -> Any:
    """Copy JSON values."""
    if type(value) is dict or isinstance(value, Mapping):
        return {name: each if isinstance(each, str) else _copied(each) for name, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value


class CallLists:
    """Knows for each list of uses which implementations of a hook are called, in which order."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        # By identity, as a config cannot be hashed; the list is kept with its calls, so that its id stays its own.
        self._kept: dict[tuple[str, int], tuple[Sequence[PluginUse], tuple[Call, ...]]] = {}

    def of(self, hook: str, uses: Sequence[PluginUse]) -> tuple[Call, ...]:
        """Give the calls in their order; those for a tuple, which cannot change, are worked out once."""
        kept = self._kept.get((hook, id(uses)))
        if kept is not None:
            return kept[1]
        calls = tuple(self._made(hook, uses))
        if isinstance(uses, tuple):
            self._kept[hook, id(uses)] = uses, calls
        return calls

    def _made(self, hook: str, uses: Sequence[PluginUse]) -> list[Call]:
        places = {same_name(use.name): place for place, use in enumerate(uses)}
        wanted = [impl for impl in self._registry.implementations[hook] if impl.plugin_name in places]
        wanted.sort(key=lambda impl: (impl.trylast - impl.tryfirst, places[impl.plugin_name]))
        plugins = self._registry.plugins
        return [Call.of(impl, hook, uses[places[impl.plugin_name]], plugins[impl.plugin_name]) for impl in wanted]
