from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.model.call import ConversationRef, Identity, ToolCall
from router.model.handover import Handover
from router.model.messages import LONGEST, Messages
from router.model.outcome import Answer, Outcome
from router.model.routes import Intent, Route, Routes, Tool
from router.resolution import Resolved, find_intent, resolve, told

if TYPE_CHECKING:
    from collections.abc import Mapping

A, B, UNLISTED = "FW" + "a" * 32, "FW" + "b" * 32, "FW" + "c" * 32
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
WHERE = ConversationRef(service="IS" + "0" * 32, sid="CH" + "0" * 32)
REFUND = Intent("refund", Route(flow=A, messages=Messages(success="{intent} of {input.order} by {identity}")))
BILLING = Intent("billing", Route(flow=B), aliases=("invoice",))
INTENTS = {intent.name: intent for intent in (REFUND, BILLING)}
SUPPORT = Tool("/support", Route(), intents=INTENTS)
FALLING = Tool("/falling", Route(), intents=INTENTS, fallback="billing", intent_input="wish")
PLAIN = Tool("/plain", Route(flow=A))
RECIPE = Tool("/recipe", Route(flow=A), query=frozenset({"flowSid", "successMessage"}))
BARE = Tool("/bare", Route(), query=frozenset({"flowSid"}))
TOOLS = {tool.path: tool for tool in (SUPPORT, FALLING, PLAIN, RECIPE, BARE)}
ROUTES = Routes(tools=TOOLS, flows={"a": A, "b": B}, auth=())
SPELLINGS = ("flowSid", "FlowSid", "successMessage", "SuccessMessage")

INPUTS = st.dictionaries(
    st.sampled_from(["intent", "wish", "order", *SPELLINGS]) | st.text(max_size=5),
    st.sampled_from([A, B, UNLISTED, "refund", "Invoice", ""])
    | st.text()
    | st.integers()
    | st.lists(st.text(), max_size=2),
    max_size=6,
)


def called(tool: Tool, url: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None) -> ToolCall:
    identity = Identity("sms", "+15550100")
    return ToolCall(tool.path, "test", WHERE, identity, url_inputs=url or {}, body_inputs=body or {})


def found(tool: Tool, url: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None) -> Resolved:
    resolved = resolve(called(tool, url, body), ROUTES, "HO1", NOW)
    assert isinstance(resolved, Resolved)
    return resolved


def refused(tool: Tool, url: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None) -> Answer:
    answer = resolve(called(tool, url, body), ROUTES, "HO1", NOW)
    assert isinstance(answer, Answer)
    assert (answer.handover_id, answer.tool) == ("HO1", tool.path)
    return answer


def test_a_handover_has_all_that_one_has() -> None:
    """It is made without a look at its fields, so that none must be forgotten, and none is unknown."""
    assert list(vars(found(PLAIN).handover)) == [field.name for field in fields(Handover)]


def test_a_call_becomes_a_handover() -> None:
    """Everything that plugins and the swap need is in it, the sentence filled."""
    resolved = found(SUPPORT, body={"intent": "Refund", "order": 7})
    handover = resolved.handover
    assert (handover.id, handover.tool, handover.intent, handover.flow) == ("HO1", "/support", "refund", A)
    assert handover.message == "refund of 7 by sms:+15550100"
    assert handover.where == WHERE
    assert (handover.identity, handover.caller) == ("sms:+15550100", "test")
    assert handover.at == NOW
    assert handover.inputs == {"intent": "Refund", "order": 7}
    assert resolved.route is REFUND.route
    assert resolved.identity == Identity("sms", "+15550100")


def test_an_unknown_tool_raises() -> None:
    """The edge has looked the path up before."""
    with pytest.raises(KeyError):
        resolve(ToolCall("/nowhere", "test", WHERE), ROUTES, "HO1", NOW)


