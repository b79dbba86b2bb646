"""The flows that plugins' configs name: a config schema marks them, so that each is known at load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from router.config.inheritance import levels
from router.config.plugins import entries
from router.hooks.names import same_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.config.document import Trail
    from router.config.review import Review
    from router.hooks.discovery import Discovery

_MARK: Final = "x-flow"


def flows_in_configs(review: Review, found: Discovery) -> Iterator[tuple[Trail, str]]:
    """Yield where a config names a flow, in an entry or in what a route lays over it, and which."""
    schemas: dict[str, Any] = {}
    for entry in entries(review):
        if entry.name in found.plugins:
            schemas[entry.name] = found.plugins[entry.name].config_schema
            yield from _marked(schemas[entry.name], entry.layer[1], entry.layer[0])
    for layers in levels(review.data):
        trail, layer = layers[-1]
        for key, config in (layer.get("plugins") or {}).items():
            yield from _marked(schemas.get(same_name(key)), config, (*trail, "plugins", key))


def _marked(schema: Any, value: Any, trail: Trail) -> Iterator[tuple[Trail, str]]:
    """Walk along a schema and a value that may not fit it, as far as properties and items lead."""
    if not isinstance(schema, dict):
        return
    if isinstance(value, str) and value and schema.get(_MARK) is True:
        yield trail, value
    elif isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        for key, each in value.items():
            yield from _marked(properties.get(key, others), each, (*trail, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _marked(schema.get("items"), each, (*trail, index))
