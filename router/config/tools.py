"""Tools: paths that can be called, and a flow for each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from router.config.inheritance import inherited, levels
from router.config.intents import check_intents
from router.config.wording import quoted

if TYPE_CHECKING:
    from router.config.document import Trail
    from router.config.inheritance import Layer
    from router.config.review import Review

RESERVED: Final = ("/-", "/plugins", "/healthz", "/readyz", "/metrics")
"""Paths that the router itself answers, with everything below them."""

_WELL_FORMED: Final = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/-]*")


_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*(/[^?#]*)")


def meant_path(path: str) -> str:
    """Give the path that was probably meant by one that does not begin with ``/``: of a URL its own path."""
    url = _URL.match(path)
    return url[1] if url else f"/{path.removeprefix('/')}"


def check_tools(review: Review) -> None:
    """There must be a tool, each on a path of its own, and each must lead somewhere."""
    tools = review.data.get("tools", {})
    may_stand = review.is_told(("tools",)) or review.may_lack(("tools", "more"))
    if not review.document.data.get("tools") and not may_stand:
        review.key_error(("tools",), "tools-missing", "there are no tools, so nothing can be handed over; add 'tools:'")
    taken: dict[str, str] = {}
    for path, tool in tools.items():
        _check_path(review, path, taken)
        check_intents(review, path, tool)
    for layers in levels(review.data):
        if review.faults.is_full:
            return
        if len(layers) > 1 and not layers[-1][1].get("flow"):
            _check_leads_somewhere(review, layers)


def _check_path(review: Review, path: str, taken: dict[str, str]) -> None:
    trail: Trail = ("tools", path)
    steps = path.split("/")
    if not path.startswith("/"):
        remedy = f"write {quoted(meant_path(path))}"
        review.key_error(trail, "path-wrong", f"the path {quoted(path)} does not begin with '/'; {remedy}")
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


def _check_leads_somewhere(review: Review, layers: list[Layer]) -> None:
    """A tool without intents, or an intent, needs a flow, unless the tool's URL names it."""
    trail = layers[-1][0]
    tool_trail, tool = layers[1]
    is_tool = trail == tool_trail
    may_come_by_url = "flowSid" in tool.get("query", [])
    if (is_tool and "intents" in review.document.data["tools"][trail[1]]) or may_come_by_url:
        return
    above = [each for each, _layer in layers[1:]]
    if any(review.is_told((*each, "flow")) or review.is_told((*each, "query")) for each in above):
        return
    if any(review.may_lack((*each, "flow")) for each in above):
        return
    if not inherited(layers).get("flow"):
        remedy = "add 'flow: NAME', 'intents:', or 'query: [flowSid]'" if is_tool else "add 'flow: NAME'"
        empty = next((each for each, layer in reversed(layers) if "flow" in layer), None)
        if empty is not None:
            trail, remedy = (*empty, "flow"), f"nothing stands behind 'flow:' here; {remedy}"
        review.key_error(trail, "flow-missing", f"{review.name(layers[-1][0])} leads to no flow; {remedy}")
