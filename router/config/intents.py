"""The intents of a tool: wordings that cannot be mistaken for each other, and a way for all other wishes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from router.config.wording import quoted
from router.model.routes import normalised

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.config.document import Trail
    from router.config.review import Review


def check_intents(review: Review, path: str, tool: Mapping[str, Any]) -> None:
    """Each wording must name one intent, and what every other wording leads to must be there."""
    intents: Mapping[str, Any] = tool.get("intents", {})
    here: Trail = ("tools", path, "intents")
    owners: dict[str, str] = {}
    for name in intents:
        wording = normalised(name)
        if not wording:
            review.key_error((*here, name), "intent-unclear", f"{quoted(name)} is empty once '-' and '_' are left out")
        elif wording in owners:
            message = f"{quoted(name)} and {quoted(owners[wording])} are the same to a caller; rename one of them"
            review.key_error((*here, name), "intent-unclear", message)
        owners.setdefault(wording, name)
    names = dict(owners)
    for name, intent in intents.items():
        own: set[str] = set()
        for index, alias in enumerate(intent.get("aliases", [])):
            if alias is not None:
                _check_alias(review, (*here, name, "aliases", index), alias, names, owners)
                _check_use(review, (*here, name, "aliases", index), alias, own)
    _check_fallback(review, ("tools", path, "fallback"), tool.get("fallback"), intents)
    _check_flow(review, ("tools", path), tool, intents)


def _check_alias(review: Review, trail: Trail, alias: str, names: Mapping[str, str], owners: dict[str, str]) -> None:
    wording, name = normalised(alias), str(trail[3])
    owner = owners.setdefault(wording, name)
    trouble = ""
    if not wording:
        trouble = "is empty once '-' and '_' are left out"
    elif wording in names and names[wording] != name:
        trouble = "is the name of another intent; remove it here"
    elif owner != name:
        trouble = f"is an alias of {quoted(owner)} too; leave it to one of them"
    if trouble:
        title = f"the alias {review.shown(trail, alias)} of {review.name(trail[:4])}"
        review.error(trail, "intent-unclear", f"{title} {trouble}")


def _check_use(review: Review, trail: Trail, alias: str, own: set[str]) -> None:
    """An alias should add a wording to its intent; ``own`` has those of the aliases before it."""
    wording = normalised(alias)
    is_name = wording == normalised(str(trail[3]))
    if wording and (is_name or wording in own):
        title = f"the alias {review.shown(trail, alias)} of {review.name(trail[:4])}"
        same = "the intent's own name" if is_name else "one before it"
        message = f"{title} adds nothing: to a caller it is the same as {same}; remove it"
        review.key_warning(trail, "alias-idle", message)
    own.add(wording)


def _check_fallback(review: Review, trail: Trail, fallback: str | None, intents: Mapping[str, Any]) -> None:
    intent: Trail = (*trail[:2], "intents", fallback or "")
    if fallback is None or fallback in intents or review.is_told(intent) or review.may_lack(intent):
        return
    guess = review.near(trail, fallback, intents)
    if fallback in review.data.get("flows", {}):
        guess = "; that is a flow: name an intent that leads to it"
    elif not intents:
        guess = "; the tool has no intents"
    elif owner := _owner(fallback, intents):
        guess = f"; that is an alias of {quoted(owner)}: name the intent itself"
    name, found = review.name(trail[:2]), review.shown(trail, fallback)
    review.error(trail, "fallback-unknown", f"{name} falls back to {found}, which is none of its intents{guess}")


def _owner(wording: str, intents: Mapping[str, Any]) -> str:
    """Find the intent that one may call by this wording; nothing where there is none."""
    for name, intent in intents.items():
        called = [name, *(alias for alias in intent.get("aliases", []) if alias is not None)]
        if normalised(wording) in map(normalised, called):
            return name
    return ""


def _check_flow(review: Review, trail: Trail, tool: Mapping[str, Any], intents: Mapping[str, Any]) -> None:
    """A tool's own flow is for its intents to inherit; who gives each of them one often means a fallback."""
    if not (tool.get("flow") and intents) or any("flow" not in intent for intent in intents.values()):
        return
    if not (review.document.hides_fault(trail) or review.document.unfinished):
        message = f"'flow' of {review.name(trail)} leads nowhere, as each of its intents has its own"
        remedy = "for all other wishes name an intent in 'fallback'"
        review.key_warning((*trail, "flow"), "flow-idle", f"{message}; {remedy}")
