"""Tools and their intents: paths that can be called, names that cannot be mistaken, a flow for each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from router.config.inheritance import inherited, levels
from router.config.wording import quoted
from router.model.routes import normalised

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.config.document import Trail
    from router.config.inheritance import Layer
    from router.config.review import Review

RESERVED: Final = ("/-", "/plugins", "/healthz", "/readyz", "/metrics")
"""Paths that the router itself answers, with everything below them."""

_WELL_FORMED: Final = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/-]*")


def check_tools(review: Review) -> None:
    """There must be a tool, each on a path of its own, and each must lead somewhere."""
    tools = review.data.get("tools", {})
    if not review.document.data.get("tools") and not review.is_told(("tools",)):
        review.key_error(("tools",), "tools-missing", "there are no tools, so nothing can be handed over; add 'tools:'")
    taken: dict[str, str] = {}
    for path, tool in tools.items():
        _check_path(review, path, taken)
        _check_intents(review, path, tool)
    for layers in levels(review.data):
        if len(layers) > 1:
            _check_leads_somewhere(review, layers)


def _check_path(review: Review, path: str, taken: dict[str, str]) -> None:
    trail: Trail = ("tools", path)
    steps = path.split("/")
    if not path.startswith("/"):
        review.key_error(
            trail, "path-wrong", f"the path {quoted(path)} does not begin with '/'; write {quoted('/' + path)}"
        )
    elif "?" in path or "#" in path:
        remedy = "write the path alone; 'query' lists what the tool's URL may set"
        review.key_error(trail, "path-wrong", f"the path {quoted(path)} has more than a path in it; {remedy}")
    elif not _WELL_FORMED.fullmatch(path):
        message = (
            f"the path {quoted(path)} has characters that need encoding; use letters from a to z, digits, '-' and '_'"
        )
        review.key_error(trail, "path-wrong", message)
    elif "." in steps or ".." in steps:
        review.key_error(
            trail, "path-wrong", f"the path {quoted(path)} has the step '.' or '..', which clients resolve"
        )
    normal = "/" + "/".join(step for step in steps if step)
    reserved = next((each for each in RESERVED if normal == each or normal.startswith(f"{each}/")), None)
    if reserved is not None:
        message = f"the path {quoted(path)} is the router's own, as is all below '{reserved}'; choose another"
        review.key_error(trail, "path-reserved", message)
    first = taken.setdefault(normal, path)
    if first != path:
        message = f"the path {quoted(path)} is that of {quoted(first)} too, but for slashes; choose another"
        review.key_error(trail, "path-shared", message)


def _check_intents(review: Review, path: str, tool: Mapping[str, Any]) -> None:
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
        for index, alias in enumerate(intent.get("aliases", [])):
            if alias is not None:
                _check_alias(review, (*here, name, "aliases", index), alias, names, owners)
    fallback = tool.get("fallback")
    if fallback is not None and fallback not in intents and not review.is_told((*here, fallback)):
        trail: Trail = ("tools", path, "fallback")
        guess = review.near(trail, fallback, intents) or ("" if intents else "; the tool has no intents")
        name, found = review.name(trail[:2]), review.shown(trail, fallback)
        review.error(trail, "fallback-unknown", f"{name} falls back to {found}, which is none of its intents{guess}")


def _check_alias(review: Review, trail: Trail, alias: str, names: Mapping[str, str], owners: dict[str, str]) -> None:
    wording, name = normalised(alias), str(trail[3])
    owner = owners.setdefault(wording, name)
    title = f"the alias {review.shown(trail, alias)} of {review.name(trail[:4])}"
    if not wording:
        review.error(trail, "intent-unclear", f"{title} is empty once '-' and '_' are left out")
    elif wording in names and names[wording] != name:
        review.error(trail, "intent-unclear", f"{title} is the name of another intent; remove it here")
    elif owner != name:
        review.error(trail, "intent-unclear", f"{title} is an alias of {quoted(owner)} too; leave it to one of them")


def _check_leads_somewhere(review: Review, layers: list[Layer]) -> None:
    """A tool without intents, or an intent, needs a flow, unless the tool's URL names it."""
    trail = layers[-1][0]
    tool = layers[1][1]
    is_tool = len(layers) == 2  # noqa: PLR2004 - defaults and the tool itself
    may_come_by_url = "flowSid" in tool.get("query", [])
    if (is_tool and "intents" in review.document.data["tools"][trail[1]]) or may_come_by_url:
        return
    if any(review.is_told((*each, "flow")) or review.is_told((*each, "query")) for each, _layer in layers[1:]):
        return
    if not inherited(layers).get("flow"):
        remedy = "add 'flow: NAME', 'intents:', or 'query: [flowSid]'" if is_tool else "add 'flow: NAME'"
        review.key_error(trail, "flow-missing", f"{review.name(trail)} leads to no flow; {remedy}")
