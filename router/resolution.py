"""From a call to the handover that it asks for, or to the reason why there is none: a function of values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from router.model.handover import Handover
from router.model.messages import one_sentence, render
from router.model.outcome import Answer, Outcome
from router.model.sids import is_sid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from router.model.call import Identity, ToolCall
    from router.model.routes import Intent, Route, Routes, Tool

SPELLINGS: Final = {"flowSid": ("flowSid", "FlowSid"), "successMessage": ("successMessage", "SuccessMessage")}
"""What a tool's URL may set, in both spellings that the published recipe reads (docs/twilio.md, RECIPE)."""

_OUT_OF_ORDER: Final = (Outcome.FAILED, "out_of_order", "the file that has this tool has faults")


@dataclass(frozen=True, slots=True)
class Resolved:
    """A call that found its route."""

    handover: Handover
    route: Route
    identity: Identity | None

    def named(self, handover_id: str) -> Resolved:
        """Give the same under the id of a row that is gone on with."""
        is_own = self.handover.id == handover_id
        return self if is_own else self.about(self.handover.change(id=handover_id))

    def about(self, handover: Handover) -> Resolved:
        """Give the same with what the guards have made of the handover."""
        return self if handover is self.handover else dataclasses.replace(self, handover=handover)

    def tell(self, outcome: Outcome, key: str, detail: str = "") -> Answer:
        """Tell how it ended, with the sentence that the route has under ``key``."""
        handover = self.handover
        words = {"tool": handover.tool, "intent": handover.intent, "identity": handover.identity}
        return told(handover, outcome, render(getattr(self.route.messages, key), words, handover.inputs), detail, key)


def told(handover: Handover, outcome: Outcome, sentence: str, detail: str = "", key: str = "") -> Answer:
    """Give the answer about ``handover`` in the words of ``sentence``."""
    where = (handover.id, handover.tool, handover.intent, handover.flow)
    return Answer(outcome, one_sentence(sentence), *where, detail=detail, key=key)


def resolve(call: ToolCall, routes: Routes, handover_id: str, at: datetime, chosen: str = "") -> Resolved | Answer:
    """Find what ``call``, which came ``at`` a time in UTC, asks for; an Answer is a refusal: nothing was touched.

    ``chosen`` is the intent that a plugin chose, and goes before what the inputs name. Raises KeyError unless
    ``call.path`` is one of ``routes.tools``.
    """
    tool = routes.tools[call.path]
    refuse = partial(refusal, call, tool, handover_id)
    if tool.out_of_order or call.conversation is None:
        no_conversation = (Outcome.NOT_A_CONVERSATION, "not_a_conversation", call.no_conversation)
        return refuse(*(_OUT_OF_ORDER if tool.out_of_order else no_conversation))
    inputs = inputs_of(call, tool)
    intent = tool.intents[chosen] if chosen else find_intent(tool, inputs)
    if tool.intents and intent is None:
        return refuse(Outcome.UNKNOWN_INTENT, "unknown_intent")
    route, name = (intent.route, intent.name) if intent else (tool.route, "")
    try:
        flow = _set_by_url(call, tool, "flowSid")
        success = _set_by_url(call, tool, "successMessage")
    except ValueError as conflict:
        return refuse(Outcome.DECLINED, "declined", str(conflict), intent=name)
    if not (flow or route.flow):
        return refuse(Outcome.DECLINED, "declined", "neither the URL nor routes.yaml names a flow", intent=name)
    if flow and flow != route.flow and flow not in routes.flows.values():
        named = repr(flow) if is_sid("FW", flow) else "of the URL, which is no Flow SID,"
        why = f"flowSid {named} is not in 'flows' of routes.yaml"
        return refuse(Outcome.DECLINED, "declined", why, intent=name)
    handover = Handover.of(
        {
            "id": handover_id,
            "tool": tool.path,
            "intent": name,
            "flow": flow or route.flow,
            "message": one_sentence(success) or render(route.messages.success, _words(call, tool, name), inputs),
            "conversation": call.conversation.sid,
            "service": call.conversation.service,
            "identity": str(call.identity or ""),
            "inputs": inputs,
            "caller": call.caller,
            "at": at,
        }
    )
    return Resolved(handover, route, call.identity)


def refusal(
    call: ToolCall, tool: Tool, handover_id: str, outcome: Outcome, key: str, detail: str = "", *, intent: str = ""
) -> Answer:
    """Refuse ``call`` with the sentence that its tool has under ``key``."""
    words = _words(call, tool, intent) | {"known": ", ".join(tool.intents)}
    sentence = render(getattr(tool.route.messages, key), words, inputs_of(call, tool))
    return Answer(outcome, sentence, handover_id, tool.path, detail=detail, key=key)


def inputs_of(call: ToolCall, tool: Tool) -> dict[str, Any]:
    """Put together what the call gives: the URL's value wins over the body's of the same name."""
    given = dict(call.body_inputs)
    if tool.query:
        for name in reserved(tool):
            given.pop(name, None)
    given.update(call.url_inputs)
    return given


def find_intent(tool: Tool, inputs: Mapping[str, Any]) -> Intent | None:
    """Find the intent that the inputs name, else the tool's fallback; None where there is neither."""
    wording = inputs.get(tool.intent_input)
    found = tool.find(wording) if isinstance(wording, str) else None
    return found or tool.intents.get(tool.fallback)


def reserved(tool: Tool) -> frozenset[str]:
    """Name what the model must not set, since this tool's URL may: the model never names a flow."""
    return frozenset(spelling for name in tool.query for spelling in SPELLINGS[name])


def _words(call: ToolCall, tool: Tool, intent: str) -> dict[str, str]:
    return {"tool": tool.path, "intent": intent, "identity": str(call.identity or "")}


def _set_by_url(call: ToolCall, tool: Tool, name: str) -> str:
    """Read what the tool's URL sets for ``name``; raises ValueError where it sets two different values."""
    if name not in tool.query:
        return ""
    given = [call.url_inputs[spelling] for spelling in SPELLINGS[name] if spelling in call.url_inputs]
    if any(value != given[0] or not isinstance(value, str) for value in given):
        raise ValueError(f"the URL sets {name} to several values")
    return given[0] if given else ""
