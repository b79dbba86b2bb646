from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from router.config.loosening import REFERENCE, Loosening, Unportable

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = "${env:NAME}"
SCALARS = st.sampled_from(
    [
        ({"type": "integer", "minimum": 3}, 4),
        ({"type": ["number", "null"]}, 0.5),
        ({"type": "boolean"}, True),
        ({"type": "boolean"}, False),
        ({"enum": ["a", "b"]}, "a"),
        ({"const": "a", "title": "Only a"}, "a"),
        ({"type": "string", "pattern": "^x+$"}, "xx"),
        ({"type": "string", "maxLength": 3}, "abc"),
        ({"type": "string", "minLength": 2}, "abc"),
        ({"type": "string", "not": {"pattern": "E"}}, "abc"),
        ({"$ref": "#/$defs/port"}, 80),
        ({"$ref": "#/$defs/word", "description": "A word."}, "word"),
        ({"oneOf": [{"type": "integer"}, {"type": "boolean"}]}, 7),
        ({"oneOf": [{"type": "integer"}, {"type": "boolean"}], "allOf": [{"maximum": 9}]}, 7),
        ({"allOf": [{"type": "integer"}], "anyOf": [{"minimum": 1}, {"maximum": -1}]}, 7),
    ]
)
DEFINITIONS = {
    "port": {"type": "integer", "minimum": 1, "maximum": 65535},
    "word": {"type": "string", "pattern": "^[a-z]+$"},
}


def listed(entry: tuple[Any, Any]) -> tuple[Any, Any]:
    schema, value = entry
    return {"type": "array", "items": schema, "minItems": 1, "contains": schema, "maxContains": 2}, [value, value]


def paired(entries: list[tuple[Any, Any]]) -> tuple[Any, Any]:
    schemas = [schema for schema, _ in entries]
    return {"type": "array", "prefixItems": schemas, "unevaluatedItems": False}, [value for _, value in entries]


def mapped(entries: dict[str, tuple[Any, Any]]) -> tuple[Any, Any]:
    schema = {
        "type": "object",
        "properties": {key: schema for key, (schema, _) in entries.items()},
        "required": list(entries),
        "minProperties": len(entries),
        "unevaluatedProperties": False,
        "propertyNames": {"pattern": "^[a-c]$"},
        "dependentSchemas": {"a": {"required": ["a"]}},
    }
    return schema, {key: value for key, (_, value) in entries.items()}


def named(entry: tuple[Any, Any]) -> tuple[Any, Any]:
    schema, value = entry
    return {"additionalProperties": False, "patternProperties": {"^x": schema}}, {"x1": value, "x2": value}


MAPPINGS: Any = st.deferred(
    lambda: st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3).map(mapped) | VALUES.map(named)
)
VALUES: Any = st.deferred(
    lambda: SCALARS | MAPPINGS | SCALARS.map(listed) | st.lists(SCALARS, min_size=1, max_size=2).map(paired)
)


def loose(schema: dict[str, Any], *, is_layer: bool = False) -> Draft202012Validator:
    found = Loosening(schema).schema(is_layer=is_layer)
    whole = {**found, "$defs": {**found.get("$defs", {}), "reference": REFERENCE}}
    Draft202012Validator.check_schema(whole)
    return Draft202012Validator(whole)


def written(value: Any, chance: Callable[[], bool], *, is_layer: bool) -> Any:
    """Replace scalars by references; in a layer, leave out keys and remove others by null."""
    if isinstance(value, list):
        return [written(each, chance, is_layer=False) for each in value]
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if not (is_layer and chance())}
        return {
            key: None if is_layer and chance() else written(each, chance, is_layer=is_layer)
            for key, each in kept.items()
        }
    return TEXT if chance() else value


@given(MAPPINGS, st.data())
def test_what_is_right_in_the_end_is_right_as_it_is_written(pair: tuple[Any, Any], data: st.DataObject) -> None:
    """A value that fits stays right with references in the places of its scalars, and as any layer of it."""
    schema = {**pair[0], "$defs": DEFINITIONS}
    Draft202012Validator(schema).validate(pair[1])

    def chance() -> bool:
        return data.draw(st.booleans())

    loose(schema).validate(written(pair[1], chance, is_layer=False))
    loose(schema, is_layer=True).validate(written(pair[1], chance, is_layer=True))


