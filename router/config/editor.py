"""The schema of routes.yaml for an editor, with what the installed plugins' configs may hold merged in.

An editor reads one file as it is written, before references are filled in and before layers are laid over each other.
So this schema says less than ``check`` does; what it flags is surely wrong.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from router import bundled
from router.config.loosening import REFERENCE, UNFILLED, Loosening, Unportable, pointer_to

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from router.config.loosening import Schema
    from router.hooks.discovery import FoundPlugin

FRAGMENT: Final = ("flows", "tools", "tests")
"""What a fragment may hold."""


def merged_schema(available: Mapping[str, FoundPlugin]) -> Schema:
    """Give the JSON Schema (draft 2020-12) of a routes.yaml that may switch on the ``available`` plugins and no others.

    It allows references wherever they can be filled in, and a config of which another layer may give or remove a part.
    """
    whole = Loosening(json.loads(bundled.SCHEMA.read_text("utf-8"))).schema()
    definitions: dict[str, Schema] = whole["$defs"]
    definitions["reference"] = REFERENCE
    configs: dict[str, Schema] = {}
    for name, plugin in available.items():
        place = f"#/$defs/{pointer_to(f'plugin-{name}')}"
        definitions[f"plugin-{name}"] = _config(plugin, place)
        configs[name] = {"$ref": place}
    _merge_entries(whole["properties"]["plugins"]["items"], configs)
    _merge_routes(definitions["routePlugins"], configs)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole}


def fragment_schema(whole: Schema) -> Schema:
    """Give the schema of a fragment, which has no version and no more than three sections."""
    fragment = {key: value for key, value in whole.items() if key not in ("required", "examples")}
    kept = {key: whole["properties"][key] for key in FRAGMENT}
    return {**fragment, "title": "A fragment of routes.yaml", "properties": kept}


def _config(plugin: FoundPlugin, place: str) -> Schema:
    """Give the schema of a plugin's config; one that cannot be taken along allows anything."""
    said = {"title": f"Config of the plugin {plugin.title or plugin.name}"}
    try:
        return {**said, **Loosening(plugin.config_schema or {}, place).schema(is_layer=True)}
    except Unportable:
        return said


def _merge_entries(entry: Schema, configs: Mapping[str, Schema]) -> None:
    """Let an entry of the list ``plugins`` name only what there is, and have the config of the plugin that it names."""
    use = entry["properties"]["use"]
    use["examples"] = list(configs)
    use["anyOf"] = [{"enum": list(configs)}, {"pattern": _spelt(configs)}, UNFILLED]
    entry["allOf"] = [
        {
            "if": {"required": ["use"], "properties": {"use": {"pattern": _spelt([name])}}},
            "then": {"properties": {"config": config}},
        }
        for name, config in configs.items()
    ]


def _merge_routes(routes: Schema, configs: Mapping[str, Schema]) -> None:
    """Let a route set only plugins that there are, each with a part of its config, or switch them on and off."""
    said = {key: routes["additionalProperties"][key] for key in ("title", "description")}
    switch = {"anyOf": [{"type": ["boolean", "null"]}, UNFILLED]}
    settings = {
        name: {**said, "if": {"type": "object"}, "then": config, "else": switch} for name, config in configs.items()
    }
    routes["properties"] = settings  # an editor offers these
    routes["patternProperties"] = {_spelt([name]): setting for name, setting in settings.items()}
    routes["additionalProperties"] = False


def _spelt(names: Iterable[str]) -> str:
    """Write a pattern of the names in each of their spellings, for Python's and JavaScript's regular expressions."""
    return f"^(?:{'|'.join(''.join(map(_character, name)) for name in names)})$"


def _character(found: str) -> str:
    if found in "-_":
        return "[-_]"
    return found if found.isalnum() or not found.isascii() else f"\\u{ord(found):04x}"
