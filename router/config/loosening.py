"""A schema made fit for a file as it is written: references not yet filled in, layers not yet laid over each other.

What it gives holds for every file that the schema itself holds for in the end; it may also hold for others. All that it
refers to is gathered below its own place, so that schemas of several authors fit into one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

Schema: TypeAlias = "dict[str, Any]"

REFERENCE: Final[Schema] = {"type": "string", "pattern": "\\$\\{"}
"""A text with a reference in it, which may become anything that a plain value can be."""

UNFILLED: Final[Schema] = {"$ref": "#/$defs/reference"}
"""Where the whole defines it."""

_REMOVED: Final[Schema] = {"type": "null"}

_ANNOTATIONS: Final = ("title", "description", "default", "examples", "deprecated")
_DROPPED: Final = frozenset({"$schema", "$id", "$comment", "$defs", "definitions", "x-message", "maxContains"})
_OF_THE_WHOLE: Final = frozenset(
    {"required", "minProperties", "maxProperties", "dependentRequired", "dependentSchemas", "unevaluatedProperties"}
    | {"if", "then", "else", "not"}
)
"""What can be judged only once all layers are known."""

_LOCAL_NAMES: Final = frozenset({"$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef"})
_VALUES_BY_NAME: Final = frozenset({"properties", "patternProperties"})
_VALUES: Final = frozenset({"additionalProperties", "unevaluatedProperties"})
_ENTRIES: Final = frozenset({"items", "contains", "unevaluatedItems"})
_CONDITIONAL: Final = frozenset({"propertyNames", "if", "then", "else", "not"})
_CONSTRAINTS: Final = frozenset(
    {"enum", "const", "pattern", "format", "maxLength", "allOf", "anyOf", "oneOf", "not", "if"}
)


class Unportable(ValueError):
    """A schema whose parts cannot be taken out of it, or reach beyond it."""


class Loosening:
    """Loosens one schema, which will stand at ``place``, a JSON Pointer, of a whole that defines ``reference``."""

    def __init__(self, root: Mapping[str, Any], place: str = "#") -> None:
        self._root = {key: value for key, value in root.items() if key != "$id"}
        self._id = str(root.get("$id", "")).rstrip("#")
        self._place = place
        self._names: dict[tuple[str, bool], str] = {}
        self._definitions: dict[str, Schema] = {}

    def schema(self, *, is_layer: bool = False) -> Schema:
        """Give the schema; for one layer of a mapping that others complete, where null removes.

        Raises Unportable where it names its parts other than by ``#/…``.
        """
        loose: Schema = self._same(self._root, is_layer)
        return {**loose, "$defs": self._definitions} if self._definitions else loose

    def _same(self, schema: Any, is_layer: bool) -> Any:  # noqa: FBT001 - handed on from place to place
        """Loosen a schema without touching what the value at its own place may be."""
        if not isinstance(schema, dict):
            return schema
        if not _LOCAL_NAMES.isdisjoint(schema) or "$id" in schema:
            raise Unportable("the schema gives its parts names of their own")
        loose: Schema = {}
        for keyword, value in schema.items():
            if keyword in _DROPPED or (is_layer and keyword in _OF_THE_WHOLE):
                continue
            if keyword == "oneOf":  # two of them may fit what is not filled in yet
                either = {"anyOf": [self._same(each, is_layer) for each in value]}
                loose["allOf"] = [*loose.get("allOf", ()), either]
            elif keyword == "allOf":
                loose["allOf"] = [*loose.get("allOf", ()), *(self._same(each, is_layer) for each in value)]
            else:
                loose[keyword] = self._keyword(keyword, value, is_layer)
        return loose

    def _keyword(self, keyword: str, value: Any, is_layer: bool) -> Any:  # noqa: FBT001 - as above
        found = value
        if keyword == "$ref":
            found = self._reference(value, is_layer)
        elif keyword in _VALUES_BY_NAME:
            found = {name: self._value(each, is_layer) for name, each in value.items()}
        elif keyword in _VALUES:
            found = self._value(value, is_layer)
        elif keyword in _ENTRIES:  # a list is no layer: it replaces the whole
            found = self._value(value, is_layer=False)
        elif keyword == "prefixItems":
            found = [self._value(each, is_layer=False) for each in value]
        elif keyword == "anyOf":
            found = [self._same(each, is_layer) for each in value]
        elif keyword == "dependentSchemas":
            found = {name: self._same(each, is_layer) for name, each in value.items()}
        elif keyword in _CONDITIONAL:
            found = self._same(value, is_layer=False)
        return found

    def _value(self, schema: Any, is_layer: bool) -> Any:  # noqa: FBT001 - as above
        """Loosen the schema of a value, which may be a reference, and in a layer null."""
        loose = self._same(schema, is_layer)
        passed = [_REMOVED] * is_layer + [UNFILLED] * self._refuses_references(schema)
        if not isinstance(loose, dict) or not passed:
            return loose
        said = {key: loose.pop(key) for key in _ANNOTATIONS if key in loose}
        return {**said, "anyOf": [loose, *passed]}  # not 'if' and 'else', whose values editors do not offer

    def _refuses_references(self, schema: Any) -> bool:
        """Say whether a value that can be filled in would be flagged before it is."""
        known: Schema = {}
        seen: set[str] = set()
        while isinstance(schema, dict):
            known = {**schema, **known}
            target = schema.get("$ref", "")
            if not target or target in seen:
                break
            seen.add(target)
            schema = self._resolve(target)
        kinds = known.get("type", "string")
        kinds = {kinds} if isinstance(kinds, str) else set(kinds)
        if kinds <= {"object", "array", "null"} or not isinstance(known.get("const", ""), str):
            return False  # no text becomes any of these
        return "string" not in kinds or not _CONSTRAINTS.isdisjoint(known) or known.get("minLength", 0) > 1

    def _reference(self, target: str, is_layer: bool) -> str:  # noqa: FBT001 - as above
        if (target, is_layer) not in self._names:
            name = unquote(target).rpartition("/")[2]
            while name in self._definitions:
                name += "_"
            self._names[target, is_layer] = name
            self._definitions[name] = {}  # it may refer to itself
            self._definitions[name] = self._same(self._resolve(target), is_layer)
        return f"{self._place}/$defs/{pointer_to(self._names[target, is_layer])}"

    def _resolve(self, target: str) -> Any:
        """Find what ``#/…`` names in the schema as its author wrote it."""
        target = target.removeprefix(self._id)
        if target != "#" and not target.startswith("#/"):
            raise Unportable(f"the schema refers to {target!r}, and only its own parts can be taken along")
        found: Any = self._root
        for step in unquote(target).split("/")[1:]:
            try:
                key = step.replace("~1", "/").replace("~0", "~")
                found = found[int(key)] if isinstance(found, list) else found[key]
            except (LookupError, TypeError, ValueError):
                raise Unportable(f"the schema refers to {target!r}, which is not there") from None
        return found


def pointer_to(name: str) -> str:
    """Write a key as a step of a JSON Pointer within a URI."""
    return quote(name.replace("~", "~0").replace("/", "~1"))
