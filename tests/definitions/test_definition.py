from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from router.definitions.definition import Choice, Input, define
from router.model.messages import Messages
from router.model.routes import AuthKind, AuthMethod, Intent, Route, Routes, Tool

if TYPE_CHECKING:
    from collections.abc import Sequence

FLOW = "FW" + "0" * 32
SIGNED, SECRET = AuthMethod(AuthKind.TWILIO_SIGNATURE), AuthMethod(AuthKind.SECRET, "x")
BASE = "https://handover.example.com"


def route(flow: str = FLOW, **messages: str) -> Route:
    return Route(flow=flow, messages=Messages(**messages))


def routes(*auth: AuthMethod) -> Routes:
    return Routes(tools={}, flows={"a": FLOW}, auth=auth)


def inputs(tool: Tool) -> Sequence[Input]:
    return define(tool, routes(SIGNED), BASE).inputs


def test_a_tool_has_the_fields_that_the_agent_wants() -> None:
    """Name, description, method and URL, and no input where there is nothing to choose."""
    tool = Tool("/tools/refund", route(), "Refund  Desk", "Use it\nif a customer\x1b wants money back.")
    definition = define(tool, routes(SIGNED), BASE)
    assert (definition.path, definition.name, definition.method) == ("/tools/refund", "Refund Desk", "POST")
    assert definition.description == "Use it if a customer wants money back."
    assert definition.url == f"{BASE}/tools/refund"
    assert definition.inputs == ()


@pytest.mark.parametrize(
    ("path", "name"),
    [("/tools/studio-handover", "Studio Handover"), ("/a_b/", "A B"), ("/", "Handover"), ("/--", "Handover")],
)
def test_a_tool_without_a_name_has_one_from_its_path(path: str, name: str) -> None:
    """The last part of the path, as words."""
    assert define(Tool(path, route()), routes(SIGNED), BASE).name == name


def test_the_intents_are_the_choices_of_an_input() -> None:
    """Each intent is told with its description and its aliases, under the input that names it."""
    intents = {
        "refund": Intent("refund", route(), "the customer\nwants money", ("chargeback",)),
        "billing": Intent("billing", route()),
    }
    (entry,) = inputs(Tool("/a", route(), intents=intents, intent_input="reason", fallback="billing"))
    assert (entry.name, entry.fallback) == ("reason", "billing")
    assert entry.choices == (Choice("refund", "the customer\nwants money", ("chargeback",)), Choice("billing", "", ()))


def test_what_sentences_repeat_is_an_input() -> None:
    """Each input is asked for once, with the intents that want it where not all do."""
    intents = {
        "refund": Intent("refund", route(success="{input.order} {input.intent}", failure="{input.order} {input.x y}")),
        "return": Intent("return", route(success="{input.order}")),
        "bill": Intent("bill", route(success="{intent} {tool} {input.order}")),
    }
    _intent, order, other = inputs(Tool("/a", route(), intents=intents))
    assert order == Input("order", "Told in the answer. Leave it empty where it is not known.")
    assert other == Input("x y", "Told in the answer. Wanted for: refund. Leave it empty where it is not known.")
    plain = Tool("/a", route(success="{input.intent} of {input.order}"))
    assert [entry.name for entry in inputs(plain)] == ["intent", "order"]


def test_what_only_the_url_may_set_is_no_input() -> None:
    """The model is not asked for what it must not choose."""
    tool = Tool("/a", route(success="{input.flowSid} {input.FlowSid}"), query=frozenset({"flowSid"}))
    assert inputs(tool) == ()
    assert len(inputs(Tool("/a", tool.route))) == 2


@pytest.mark.parametrize(
    ("auth", "tool", "query"),
    [
        ((SIGNED,), Tool("/a", route()), ""),
        ((SIGNED, SECRET), Tool("/a", route()), ""),
        ((SECRET, SECRET), Tool("/a", route()), "?secret=..."),
        ((), Tool("/a", route()), ""),
        ((SIGNED,), Tool("/a", route(""), query=frozenset({"flowSid"})), "?flowSid=FW..."),
        ((SECRET,), Tool("/a", route(""), query=frozenset({"flowSid"})), "?secret=...&flowSid=FW..."),
        ((SIGNED,), Tool("/a", route(""), intents={"x": Intent("x", route())}), ""),
        (
            (SIGNED,),
            Tool("/a", route(), intents={"x": Intent("x", route()), "y": Intent("y", route(""))}),
            "?flowSid=FW...",
        ),
    ],
)
def test_the_url_has_a_place_for_what_it_must_carry(auth: Any, tool: Tool, query: str) -> None:
    """The secret where nothing else proves a caller, the flow where the file names none; never the secret itself."""
    assert define(tool, routes(*auth), BASE).url == f"{BASE}/a{query}"
