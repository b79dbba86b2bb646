"""Tools as JSON Schema function definitions, for agents of other makes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from router.definitions.typescript import described

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.definitions.definition import Input, ToolDefinition

LONGEST_NAME: Final = 64

_FORBIDDEN: Final = re.compile(r"[^a-zA-Z0-9_-]+")


def functions(definitions: Iterable[ToolDefinition]) -> list[dict[str, Any]]:
    """Define a function for each tool: strict, so every input is required, and each name stands once."""
    taken: set[str] = set()
    defined = []
    for definition in definitions:
        name = _distinct(_plain(definition.name) or _plain(definition.path) or "handover", taken)
        taken.add(name)
        defined.append(
            {
                "type": "function",
                "name": name,
                "description": definition.description,
                "parameters": {
                    "type": "object",
                    "properties": {each.name: _schema(each) for each in definition.inputs},
                    "required": [each.name for each in definition.inputs],
                    "additionalProperties": False,
                },
                "strict": True,
            }
        )
    return defined


def _schema(entry: Input) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "description": "\n".join(described(entry))}
    return schema | ({"enum": [choice.name for choice in entry.choices]} if entry.choices else {})


def _plain(text: str) -> str:
    """Make a name of the characters that a function's name may have."""
    return _FORBIDDEN.sub("_", text).strip("_").lower()[:LONGEST_NAME]


def _distinct(name: str, taken: set[str]) -> str:
    number, distinct = 1, name
    while distinct in taken:
        number += 1
        distinct = f"{name[: LONGEST_NAME - len(str(number)) - 1]}_{number}"
    return distinct
