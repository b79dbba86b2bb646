from __future__ import annotations

from typing import Any

import pytest

from router.model.flow import CONVERSATION_EVENT
from router.sandbox import studio
from router.sandbox.exchange import FORM, Reply, Request
from router.sandbox.flows import shipped_flows
from router.sandbox.variables import fill

REFUNDS, BILLING = shipped_flows().values()
EVENT = CONVERSATION_EVENT


def state(name: str, kind: str, transitions: list[dict[str, Any]], **properties: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "transitions": transitions, "properties": properties}


def flow(*states: dict[str, Any], first: str = "one") -> dict[str, Any]:
    trigger = state("Trigger", "trigger", [{"event": EVENT, "next": first}])
    return {"states": [trigger, *states], "initial_state": "Trigger"}


def split(comparison: str, value: str, argument: str = "{{trigger.conversation.Body}}") -> dict[str, Any]:
    condition = {"type": comparison, "value": value, "arguments": [argument], "friendly_name": "c"}
    return flow(
        state(
            "one",
            "split-based-on",
            [{"event": "noMatch", "next": "no"}, {"event": "match", "next": "yes", "conditions": [condition]}],
        ),
        state("yes", "send-message", [{"event": "sent"}], body="yes"),
        state("no", "send-message", [], body="no"),
    )


def says(text: str, **attributes: Any) -> dict[str, Any]:
    return {"trigger": {"conversation": {"Body": text, "ChannelAttributes": attributes}}}


def test_the_refunds_flow_asks_and_confirms() -> None:
    """The shipped refunds flow greets, waits for the order number, confirms with it and gives the customer back."""
    asked = studio.begin(REFUNDS, EVENT, says("Hello"))
    assert asked.texts == (
        "Hello, this is the refunds desk.",
        "Which order is it about? Please send me the order number.",
    )
    assert (asked.ended, asked.progress.waiting_at) == (False, "ask_order_number")
    done = studio.go_on(REFUNDS, asked.progress, {"Body": "4711"})
    assert (done.ended, done.progress.waiting_at) == (False, "hand_back")
    assert done.texts == (
        "Thank you. The refund for order 4711 is on its way; you will have the money within five working days.",
    )


def test_the_refunds_flow_gives_the_conversation_back() -> None:
    """It names conversation and execution to the router, and ends where that took them."""
    variables = {"trigger": {"conversation": {"ConversationSid": "CH1"}}, "flow": {"sid": "FN1"}}
    asked = studio.begin(REFUNDS, EVENT, variables)
    waiting = studio.go_on(REFUNDS, asked.progress, {"Body": "4711"}).progress
    url = "https://handover.example.com/-/hand-back"
    assert waiting.request == Request(url, "conversation=CH1&execution=FN1", f"{FORM};charset=utf-8")
    done = studio.take_answer(REFUNDS, waiting, Reply(200, "text/plain", "ok"))
    assert (done.ended, done.texts, done.progress.request) == (True, (), None)


@pytest.mark.parametrize("reply", [Reply(403), Reply(302), Reply(error="TimeoutError")])
def test_the_refunds_flow_leaves_nobody_alone(reply: Reply) -> None:
    """Where the router did not take the conversation back, the flow says so, stays, and asks again later."""
    asked = studio.begin(REFUNDS, EVENT, says("Hello"))
    waiting = studio.go_on(REFUNDS, asked.progress, {"Body": "4711"}).progress
    failed = studio.take_answer(REFUNDS, waiting, reply)
    assert (failed.ended, failed.progress.waiting_at) == (False, "try_again")
    assert failed.texts[0].startswith("I could not reach my colleague")
    assert studio.go_on(REFUNDS, failed.progress, {"Body": "Hello?"}).progress.request == waiting.request


def test_the_refunds_flow_knows_what_it_is_about() -> None:
    """With the intent in the conversation's attributes the greeting names it."""
    asked = studio.begin(REFUNDS, EVENT, says("Hello", handover={"intent": "refund"}))
    assert "this is about a refund" in asked.texts[0]


@pytest.mark.parametrize(
    ("reply", "answer", "ended"),
    [
        ("A COPY please", "A copy of your latest bill", True),
        (" Amount ", "Which amount is it?", False),
        ("Something else", "Thank you. A colleague from billing", True),
    ],
)
def test_the_billing_flow_splits(reply: str, answer: str, ended: bool) -> None:
    """The shipped billing flow goes three ways, without regard to case and surrounding space."""
    asked = studio.begin(BILLING, EVENT, says("My bill"))
    assert asked.texts[0].endswith("Please answer with copy or amount.")
    step = studio.go_on(BILLING, asked.progress, {"Body": reply})
    assert step.texts[0].startswith(answer)
    assert step.ended is ended


