"""defaults → tool → intent, key by key: the nearest wins, and null removes what was inherited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from router.hooks.names import same_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from router.config.document import Trail

INHERITED: Final = ("flow", "replay", "dry_run", "limits", "hand_back", "messages")
"""What a tool has from ``defaults`` and an intent from its tool; ``plugins`` too, by a rule of its own."""

Layer = tuple["Trail", "Mapping[str, Any]"]
"""One level of the file, and where it stands."""


def patch(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Lay ``change`` over ``base`` key by key, mappings within likewise; null removes (JSON Merge Patch, RFC 7396)."""
    merged = dict(base)
    for key, value in change.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            below = merged.get(key)
            merged[key] = patch(below if isinstance(below, dict) else {}, value)
        else:
            merged[key] = value
    return merged


def inherited(layers: Sequence[Layer]) -> dict[str, Any]:
    """Give what the last of ``layers`` has in the end, of what is inherited key by key."""
    merged: dict[str, Any] = {}
    for _trail, layer in layers:
        merged = patch(merged, {key: layer[key] for key in INHERITED if key in layer})
    return merged


def plugin_layers(name: str, entry: Layer, layers: Sequence[Layer]) -> list[Layer] | None:
    """Give the configs of a plugin that lie over each other, its entry's first; None where it is switched off.

    A mapping is laid over what is inherited and switches on; ``true`` switches on; ``false`` switches off; null leaves
    all as it is. null in the place of all ``plugins:`` goes back to the entry.
    """
    configs, is_on = [entry], True
    for trail, layer in layers:
        settings = layer.get("plugins", {})
        if settings is None:
            configs, is_on = [entry], True
            continue
        for key, setting in settings.items():
            if same_name(key) != name or setting is None:
                continue
            is_on = setting is not False
            if isinstance(setting, dict):
                configs.append(((*trail, "plugins", key), setting))
    return configs if is_on else None


def levels(data: Mapping[str, Any]) -> Iterator[list[Layer]]:
    """Yield each level of the file that can set something, with those that it inherits from before it."""
    defaults: Layer = (("defaults",), data.get("defaults", {}))
    yield [defaults]
    for path, tool in data.get("tools", {}).items():
        layers = tool_layers(data, path)
        yield layers
        for name, intent in tool.get("intents", {}).items():
            yield [*layers, (("tools", path, "intents", name), intent)]


def routes(data: Mapping[str, Any]) -> Iterator[list[Layer]]:
    """Yield the levels at which a handover can end up: intents, and tools that have none."""
    return (layers for layers in levels(data) if len(layers) > 1 and "intents" not in layers[-1][1])


def tool_layers(data: Mapping[str, Any], path: str) -> list[Layer]:
    """Give what a tool inherits from, and the tool itself last."""
    return [(("defaults",), data.get("defaults", {})), (("tools", path), data["tools"][path])]


def intent_layers(data: Mapping[str, Any], path: str, name: str) -> list[Layer]:
    """Give what an intent inherits from, and the intent itself last."""
    return [*tool_layers(data, path), (("tools", path, "intents", name), data["tools"][path]["intents"][name])]
