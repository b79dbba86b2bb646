"""A tool as the agent's configuration wants it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from router.model.messages import placeholders
from router.model.routes import AuthKind
from router.resolution import reserved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.model.routes import Route, Routes, Tool

METHOD: Final = "POST"
"""A GET puts the inputs into the URL, where logs keep them."""

_INPUT: Final = "input."


@dataclass(frozen=True, slots=True)
class Choice:
    """A value that an input may have, and when the model should take it."""

    name: str
    description: str
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Input:
    """What the model puts into the call under ``name``: one of ``choices``, or any text where there are none.

    ``fallback`` is the choice for everything else; empty where there is none.
    """

    name: str
    description: str
    choices: tuple[Choice, ...] = ()
    fallback: str = ""


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """The fields of a tool in the agent's configuration. ``url`` has placeholders for what only its owner knows.

    ``plugins`` are those that are on for any of its intents; they may read inputs that nobody knows of here.
    """

    path: str
    name: str
    description: str
    inputs: tuple[Input, ...]
    url: str
    method: str = METHOD
    plugins: tuple[str, ...] = ()


def define(tool: Tool, routes: Routes, base_url: str) -> ToolDefinition:
    """Say what the agent needs to know of ``tool``; ``base_url`` has no slash at its end.

    A tool without a name gets one that is made from its path.
    """
    return ToolDefinition(
        path=tool.path,
        name=one_line(tool.name) or _name_from(tool.path),
        description=one_line(tool.description),
        inputs=tuple(_inputs(tool)),
        url=f"{base_url}{tool.path}{_query(tool, routes)}",
        plugins=tuple(dict.fromkeys(use.name for route in _ends(tool) for use in route.plugins)),
    )


def one_line(text: str) -> str:
    """Put ``text`` on one line, without what cannot be seen."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _name_from(path: str) -> str:
    words = one_line(path.rstrip("/").rpartition("/")[2].replace("-", " ").replace("_", " "))
    return words.title() or "Handover"


def _inputs(tool: Tool) -> Iterator[Input]:
    if tool.intents:
        choices = tuple(Choice(name, intent.description, intent.aliases) for name, intent in tool.intents.items())
        yield Input(tool.intent_input, "What the customer wants.", choices, tool.fallback)
    taken = {tool.intent_input} if tool.intents else set()
    for name, intents in _used_by_messages(tool).items():
        if name not in taken | reserved(tool):
            only = f" Wanted for: {', '.join(intents)}." if len(intents) < len(tool.intents) else ""
            yield Input(name, f"Told in the answer.{only} Leave it empty where it is not known.")


def _used_by_messages(tool: Tool) -> dict[str, list[str]]:
    """List the inputs that a sentence repeats, each with the intents whose sentences do; the tool's own are ''."""
    routes = {name: intent.route for name, intent in tool.intents.items()} or {"": tool.route}
    used: dict[str, list[str]] = {}
    for name, route in routes.items():
        for found in _names_in(route):
            used.setdefault(found, []).append(name)
    return used


def _names_in(route: Route) -> dict[str, None]:
    sentences = (getattr(route.messages, field.name) for field in fields(route.messages))
    found = (name for sentence in sentences for name in placeholders(sentence) if name.startswith(_INPUT))
    return dict.fromkeys(name.removeprefix(_INPUT) for name in found)


def _ends(tool: Tool) -> list[Route]:
    return [intent.route for intent in tool.intents.values()] or [tool.route]


def _query(tool: Tool, routes: Routes) -> str:
    """Give what the URL must have: the secret where nothing else proves the caller, the flow where only it can tell."""
    parts = ["secret=..."] if {method.kind for method in routes.auth} == {AuthKind.SECRET} else []
    parts += ["flowSid=FW..."] if not all(route.flow for route in _ends(tool)) else []
    return f"?{'&'.join(parts)}" if parts else ""
