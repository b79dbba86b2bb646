"""The one function of this room: from a request to all that there is to tell of it."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from router.callers.assistants import read_call
from router.config.tools import RESERVED
from router.config.wording import quoted
from router.errors import BadRequest
from router.explanation.explanation import Ending, Explanation, FoundTool
from router.explanation.matching import explain_intent
from router.explanation.proving import explain_proofs
from router.explanation.route import explain_flow, messages_of, notes_on, set_by_url, settings_of, unfilled
from router.model.call import ConversationRef
from router.model.messages import one_sentence
from router.model.outcome import Answer, Outcome
from router.resolution import inputs_of, resolve, told

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from router.callers.request import Request
    from router.config.document import Trail
    from router.config.sources import Sources
    from router.model.call import ToolCall
    from router.model.routes import Routes
    from router.resolution import Resolved

METHODS: Final = ("GET", "POST")
"""The methods of a tool (docs/twilio.md, TOOL-FORM)."""

LARGEST: Final = 64 * 1024
"""Bytes that a body may have."""

_MOST: Final = 10
"""So many tools are listed for who asks for one that is not there."""

_MADE_UP: Final = ConversationRef(service="IS" + "0" * 32, sid="CH" + "0" * 32)


def explain(request: Request, routes: Routes, sources: Sources, *, at: datetime) -> Explanation:
    """Say where ``request`` ends if it comes ``at`` a time in UTC, why, and where each value of that was written.

    ``sources`` are those of ``routes``. Plugins are not called, and signatures are not checked.
    """
    url, tool = request.described(""), routes.tools.get(request.path)
    if tool is None:
        return Explanation(request.method, url, Ending(404, _no_tool(request.path, routes)))
    start = Explanation(
        method=request.method,
        url=url,
        ending=Ending(405, f"a tool has no method {quoted(request.method)}; expected {' or '.join(METHODS)}"),
        tool=FoundTool(tool.path, tool.name, sources.key(("tools", tool.path))),
        proofs=tuple(explain_proofs(request, routes.auth, sources)),
    )
    if request.method not in METHODS:
        return start
    if len(request.body) > LARGEST:
        return replace(start, ending=Ending(413, f"the body has more than {LARGEST} bytes"))
    try:
        call = read_call(request)
    except BadRequest as error:
        return replace(start, ending=_unreadable(start, str(error)))
    has_session = "x-session-id" in request.headers
    call = call if has_session else replace(call, conversation=_MADE_UP)
    start = replace(
        start,
        session=_about_session(call, has_session=has_session),
        person=call.identity.masked if call.identity else "",
        set_by_url=set_by_url(call, tool),
        notes=tuple(notes_on(request, call, tool)),
    )
    return _explain_call(start, call, routes, sources, resolve(call, routes, "", at))


def _explain_call(
    start: Explanation, call: ToolCall, routes: Routes, sources: Sources, found: Resolved | Answer
) -> Explanation:
    tool, owner = routes.tools[call.path], _trail(call.path)
    intent = None if tool.out_of_order else explain_intent(tool, inputs_of(call, tool), sources)
    if isinstance(found, Answer):
        key = "out_of_order" if found.outcome is Outcome.FAILED else str(found.outcome)
        why = found.detail or (intent.told if intent else "")
        why += _guess(start.set_by_url, routes) if found.outcome is Outcome.DECLINED else ""
        ending = Ending(200, why, str(found.outcome), found.message, key)
        return replace(start, intent=intent, ending=ending, messages=messages_of(owner, sources, key))
    handover = found.handover
    owner = _trail(call.path, handover.intent)
    by_url = bool(start.set_by_url.get("flowSid"))
    return replace(
        start,
        ending=_success(found, start.set_by_url),
        intent=intent,
        flow=explain_flow(handover.flow, owner, routes, sources, by_url=by_url),
        settings=settings_of(owner, sources),
        messages=messages_of(owner, sources),
        plugins=tuple(sources.plugins(owner)),
        notes=(*start.notes, *unfilled(found.route.messages.success, handover)),
    )


def _unreadable(start: Explanation, why: str) -> Ending:
    """Say how it ends where the call cannot be read: who proves nothing is not told so."""
    if start.is_proved is False:
        return Ending(403, f"the call proves nothing; if it did, the server would answer HTTP 400: {why}")
    return Ending(400, why)


def _success(found: Resolved, by_url: Mapping[str, Any]) -> Ending:
    """Say how it ends if nothing comes between."""
    if found.route.dry_run:
        answer, key = found.tell(Outcome.DRY_RUN, "dry_run"), "dry_run"
    else:
        answer = told(found.handover, Outcome.HANDED_OVER, found.handover.message)
        key = "" if one_sentence(by_url.get("successMessage", "")) else "success"
    return Ending(200, "", str(answer.outcome), answer.message, key)


def _trail(path: str, intent: str = "") -> Trail:
    return ("tools", path, "intents", intent) if intent else ("tools", path)


def _about_session(call: ToolCall, *, has_session: bool) -> str:
    if not has_session:
        return "taken as a conversation: the call has no X-Session-Id"
    if call.conversation is None:
        return call.no_conversation
    return f"{call.conversation.sid} of {call.conversation.service}"


def _no_tool(path: str, routes: Routes) -> str:
    """Say that nothing stands at ``path``, and what was meant."""
    if any(path == each or path.startswith(f"{each}/") for each in RESERVED):
        return f"{quoted(path)} is the router's own, and no tool"
    near = get_close_matches(path[:200], routes.tools, n=3)
    guess = f"; did you mean {' or '.join(quoted(each) for each in near)}?" if near else _all_of(routes)
    return f"there is no tool {quoted(path)}{guess}"


def _all_of(routes: Routes) -> str:
    paths = list(routes.tools)
    more = f" and {len(paths) - _MOST} more" if len(paths) > _MOST else ""
    return f"; there are: {', '.join(quoted(path) for path in paths[:_MOST])}{more}"


def _guess(by_url: Mapping[str, Any], routes: Routes) -> str:
    """Guess which listed flow the URL means by another word than its SID."""
    said = by_url.get("flowSid")
    if not isinstance(said, str) or not said or said in routes.flows.values():
        return ""
    near = get_close_matches(said[:100], [*routes.flows, *routes.flows.values()], n=1)
    if not near:
        return ""
    sid = routes.flows.get(near[0], near[0])
    return f"; did you mean {sid}, which is {quoted(routes.flow_alias(sid))}?"
