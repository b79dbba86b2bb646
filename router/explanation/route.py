"""What a call gets once its intent is known: the flow, the settings, the sentences; and what of its inputs counts."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from router.config.sources import Setting
from router.config.wording import quoted
from router.explanation.explanation import FoundFlow
from router.model.messages import Messages, placeholders
from router.model.routes import HandBack, Limits, Replay
from router.resolution import SPELLINGS, reserved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.callers.request import Request
    from router.config.document import Trail
    from router.config.sources import Sources
    from router.model.call import ToolCall
    from router.model.handover import Handover
    from router.model.routes import Routes, Tool


def explain_flow(sid: str, owner: Trail, routes: Routes, sources: Sources, *, by_url: bool = False) -> FoundFlow:
    """Say how the flow ``sid`` was named, and where it is listed."""
    named = None if by_url else sources.setting(owner, ("flow",), "")
    is_alias = named is not None and isinstance(named.value, str) and routes.flows.get(named.value) == sid
    alias = str(named.value) if named and is_alias else routes.flow_alias(sid)
    return FoundFlow(alias, sid, named, sources.flow(alias), routes.targets.get(sid, ""))


def settings_of(owner: Trail, sources: Sources) -> tuple[Setting, ...]:
    """Give what else is set for the route."""
    builtin: dict[tuple[str, ...], Any] = {
        ("replay",): str(Replay.NONE),
        ("dry_run",): False,
        **{("limits", key): value for key, value in asdict(Limits()).items()},
        **{("hand_back", key): value for key, value in asdict(HandBack()).items()},
    }
    return tuple(Setting(".".join(keys), sources.setting(owner, keys, value)) for keys, value in builtin.items())


def messages_of(owner: Trail, sources: Sources, *only: str) -> tuple[Setting, ...]:
    """Give the sentence for each end, or for ``only`` some."""
    builtin = Messages()
    return tuple(
        Setting(key, sources.setting(owner, ("messages", key), getattr(builtin, key)))
        for key in only or Messages.names()
    )


def set_by_url(call: ToolCall, tool: Tool) -> dict[str, Any]:
    """Give what the URL sets of what the tool lets it set."""
    return {
        name: call.url_inputs[spelling]
        for name in SPELLINGS
        if name in tool.query
        for spelling in SPELLINGS[name]
        if spelling in call.url_inputs
    }


def notes_on(request: Request, call: ToolCall, tool: Tool) -> Iterator[str]:
    """Say which inputs of the call do not count, as they stand in the wrong place."""
    if request.method == "GET" and request.body:
        yield "the body of a GET is not read"
    for name in call.body_inputs:
        if name in reserved(tool):
            yield f"the body's {quoted(name)} is not taken: only the URL may set it"
        elif name in call.url_inputs:
            yield f"the URL's {quoted(name)} wins over the body's"
    for name, spellings in SPELLINGS.items():
        for spelling in spellings:
            if spelling in call.url_inputs and name not in tool.query:
                yield f"the URL's {quoted(spelling)} sets nothing, as 'query' of this tool does not list {quoted(name)}"


def unfilled(sentence: str, handover: Handover) -> Iterator[str]:
    """Say which inputs the sentence wants that the call does not give."""
    for name in dict.fromkeys(placeholders(sentence)):
        if name.startswith("input.") and name.removeprefix("input.") not in handover.inputs:
            yield f"the call has no input {quoted(name.removeprefix('input.'))}, so {quoted(f'{{{name}}}')} stays empty"
