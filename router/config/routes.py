"""From sound data to Routes: each route with all that it inherits, ready to be looked up."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from router.config.checks import is_left_out
from router.config.inheritance import inherited, intent_layers, plugin_layers, tool_layers
from router.config.plugins import entries, key_of
from router.model.messages import Messages
from router.model.routes import AuthKind, AuthMethod, HandBack, Intent, Limits, PluginUse, Replay, Route, Routes, Tool
from router.model.webhook import AgentWebhooks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from router.config.inheritance import Layer
    from router.config.plugins import Configs
    from router.config.review import Review
    from router.model.place import Place


def build(
    review: Review, configs: Configs, targets: Mapping[str, str], digest: str, out_of_order: Sequence[str] = ()
) -> Routes:
    """Compile what was reviewed and found without error; ``configs`` are the plugins', and so are ``targets``.

    ``out_of_order`` are the paths of tools whose file cannot be used, where no other file has them.
    """
    return replace(_Builder(review, configs).routes(digest, out_of_order), targets=targets)


def switched_on(review: Review) -> Iterator[tuple[PluginUse, Place]]:
    """Yield the plugins that are switched on, with the config of their entry alone, and where each stands."""
    for entry in entries(review):
        use = PluginUse(entry.name, MappingProxyType(dict(entry.layer[1])), entry.on_error)
        yield use, review.document.value(("plugins", entry.index, "use"))


class _Builder:
    def __init__(self, review: Review, configs: Configs) -> None:
        self._data = review.data
        self._review = review
        self._plugins = entries(review)
        self._flows: Mapping[str, str] = dict(review.data.get("flows", {}))
        self._configs = configs
        self._shared: dict[Any, tuple[PluginUse, ...]] = {}

    def routes(self, digest: str, out_of_order: Sequence[str]) -> Routes:
        defaults: list[Layer] = [(("defaults",), self._data.get("defaults", {}))]
        tools = {path: Tool(path, self._route(defaults), out_of_order=True) for path in out_of_order}
        tools |= {path: self._tool(path, tool) for path, tool in self._data.get("tools", {}).items()}
        return Routes(
            tools=MappingProxyType(tools),
            flows=MappingProxyType(self._flows),
            auth=tuple(self._auth()),
            agent_webhooks=AgentWebhooks.of(*self._data.get("assistant_webhooks", [])),
            digest=digest,
        )

    def _auth(self) -> list[AuthMethod]:
        """Take the proofs less those whose secret is left out by its own default."""
        methods: list[AuthMethod] = []
        for index, proof in self._review.entries("auth"):
            if proof == AuthKind.TWILIO_SIGNATURE:
                methods.append(AuthMethod(AuthKind.TWILIO_SIGNATURE))
            elif proof["secret"] or not is_left_out(self._review, ("auth", index, "secret")):
                methods.append(AuthMethod(AuthKind.SECRET, proof["secret"]))
        return methods

    def _tool(self, path: str, tool: Mapping[str, Any]) -> Tool:
        return Tool(
            path=path,
            route=self._route(tool_layers(self._data, path)),
            name=tool.get("name", ""),
            description=tool.get("description", ""),
            intent_input=tool.get("intent", "intent"),
            intents=MappingProxyType(
                {
                    name: Intent(
                        name=name,
                        route=self._route(intent_layers(self._data, path, name)),
                        description=intent.get("description", ""),
                        aliases=tuple(intent.get("aliases", ())),
                    )
                    for name, intent in tool.get("intents", {}).items()
                }
            ),
            fallback=tool.get("fallback", ""),
            query=frozenset(tool.get("query", ())),
        )

    def _route(self, layers: Sequence[Layer]) -> Route:
        merged = inherited(layers)
        return Route(
            flow=self._flow(merged.get("flow", "")),
            replay=Replay(merged.get("replay", Replay.NONE)),
            dry_run=merged.get("dry_run", False),
            limits=Limits.of(merged.get("limits", {})),
            hand_back=HandBack.of(merged.get("hand_back", {})),
            messages=Messages.of(merged.get("messages", {})),
            plugins=self._uses(layers),
        )

    def _flow(self, flow: str) -> str:
        """Give the Flow SID; one that a route spells out is that route's alone, and not listed for other calls."""
        return self._flows.get(flow, flow)

    def _uses(self, layers: Sequence[Layer]) -> tuple[PluginUse, ...]:
        """Give the plugins as this route uses them, in the order of the file, less those that it switches off.

        Routes that use them alike share what they use: there may be ten thousand.
        """
        chains = ((entry, plugin_layers(entry.name, entry.layer, layers)) for entry in self._plugins)
        wanted = tuple((entry, key_of(chain)) for entry, chain in chains if chain is not None)
        key = tuple((entry.name, trails) for entry, trails in wanted)
        if key not in self._shared:
            self._shared[key] = tuple(
                PluginUse(entry.name, MappingProxyType(self._configs[trails]), entry.on_error)
                for entry, trails in wanted
            )
        return self._shared[key]
