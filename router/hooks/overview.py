"""What the plugins of one app are and have done, for whoever operates it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from router.hooks.figures import Figures
from router.hooks.names import same_name
from router.hooks.specs import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from router.hooks.host import PluginHost
    from router.model.routes import PluginUse


def overview(host: PluginHost, uses: Sequence[PluginUse]) -> list[dict[str, Any]]:
    """Describe the plugins of ``uses`` in JSON values, in their order, with each hook and its figures."""
    plugins = (host.registry.plugins[same_name(use.name)] for use in uses)
    return [
        {
            "name": plugin.name,
            "version": plugin.version,
            "title": plugin.title,
            "source": plugin.source,
            "hooks": list(_hooks_of(plugin.name, host, uses)),
        }
        for plugin in plugins
    ]


def _hooks_of(plugin: str, host: PluginHost, uses: Sequence[PluginUse]) -> Iterator[dict[str, Any]]:
    """Describe each hook that a plugin implements; ``place`` is its turn among the plugins that implement it too."""
    figures = host.figures
    for hook, kind in KINDS.items():
        for place, call in enumerate(host.calls(hook, uses), 1):
            if call.plugin == plugin:
                yield {
                    "hook": hook,
                    "kind": kind,
                    "place": place,
                    "tryfirst": call.impl.tryfirst,
                    "trylast": call.impl.trylast,
                    "on_error": call.use.on_error,
                    "blocking": call.is_blocking,
                    "background": call.is_background,
                    **asdict(figures.get((plugin, hook), Figures())),
                }