def test_no_conversation_comes_before_everything_else() -> None:
    """Where there is nothing to hand over, no intent is asked for."""
    answer = resolve(replace(called(SUPPORT), conversation=None), ROUTES, "HO1", NOW)
    assert isinstance(answer, Answer)
    assert answer.outcome is Outcome.NOT_A_CONVERSATION


def test_nobody_is_nobody() -> None:
    """Without an identity its placeholder is empty."""
    resolved = resolve(replace(called(SUPPORT, body={"intent": "refund"}), identity=None), ROUTES, "HO1", NOW)
    assert isinstance(resolved, Resolved)
    assert (resolved.handover.message, resolved.handover.identity) == ("refund of  by", "")
    assert resolved.identity is None


@pytest.mark.parametrize("wording", [None, "", "sue", 7, ["refund"], {"refund": 1}])
def test_an_unknown_intent_is_refused_or_falls_back(wording: Any) -> None:
    """Without a fallback the known ones are listed; with one it is taken."""
    answer = refused(SUPPORT, body={"intent": wording})
    assert answer.outcome is Outcome.UNKNOWN_INTENT
    assert "refund, billing" in answer.message
    assert found(FALLING, body={"wish": wording}).handover.intent == "billing"
    assert find_intent(SUPPORT, {}) is None
    assert find_intent(FALLING, {"intent": "refund"}) is BILLING


def test_a_tool_without_intents_has_one_route() -> None:
    """An input called intent is an input like others there."""
    handover = found(PLAIN, body={"intent": "sue"}).handover
    assert (handover.intent, handover.flow, handover.inputs) == ("", A, {"intent": "sue"})


def test_the_url_wins() -> None:
    """A value in the URL replaces the body's of the same name, and the rest is merged."""
    handover = found(SUPPORT, {"intent": "invoice", "order": "1"}, {"intent": "refund", "note": "x"}).handover
    assert (handover.intent, handover.inputs) == ("billing", {"intent": "invoice", "order": "1", "note": "x"})


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_what_the_url_may_set_the_body_may_not(spelling: str) -> None:
    """Both spellings are taken out of a body where the tool's URL may set them, and left where it may not."""
    assert spelling not in found(RECIPE, body={spelling: B}).handover.inputs
    assert found(PLAIN, body={spelling: B}).handover.inputs == {spelling: B}


@pytest.mark.parametrize(
    ("url", "flow", "message"),
    [
        ({}, A, "Conversation handed over"),
        ({"flowSid": B}, B, "Conversation handed over"),
        ({"FlowSid": B, "SuccessMessage": "{intent}\n!"}, B, "{intent} !"),
        ({"flowSid": B, "FlowSid": B, "successMessage": " "}, B, "Conversation handed over"),
        ({"flowSid": ""}, A, "Conversation handed over"),
        ({"flowsid": B, "FLOWSID": B}, A, "Conversation handed over"),
    ],
)
def test_a_url_sets_flow_and_sentence(url: dict[str, str], flow: str, message: str) -> None:
    """Either spelling, both where they agree; blanks set nothing; the sentence is one line and never a template."""
    handover = found(RECIPE, url).handover
    assert (handover.flow, handover.message) == (flow, message)


@pytest.mark.parametrize(
    ("url", "detail"),
    [
        ({"flowSid": [A, B]}, "sets flowSid to several values"),
        ({"flowSid": A, "FlowSid": B}, "sets flowSid to several values"),
        ({"flowSid": A, "successMessage": ["a", "b"]}, "sets successMessage to several values"),
        ({"flowSid": UNLISTED}, f"flowSid '{UNLISTED}' is not in 'flows'"),
        ({"flowSid": "+15550100"}, "flowSid of the URL, which is no Flow SID, is not in 'flows'"),
        ({"flowSid": A + "\n"}, "is not in 'flows'"),
        ({"flowSid": "x" * 500}, "which is no Flow SID"),
    ],
)
def test_a_conflict_or_an_unlisted_flow_is_declined(url: dict[str, Any], detail: str) -> None:
    """The model is told that nothing happened; the log is told why."""
    answer = refused(RECIPE, url)
    assert answer.outcome is Outcome.DECLINED
    assert detail in answer.detail
    assert "FW" not in answer.message


