"""What the grammar wants at a place, for words that are judged before the grammar is held against them."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from router import bundled
from router.config.remedies import is_a
from router.config.wording import either

if TYPE_CHECKING:
    from router.config.document import Trail


def remedy_at(trail: Trail, word: str) -> str:
    """Say what to write at ``trail`` in the place of ``word``, which is ambiguous.

    Gives nothing where the grammar wants no text there, or says nothing of it: then the word's own remedy holds.
    """
    schema = _schema_at(trail)
    if "enum" in schema:
        return f"expected {either([choice for choice in schema['enum'] if choice])}"
    if is_a("", _kinds(schema)):
        if re.search(schema.get("pattern", ""), word):
            return "put it into quotes"
        return f"expected a text such as {schema['examples'][0]}"
    return ""


def may_stand_at(trail: Trail, value: Any) -> bool:
    """Say whether ``value`` is of a type that the grammar wants at ``trail``; of a choice, that is not looked at."""
    schema = _schema_at(trail)
    return "type" not in schema or is_a(value, _kinds(schema))


def _kinds(schema: dict[str, Any]) -> list[str]:
    kinds = schema.get("type", [])
    return [kinds] if isinstance(kinds, str) else kinds


def _schema_at(trail: Trail) -> dict[str, Any]:
    """Give the part of the grammar for what stands at ``trail``; an empty one where it says nothing of it."""
    schema = _resolved(_grammar())
    for step in trail:
        below = schema.get("items") if isinstance(step, int) else schema.get("properties", {}).get(step)
        if below is None and not isinstance(step, int):
            below = schema.get("additionalProperties")
        schema = _resolved(below if isinstance(below, dict) else {})
    return schema


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference to a definition; of alternatives take the mapping, which is what one goes down into."""
    if "$ref" in schema:
        schema = {**_grammar()["$defs"][schema["$ref"].rpartition("/")[2]], **schema}
    return {**schema, **schema.get("then", {})}


@cache
def _grammar() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bundled.SCHEMA.read_text("utf-8"))
    return found
