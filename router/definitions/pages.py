"""Definitions for people: as text for the terminal, as Markdown for a wiki."""

from __future__ import annotations

import re
from textwrap import indent
from typing import TYPE_CHECKING, Final

from router.definitions.typescript import input_type

if TYPE_CHECKING:
    from router.definitions.definition import ToolDefinition

_TICKS: Final = re.compile(r"`+")


def as_text(definition: ToolDefinition) -> str:
    """Write the fields below the tool's path."""
    fields = {
        "Name": definition.name,
        "Description": definition.description or "-",
        "Input": indent(input_type(definition), " " * 15).lstrip(),
        "Method": definition.method,
        "URL": definition.url,
    }
    lines = [definition.path, "", *(f"  {field:11}  {value}" for field, value in fields.items())]
    lines += [f"  {_by_hand(definition)}"] if definition.plugins else []
    return "\n".join((*lines, ""))


def as_markdown(definition: ToolDefinition) -> str:
    """Write a section with a table of the fields, and the input as code below it."""
    written = input_type(definition)
    fence = "`" * max(3, 1 + max((len(ticks) for ticks in _TICKS.findall(written)), default=0))
    fields = {
        "Name": _cell(definition.name),
        "Description": _cell(definition.description) or "-",
        "Input": "as below",
        "Method": definition.method,
        "URL": f"`{definition.url}`",
    }
    rows = "\n".join(f"| {field} | {value} |" for field, value in fields.items())
    page = f"## {_cell(definition.name)}\n\n| Field | Value |\n|---|---|\n{rows}\n\n{fence}ts\n{written}\n{fence}\n"
    return f"{page}\n{_cell(_by_hand(definition))}\n" if definition.plugins else page


def _by_hand(definition: ToolDefinition) -> str:
    return f"Inputs that its plugins read must be added by hand: {', '.join(definition.plugins)}."


def _cell(text: str) -> str:
    return re.sub(r"([\\|`*_<\[])", r"\\\1", text)
