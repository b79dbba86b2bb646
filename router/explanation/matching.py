"""How a call's intent was found, and why it is none of the others."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from router.config.wording import kind, quoted
from router.explanation.explanation import FoundIntent, OtherIntent
from router.model.routes import normalised
from router.resolution import find_intent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from router.config.document import Trail
    from router.config.sources import Sources
    from router.model.routes import Intent, Tool


def explain_intent(tool: Tool, inputs: Mapping[str, Any], sources: Sources) -> FoundIntent:
    """Say which intent ``inputs`` reach, by what, and for each other one why not."""
    if not tool.intents:
        return FoundIntent("", "tool", "the tool has no intents")
    wording, intent = inputs.get(tool.intent_input), find_intent(tool, inputs)
    others = tuple(
        OtherIntent(name, sources.key(_trail(tool, name)), _why_not(other, wording))
        for name, other in tool.intents.items()
        if other is not intent and isinstance(wording, str)
    )
    if intent is None:
        return FoundIntent("", "none", _why_none(tool, wording), others=others)
    place = sources.key(_trail(tool, intent.name))
    if not isinstance(wording, str) or tool.find(wording) is None:
        told = f"{intent.name}, as the fallback: {_why_none(tool, wording)}"
        return FoundIntent(
            intent.name, "fallback", told, place, sources.written(("tools", tool.path, "fallback")), others
        )
    if normalised(wording) == normalised(intent.name):
        return FoundIntent(intent.name, "name", f"{intent.name}, by its name", place, None, others)
    index = [normalised(alias) for alias in intent.aliases].index(normalised(wording))
    alias = sources.written((*_trail(tool, intent.name), "aliases", index))
    return FoundIntent(intent.name, "alias", f"{intent.name}, by its alias {quoted(wording)}", place, alias, others)


def _trail(tool: Tool, name: str) -> Trail:
    return ("tools", tool.path, "intents", name)


def _why_none(tool: Tool, wording: Any) -> str:
    """Say why the wording alone finds no intent."""
    if wording is None:
        return f"the call has no input {quoted(tool.intent_input)}"
    if not isinstance(wording, str):
        return f"the input {quoted(tool.intent_input)} is a {kind(wording)}, expected a text"
    return f"no intent is called {quoted(wording)}{_guess(wording, tool.intents.values())}"


def _guess(wording: str, intents: Iterable[Intent]) -> str:
    known = {normalised(each): each for intent in intents for each in (*intent.aliases, intent.name)}
    close = get_close_matches(normalised(wording)[:100], known, n=1)
    return f"; did you mean {quoted(known[close[0]])}?" if close else ""


def _why_not(intent: Intent, wording: str) -> str:
    if not intent.aliases:
        return f"{quoted(intent.name)} is not {quoted(wording)}"
    aliases = ", ".join(quoted(alias) for alias in intent.aliases)
    return f"neither {quoted(intent.name)} nor {aliases} is {quoted(wording)}"
