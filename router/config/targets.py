"""The targets that plugins register: they are known before a route may name one, and each name means one thing."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from router.config.plugins import entries, is_sound_alone
from router.config.wording import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.config.review import Review
    from router.hooks.discovery import Discovery
    from router.hooks.host import PluginHost
    from router.model.routes import PluginUse

_HOOK: Final = "register_targets"


@dataclass(frozen=True, slots=True)
class Targets:
    """The plugin of each target by its name. They ``are_all`` unless a plugin at fault may have others."""

    plugins: Mapping[str, str]
    are_all: bool


def register_targets(review: Review, found: Discovery, host: PluginHost, uses: Sequence[PluginUse]) -> Targets:
    """Let the plugins of ``host`` register their targets, each by the config of its own entry in ``uses``."""
    indices = {entry.name: entry.index for entry in reversed(entries(review))}
    uncertain = review.is_told(("plugins",)) or ("plugins",) in review.document.unfinished
    are_all = not uncertain and len(entries(review)) == len(review.data.get("plugins", ()))  # else one has no name
    sound: list[PluginUse] = []
    for entry, use in zip(entries(review), uses, strict=True):
        plugin = found.plugins.get(entry.name)
        if plugin is None or (_HOOK in plugin.hooks and not is_sound_alone(review, entry, plugin)):
            are_all = False
        elif indices[entry.name] == entry.index:
            sound.append(use)
            are_all &= not (_HOOK in plugin.hooks and review.document.hides_fault(("plugins", entry.index)))
    registered, failures = host.targets(sound)
    for failure in failures:
        message = f"the plugin '{failure.plugin}' cannot register its targets: {failure.reason}"
        review.error(("plugins", indices[failure.plugin], "use"), "plugin-broken", message)
    plugins = {name: giver for name, (giver, _target) in registered.items()}
    for name, giver in plugins.items():
        if name in review.data.get("flows", {}):
            message = f"the flow {quoted(name)} has the name of a target of the plugin '{giver}'; rename one of the two"
            review.key_error(("flows", name), "defined-twice", message)
    return Targets(MappingProxyType(plugins), are_all and not failures)
