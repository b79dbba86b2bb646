"""How a call's intent was found, and why it is none of the others."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from router.config.wording import kind, quoted
from router.explanation.explanation import FoundIntent, OtherIntent
from router.model.routes import normalised
from router.resolution import find_intent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.config.document import Trail
    from router.config.sources import Sources, Written
    from router.model.routes import Intent, Tool


def explain_intent(tool: Tool, inputs: Mapping[str, Any], sources: Sources) -> FoundIntent:
    """Say which intent ``inputs`` reach, by what, and for each other one why not."""
    if not tool.intents:
        return FoundIntent("", "tool", "the tool has no intents")
    wording, intent = inputs.get(tool.intent_input), find_intent(tool, inputs)
    others = tuple(
        OtherIntent(name, sources.key(_trail(tool, name)), _why_not(other, tool, wording, sources))
        for name, other in tool.intents.items()
        if other is not intent and isinstance(wording, str)
    )
    if intent is None:
        return FoundIntent("", "none", _why_none(tool, inputs, sources), others=others)
    place = sources.key(_trail(tool, intent.name))
    if not isinstance(wording, str) or tool.find(wording) is None:
        told = f"{intent.name}, as the fallback: {_why_none(tool, inputs, sources)}"
        return FoundIntent(
            intent.name, "fallback", told, place, sources.written(("tools", tool.path, "fallback")), others
        )
    if normalised(wording) == normalised(intent.name):
        return FoundIntent(intent.name, "name", f"{intent.name}, by its name", place, None, others)
    index = [normalised(alias) for alias in intent.aliases].index(normalised(wording))
    alias = _alias(tool, intent, index, sources)
    by_alias = f"{intent.name}, by its alias {alias.hidden or quoted(wording)}"
    return FoundIntent(intent.name, "alias", by_alias, place, alias, others)


def _trail(tool: Tool, name: str) -> Trail:
    return ("tools", tool.path, "intents", name)


def _alias(tool: Tool, intent: Intent, index: int, sources: Sources) -> Written:
    return sources.written((*_trail(tool, intent.name), "aliases", index))


def _shown_aliases(tool: Tool, intent: Intent, sources: Sources) -> list[str]:
    """Give the aliases as they may be told: what came from elsewhere by its reference."""
    return [_alias(tool, intent, index, sources).hidden or quoted(alias) for index, alias in enumerate(intent.aliases)]


def _why_none(tool: Tool, inputs: Mapping[str, Any], sources: Sources) -> str:
    """Say why the wording alone finds no intent."""
    wording = inputs.get(tool.intent_input)
    if wording is None:
        return f"the call has no input {quoted(tool.intent_input)}{_misspelt(tool.intent_input, inputs)}"
    if not isinstance(wording, str):
        return f"the input {quoted(tool.intent_input)} is a {kind(wording)}, expected a text"
    return f"no intent is called {quoted(wording)}{_guess(wording, tool, sources)}"


def _misspelt(wanted: str, inputs: Mapping[str, Any]) -> str:
    """Find the input that the wanted one was perhaps meant by; inputs are told apart by case too."""
    names = {name.casefold(): name for name in inputs if name != wanted}
    close = get_close_matches(wanted.casefold(), names, n=1)
    return f"; did you mean {quoted(wanted)} by {quoted(names[close[0]])}?" if close else ""


def _guess(wording: str, tool: Tool, sources: Sources) -> str:
    known: dict[str, str] = {}
    for intent in tool.intents.values():
        known |= zip(map(normalised, intent.aliases), _shown_aliases(tool, intent, sources), strict=True)
        known[normalised(intent.name)] = quoted(intent.name)
    close = get_close_matches(normalised(wording)[:100], known, n=1)
    return f"; did you mean {known[close[0]]}?" if close else ""


def _why_not(intent: Intent, tool: Tool, wording: str, sources: Sources) -> str:
    if not intent.aliases:
        return f"{quoted(intent.name)} is not {quoted(wording)}"
    aliases = ", ".join(_shown_aliases(tool, intent, sources))
    return f"neither {quoted(intent.name)} nor {aliases} is {quoted(wording)}"