def test_a_flow_that_one_route_spells_out_is_no_others() -> None:
    """The URL may name its own route's flow, listed or not; of another tool's it would have to be in ``flows``."""
    alone = Tool("/alone", Route(flow=UNLISTED), query=frozenset({"flowSid"}))
    routes = replace(ROUTES, tools={**TOOLS, alone.path: alone})
    own, other = (resolve(called(tool, {"flowSid": UNLISTED}), routes, "HO1", NOW) for tool in (alone, RECIPE))
    assert isinstance(own, Resolved)
    assert own.handover.flow == UNLISTED
    assert isinstance(other, Answer)
    assert other.outcome is Outcome.DECLINED


def test_a_tool_that_leaves_the_flow_to_its_url_needs_one() -> None:
    """Without a flow of its own and without one in the URL there is nothing to hand over to."""
    assert refused(BARE).outcome is Outcome.DECLINED
    assert found(BARE, {"FlowSid": B}).handover.flow == B


@given(st.sampled_from(list(TOOLS.values())), INPUTS, INPUTS)
def test_no_call_reaches_an_unlisted_flow(tool: Tool, url: dict[str, Any], body: dict[str, Any]) -> None:
    """Whatever URL and body say, a handover goes to a listed flow and its sentence is short; else it is refused."""
    resolved = resolve(called(tool, url, body), ROUTES, "HO1", NOW)
    if isinstance(resolved, Resolved):
        assert resolved.handover.flow in (A, B)
        assert len(resolved.handover.message.encode()) <= LONGEST
        assert resolved.handover.inputs.items() >= url.items()
    else:
        assert resolved.outcome in (Outcome.DECLINED, Outcome.UNKNOWN_INTENT)
        assert resolved.message


@given(st.sampled_from(list(TOOLS.values())), INPUTS, INPUTS)
def test_a_body_never_chooses_the_flow(tool: Tool, url: dict[str, Any], body: dict[str, Any]) -> None:
    """A body that differs in the spellings of the recipe alone leads to the same flow and sentence."""
    bare = {name: value for name, value in body.items() if name not in SPELLINGS}
    with_them = resolve(called(tool, url, bare | dict.fromkeys(SPELLINGS, B)), ROUTES, "HO1", NOW)
    without = resolve(called(tool, url, bare), ROUTES, "HO1", NOW)
    if isinstance(with_them, Resolved) and isinstance(without, Resolved):
        assert (with_them.handover.flow, with_them.handover.message) == (
            without.handover.flow,
            without.handover.message,
        )
    else:
        assert with_them == without


def test_an_end_is_told_in_the_routes_words() -> None:
    """An outcome takes the sentence under its key, filled from the handover; the detail is for the log."""
    route = Route(flow=A, messages=Messages(failure="{tool} {intent} {input.order} failed for {identity}"))
    resolved = replace(found(SUPPORT, body={"intent": "refund", "order": "7"}), route=route)
    answer = resolved.tell(Outcome.FAILED, "failure", "why")
    sentence = "/support refund 7 failed for sms:+15550100"
    assert answer == Answer(Outcome.FAILED, sentence, "HO1", "/support", "refund", A, detail="why", key="failure")


def test_a_handover_that_is_gone_on_with_keeps_its_name() -> None:
    """The same is told under the id that its row has; nothing else of it changes."""
    resolved = found(PLAIN)
    renamed = resolved.named("HO7")
    assert renamed.tell(Outcome.FAILED, "failure").handover_id == "HO7"
    assert renamed.named(resolved.handover.id) == resolved


def test_a_sentence_of_a_plugin_is_made_fit() -> None:
    """Any sentence is one line before the model gets it."""
    assert told(found(PLAIN).handover, Outcome.DECLINED, " a\nb ").message == "a b"