@pytest.mark.parametrize(
    ("schema", "wrong"),
    [
        ({"type": "integer"}, "four"),
        ({"type": "string", "pattern": "^x+$"}, "y"),
        ({"enum": ["a", "b"]}, "c"),
        ({"type": "object"}, TEXT),
        ({"type": ["array", "null"]}, TEXT),
        ({"const": 1}, TEXT),
        ({"oneOf": [{"type": "integer"}, {"type": "boolean"}]}, "text"),
        ({"$ref": "#/$defs/port"}, 0),
        ({"type": "object", "properties": {"b": {"$ref": "#/$defs/port"}}}, {"b": "80"}),
        ({"type": "array", "items": {"required": ["x"]}}, [{}]),
        ({"type": "array", "items": {"type": "integer"}}, [None]),
        ({"type": "object", "additionalProperties": False}, {"b": 1}),
        ({"propertyNames": {"$ref": "#/$defs/word"}}, {TEXT: 1}),
        (False, 1),
    ],
)
@pytest.mark.parametrize("is_layer", [False, True])
def test_what_is_surely_wrong_is_still_flagged(schema: Any, wrong: Any, is_layer: bool) -> None:
    """A value that no reference and no other layer can make right does not fit."""
    whole = {"type": "object", "properties": {"a": schema}, "$defs": DEFINITIONS}
    assert not loose(whole, is_layer=is_layer).is_valid({"a": wrong})


def test_only_a_layer_may_lack_and_remove() -> None:
    """What is required, and what null is, is held to where there are no layers."""
    schema = {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}
    for is_layer in (False, True):
        assert loose(schema, is_layer=is_layer).is_valid({}) is is_layer
        assert loose(schema, is_layer=is_layer).is_valid({"a": None}) is is_layer


def test_what_explains_a_value_stays_with_it() -> None:
    """Titles, descriptions, defaults and examples stand where an editor looks for them; what is only ours is gone."""
    said = {"title": "Port", "description": "Of the desk.", "default": 80, "examples": [443]}
    schema = {"properties": {"port": {**said, "type": "integer", "x-message": "no"}}}
    found = Loosening(schema).schema()
    assert found["properties"]["port"] == {**said, "anyOf": [{"type": "integer"}, {"$ref": "#/$defs/reference"}]}


def test_definitions_move_with_their_schema() -> None:
    """References to parts, to the whole and by the schema's own id lead to the same from another place."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://plugins.example/desk.json",
        "type": "object",
        "properties": {
            "port": {"$ref": "https://plugins.example/desk.json#/$defs/a~1b%20c"},
            "desk": {"$ref": "#"},
            "also": {"$ref": "#/properties/ports/prefixItems/0"},
            "ports": {"prefixItems": [{"$ref": "#/$defs/a~1b%20c"}]},
            "other": {"$ref": "#/definitions/c"},
            "once": {"$ref": "#/$defs/d/c"},
        },
        "$defs": {"a/b c": {"type": "integer"}, "unused": {"type": "null"}, "d": {"c": {"type": "boolean"}}},
        "definitions": {"c": {"$ref": "#/definitions/c"}},
    }
    found = Loosening(schema, "#/$defs/plug/in").schema(is_layer=True)
    within = {"$defs": {"reference": REFERENCE, "plug": {"in": found}}, "$ref": "#/$defs/plug/in"}
    Draft202012Validator.check_schema(within)
    measure = Draft202012Validator(within)
    assert "unused" not in found["$defs"]
    assert {"a~1b c", "a~1b c_"} <= found["$defs"].keys(), "as a layer, and as an entry of a list"
    assert measure.is_valid({"port": 1, "desk": {"desk": {"port": TEXT}}, "also": 2, "ports": [TEXT], "once": True})
    for wrong in ({"port": "x"}, {"desk": {"port": "x"}}, {"also": "x"}, {"ports": ["x"]}, {"once": 1}):
        assert not measure.is_valid(wrong), wrong


@pytest.mark.parametrize(
    "part",
    [
        {"$ref": "https://elsewhere.example/x.json"},
        {"$ref": "#anchor"},
        {"$ref": "#/$defs/missing"},
        {"$ref": "#/required/x"},
        {"$ref": "#/title/x"},
        {"$dynamicRef": "#node"},
        {"$anchor": "node"},
        {"$id": "https://plugins.example/part.json"},
    ],
)
def test_what_cannot_be_taken_along_is_said(part: dict[str, Any]) -> None:
    """A schema that reaches beyond itself, or calls its parts by names of their own, is refused and not bent."""
    with pytest.raises(Unportable):
        Loosening({"title": "t", "required": ["a"], "properties": {"a": part}}).schema(is_layer=True)
