"""The type of a tool's input as Twilio's agents take it: the whole of it is shown to the model, comments too."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from router.definitions.definition import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.definitions.definition import Choice, Input, ToolDefinition

_IDENTIFIER: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


def input_type(definition: ToolDefinition) -> str:
    """Write the type (docs/twilio.md, TOOL-FORM); ``{}`` where the tool takes no input."""
    if not definition.inputs:
        return "{}"
    return "\n".join(("{", *(f"  {line}" for each in definition.inputs for line in _member(each)), "}"))


def described(entry: Input) -> Iterator[str]:
    """Yield the lines that tell the model what to put in: what it is, then each choice."""
    yield one_line(entry.description)
    for choice in entry.choices:
        yield _about(choice)
    if entry.fallback:
        yield f"Anything else: {literal(entry.fallback)}"


def literal(text: str) -> str:
    """Write ``text`` as a literal, on one line and readable where it can be."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _about(choice: Choice) -> str:
    description = one_line(choice.description)
    aliases = f"also called {', '.join(map(literal, choice.aliases))}" if choice.aliases else ""
    about = "; ".join(filter(None, (description, aliases)))
    return f"{literal(choice.name)}: {about}" if about else literal(choice.name)


def _member(entry: Input) -> Iterator[str]:
    lines = [line.replace("*/", "* /") for line in described(entry)]
    if len(lines) == 1:
        yield f"/** {lines[0]} */"
    else:
        yield "/**"
        yield from (f" * {line}" for line in lines)
        yield " */"
    name = entry.name if _IDENTIFIER.fullmatch(entry.name) else literal(entry.name)
    yield f"{name}: {' | '.join(literal(choice.name) for choice in entry.choices) or 'string'};"