@pytest.mark.parametrize(
    ("comparison", "value", "said", "expected"),
    [
        ("equal_to", "Yes", "yes ", "yes"),
        ("equal_to", "Yes", "yes please", "no"),
        ("not_equal_to", "yes", "no", "yes"),
        ("matches_any_of", "a, b,c", "B", "yes"),
        ("matches_any_of", "a, b,c", "d", "no"),
        ("contains", "bill", "My BILL!", "yes"),
        ("contains", "bill", "My book", "no"),
        ("is_blank", "Is Blank", "  ", "yes"),
        ("is_not_blank", "Is Not Blank", "x", "yes"),
        ("is_not_blank", "Is Not Blank", "", "no"),
    ],
)
def test_splits_compare_as_studio_does(comparison: str, value: str, said: str, expected: str) -> None:
    """Each comparison of split-based-on, true and false, without regard to case."""
    step = studio.begin(split(comparison, value), EVENT, says(said))
    assert (step.texts, step.ended) == ((expected,), True)


def test_variables_are_set_and_read() -> None:
    """Set-variables makes ``flow.variables`` for later texts and keeps what was set before."""
    definition = flow(
        state("one", "set-variables", [{"event": "next", "next": "two"}], variables=[{"key": "a", "value": "{{x.y}}"}]),
        state("two", "set-variables", [{"event": "next", "next": "three"}], variables=[{"key": "b", "value": "2"}]),
        state("three", "send-message", [], body="{{flow.variables.a}}{{ flow.variables.b }}{{flow.sid}}"),
    )
    assert studio.begin(definition, EVENT, {"x": {"y": "1"}, "flow": {"sid": "FN"}}).texts == ("12FN",)


def test_what_is_not_there_becomes_empty() -> None:
    """A missing variable, one that is a group, and a path through a text are empty; other braces stay."""
    variables = {"a": {"b": "text"}}
    assert fill("<{{a}}{{a.b.c}}{{nothing}}> {a} {{a.b}}", variables) == "<> {a} text"


def test_a_flow_that_circles_is_ended() -> None:
    """A run that never waits ends instead of going on for ever."""
    step = studio.begin(flow(state("one", "send-message", [{"event": "sent", "next": "one"}], body="x")), EVENT, {})
    assert step.ended
    assert len(step.texts) == studio.LONGEST_RUN


def test_the_start_needs_its_event() -> None:
    """A flow starts from an event only where its trigger leads on from it."""
    assert studio.starts_from(REFUNDS, EVENT)
    assert not studio.starts_from(REFUNDS, studio.REQUEST_EVENT)
    assert not studio.starts_from(REFUNDS, "incomingParent2")


def test_the_input_is_left_as_it_was() -> None:
    """The interpreter is pure: giving the same reply twice brings the same step."""
    asked = studio.begin(REFUNDS, EVENT, says("Hello"))
    first, second = (studio.go_on(REFUNDS, asked.progress, {"Body": "1"}) for _ in range(2))
    assert first == second
    assert asked.progress.waiting_at == "ask_order_number"


@pytest.mark.parametrize(
    ("definition", "complaint"),
    [
        ({}, "expected an exported Studio Flow with a list 'states'"),
        ({"states": []}, "expected an exported Studio Flow"),
        ({"states": [state("T", "trigger", [])]}, "'initial_state' is None"),
        (flow(state("one", "send-to-flex", [])), "widget 'one' is of type 'send-to-flex'.*knows trigger, send-message"),
        (flow(first="two"), "widget 'Trigger' leads to 'two'"),
        (flow(state("one", "send-message", [{"event": "sent", "next": "Trigger"}])), "leads to 'Trigger'"),
        (split("regex", "a+"), "compares by 'regex'; the sandbox compares by equal_to"),
    ],
)
def test_a_flow_that_cannot_be_played_is_refused(definition: dict[str, Any], complaint: str) -> None:
    """What the interpreter does not know is said before anything runs: flow, widget, and what it knows."""
    with pytest.raises(ValueError, match=rf"flow FW1: .*{complaint}"):
        studio.check("FW1", definition)


def test_the_shipped_flows_can_be_played_and_imported() -> None:
    """The shipped definitions have all that Studio's import asks for, and every widget that the sandbox plays."""
    for name, definition in shipped_flows().items():
        studio.check(name, definition)
        assert definition.keys() == {"description", "states", "initial_state", "flags"}
        for found in definition["states"]:
            assert found.keys() == {"name", "type", "transitions", "properties"}
            assert found["properties"]["offset"].keys() == {"x", "y"}
