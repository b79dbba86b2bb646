"""What no schema can see: names that must mean something elsewhere in the file, sentences that must work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from router.config.config_flows import flows_in_configs
from router.config.fragments import about_fragment
from router.config.inheritance import levels
from router.config.tools import meant_path
from router.config.wording import about_sid, quoted
from router.model.messages import LONGEST, is_known_placeholder, placeholders
from router.model.sids import is_sid

if TYPE_CHECKING:
    from router.config.document import Trail
    from router.config.review import Review
    from router.config.targets import Targets
    from router.hooks.discovery import Discovery

_SID_LIKE: Final = 20
"""Characters from which on a text is rather a mistyped SID than a name."""

_PLACEHOLDERS: Final = ("intent", "tool", "identity", "input.NAME")


def check_flows(review: Review, targets: Targets, found: Discovery) -> None:
    """Each flow that a route, a test or a config names must be listed, and each that is listed should be named.

    The names of ``targets`` may stand for flows.
    """
    listed = review.document.data.get("flows", {})
    if not isinstance(listed, dict):
        return
    used: set[str] = set()
    is_sure = bool(review.data.get("tools")) and not review.document.hides_fault(("tools",))
    is_sure = is_sure and not review.document.unfinished
    in_configs = [(trail[:-1], trail, flow) for trail, flow in flows_in_configs(review, found)]
    for owner, trail, flow in (*_flows(review), *in_configs):
        if review.faults.is_full:
            return
        used.add(flow)
        if flow in listed or flow in targets.plugins or is_sid("FW", flow) or review.may_lack(("flows", flow)):
            continue
        is_sure = False
        if targets.are_all:
            known = (*listed, *targets.plugins)
            guess = _like_a_sid(review, trail, flow) or review.near(trail, flow, known) or "; add it there"
            where = (
                "which is not in 'flows', and no target of a plugin" if targets.plugins else "which is not in 'flows'"
            )
            message = f"{review.name(owner)} names the flow {review.shown(trail, flow)}, {where}{guess}"
            review.error(trail, "flow-unknown", message)
    if any("flowSid" in tool.get("query", []) for tool in review.data.get("tools", {}).values()):
        is_sure = False  # the URL of that tool may name each of them
    for alias, sid in review.data.get("flows", {}).items():
        if is_sure and used.isdisjoint((alias, sid)) and not review.faults.is_full:
            message = f"no tool or intent names the flow {quoted(alias)}; name it in a 'flow', or remove it"
            review.key_warning(("flows", alias), "flow-unused", message)


def _like_a_sid(review: Review, trail: Trail, flow: str) -> str:
    """Say in which way a flow that is no name misses being a Flow SID."""
    hint = "" if trail in review.document.origins else about_sid(flow)
    if flow.startswith("$"):
        return hint
    if len(flow) < _SID_LIKE:
        return ""
    return f"; a Flow SID has FW and 32 hex digits{hint}" if hint else ""


def _flows(review: Review) -> list[tuple[Trail, Trail, str]]:
    """List the flows that are named, each with what names it and where."""
    named: list[tuple[Trail, Trail, str]] = []
    for layers in levels(review.data):
        trail, layer = layers[-1]
        if layer.get("flow"):
            named.append((trail, (*trail, "flow"), layer["flow"]))
    for index, test in review.entries("tests"):
        flow = test.get("expect", {}).get("flow")
        if flow:
            named.append((("tests", index), ("tests", index, "expect", "flow"), flow))
    return named


def check_messages(review: Review) -> None:
    """Each sentence must have placeholders that can be filled, and fit into the answer of a tool."""
    for layers in levels(review.data):
        trail, layer = layers[-1]
        for key, text in (layer.get("messages") or {}).items():
            if text is not None:
                _check_message(review, (*trail, "messages", key), key, text)


def _check_message(review: Review, trail: Trail, key: str, text: str) -> None:
    size = len(text.encode("utf-8", "replace"))
    if size > LONGEST:
        message = f"{review.name(trail)} has {size} bytes; at most {LONGEST} reach the model"
        review.error(trail, "message-long", message)
        return
    try:
        names = list(placeholders(text))
    except ValueError:
        remedy = "a plain brace is written twice: {{ or }}"
        review.error(trail, "message-braces", f"{review.name(trail)} has a brace without its partner; {remedy}")
        return
    known = (*_PLACEHOLDERS, "known") if key == "unknown_intent" else _PLACEHOLDERS
    for name in names:
        if not is_known_placeholder(name, key):
            guess = review.near(trail, name, known) or f"; there are {', '.join(f'{{{each}}}' for each in known)}"
            shown = "a placeholder" if trail in review.document.origins else quoted(f"{{{name}}}")
            message = f"{review.name(trail)} uses {shown}, which nothing fills{guess}"
            review.error(trail, "placeholder-unknown", message)


def check_auth(review: Review) -> None:
    """There must be a proof that callers can give; an empty secret is one only where it was asked for."""
    if review.is_told(("auth",)) or review.may_lack(("auth", "more")):
        return
    if not review.document.data.get("auth"):
        remedy = "; add 'auth:' with '- twilio_signature', or with '- secret: ${env:HANDOVER_SECRET}'"
        remedy = about_fragment(review.document.data) or remedy
        review.key_error(("auth",), "auth-missing", f"no auth at all: the server refuses to start{remedy}")
        return
    is_empty = True
    for index, proof in review.entries("auth"):
        trail: Trail = ("auth", index, "secret")
        if proof == "twilio_signature" or proof.get("secret"):
            is_empty = False
        elif proof.get("secret") == "" and not is_left_out(review, trail):
            is_empty = False
            remedy = "give one, or allow its absence by an empty default: ${env:HANDOVER_SECRET:-}"
            review.error(trail, "secret-empty", f"an empty secret proves nothing; {remedy}")
    if is_empty and not (review.document.hides_fault(("auth",)) or review.document.unfinished):
        message = "no proof is left, as every secret is empty: the server refuses to start; set one of the secrets"
        review.key_warning(("auth",), "auth-empty", message)


def is_left_out(review: Review, trail: Trail) -> bool:
    """Say whether an empty secret is empty by its own default, and so asks for this proof to be left out."""
    origin = review.document.origins.get(trail)
    return origin is not None and origin.is_default


def check_tests(review: Review) -> None:
    """Each test must call a tool that there is."""
    tools = review.document.data.get("tools")
    if not isinstance(tools, dict) or not tools:
        return  # that is told already
    paths = {*tools, *map(meant_path, tools)}  # those that lack their '/' are told
    for index, test in review.entries("tests"):
        path = test.get("call", {}).get("tool")
        trail: Trail = ("tests", index, "call", "tool")
        if not (path is None or path in paths or review.may_lack(("tools", path))):
            guess = review.near(trail, path, tools)
            message = f"{review.name(trail[:2])} calls {review.shown(trail, path)}, which is not in 'tools'{guess}"
            review.error(trail, "tool-unknown", message)
