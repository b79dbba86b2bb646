from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.explanation import explain as room
from router.explanation.calling import request_of
from router.explanation.explain import explain
from router.explanation.text import as_text
from router.model.messages import Messages
from router.model.routes import Routes, Tool
from router.web import body as web_body
from router.web import endpoints
from tests.config.kit import FLOW, OTHER, loaded
from tests.explanation.kit import FILE, NOW, SECRET, UNLISTED, configured, explained

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from router.config import Loaded
    from router.model.place import Place

CONVERSATION = "conversations__IS" + "0" * 31 + "1/CH" + "0" * 31 + "2"
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
METHODS = st.sampled_from(["POST", "GET", "put"]) | st.text(max_size=8)
PATHS = st.sampled_from(["/support", "/recipe", "/bare", "/falling"]) | st.text(max_size=12)
QUERIES = st.sampled_from(["flowSid=x", "intent=refund", "%ff", "a=1&a=2", "successMessage=%00"]) | st.text(max_size=20)
BODIES = st.none() | st.sampled_from(["{}", '{"intent": "other"}', '{"intent": null}', "[["]) | st.text(max_size=20)
HEADERS = st.lists(st.sampled_from(["X-Identity: é:\x00", "X-Session-Id: x", "a:"]) | st.text(max_size=20), max_size=3)


@pytest.fixture
def config(tmp_path: Path) -> Loaded:
    return configured(tmp_path)


def at(place: Place | None) -> str:
    """Give the text of the file that a place points to."""
    assert place is not None
    return FILE.splitlines()[place.line - 1][place.column - 1 :]


def test_a_call_that_reaches_a_flow_is_told_with_all_its_places(config: Loaded) -> None:
    """Tool, intent, flow, settings, sentences and plugins are those of the route, each with where it was written."""
    told = explained(config, "POST", "/support", json='{"intent": "Money-Back", "order": 7}')
    assert told.reaches_a_flow
    assert told.tool is not None
    assert (told.tool.path, told.tool.name) == ("/support", "Support")
    assert at(told.tool.place).startswith("/support:")
    assert told.intent is not None
    assert (told.intent.name, told.intent.by) == ("refund", "alias")
    assert told.intent.told == "refund, by its alias 'Money-Back'"
    assert at(told.intent.place).startswith("refund: {flow")
    assert told.intent.match is not None
    assert told.intent.match.value == "money back"
    assert at(told.intent.match.place).startswith("money back")
    assert told.flow is not None
    assert told.flow.named is not None
    assert told.flow.listed is not None
    assert (told.flow.alias, told.flow.sid) == ("refunds", FLOW)
    assert at(told.flow.named.place).startswith("refunds, aliases")
    assert at(told.flow.listed.place) == FLOW
    assert [(setting.key, setting.written.value) for setting in told.settings] == [
        ("replay", "none"),
        ("dry_run", False),
        ("limits.handovers_per_hour", 10),
        ("limits.repeat_window", 60),
        ("hand_back.within", 60),
        ("hand_back.end_execution", False),
    ]
    assert [message.key for message in told.messages] == list(Messages.names())
    assert [(plugin.name, plugin.off is None) for plugin in told.plugins] == [("audit", True), ("trace", False)]
    ending = told.ending
    assert (ending.status, ending.outcome, ending.message, ending.why) == (200, "handed_over", "success", "")
    assert ending.says == "Order 7 of  goes on."
    assert told.notes == ()


def others(config: Loaded, said: str) -> dict[str, str]:
    intent = explained(config, "POST", "/support", json=json.dumps({"intent": said})).intent
    assert intent is not None
    return {other.name: other.why for other in intent.others}


def test_for_each_other_intent_it_is_told_why_not(config: Loaded) -> None:
    """Its name and its aliases are held against what the call said."""
    assert others(config, "chargeback") == {
        "billing": "'billing' is not 'chargeback'",
        "other": "neither 'other' nor 'invoice' is 'chargeback'",
    }
    assert others(config, "sue").keys() == {"refund", "billing", "other"}


@pytest.mark.parametrize(
    ("url", "body", "by", "told"),
    [
        ("/support", {"intent": "re_fund"}, "name", "refund, by its name"),
        ("/support", {"intent": "invoic"}, "none", "no intent is called 'invoic'; did you mean 'invoice'?"),
        ("/support", {"intent": "zzz"}, "none", "no intent is called 'zzz'"),
        ("/support", {}, "none", "the call has no input 'intent'"),
        ("/support", {"intent": None}, "none", "the call has no input 'intent'"),
        (
            "/support",
            {"order": 1, "Intent": "refund"},
            "none",
            "the call has no input 'intent'; did you mean 'intent' by 'Intent'?",
        ),
        ("/support", {"intent": 7}, "none", "the input 'intent' is a number, expected a text"),
        ("/falling", {"wish": "zzz"}, "fallback", "other, as the fallback: no intent is called 'zzz'"),
        (
            "/falling",
            {"wish": ["refund"]},
            "fallback",
            "other, as the fallback: the input 'wish' is a list, expected a text",
        ),
        ("/falling", {}, "fallback", "other, as the fallback: the call has no input 'wish'"),
        ("/falling", {"wish": "other"}, "name", "other, by its name"),
        ("/plain", {"intent": "refund"}, "tool", "the tool has no intents"),
    ],
)
def test_how_the_intent_was_found_is_told(url: str, body: Any, by: str, told: str, config: Loaded) -> None:
    """By its name, by an alias, as the fallback, or why not at all, with what was perhaps meant."""
    intent = explained(config, "POST", url, json=json.dumps(body)).intent
    assert intent is not None
    assert (intent.by, intent.told) == (by, told)
    if by == "fallback":
        assert intent.match is not None
        assert at(intent.match.place).startswith("other, intents")


def test_an_alias_from_the_environment_is_told_by_its_reference(tmp_path: Path) -> None:
    """Whether it matches, is near or is none of it, what it is stays where it came from."""
    text = FILE.replace("[money back, chargeback]", '[money back, "${env:WORD}"]')
    config = loaded(tmp_path, text, {"WORD": "zarathustra"}, audit="None", trace="None")
    hidden = "the value of ${env:WORD}"
    met = explained(config, "POST", "/support", json='{"intent": "Zarathustra"}').intent
    assert met is not None
    assert (met.told, met.match and met.match.hidden) == (f"refund, by its alias {hidden}", hidden)
    told = explained(config, "POST", "/support", json='{"intent": "zarathustr"}')
    assert told.ending.why == f"no intent is called 'zarathustr'; did you mean {hidden}?"
    assert others(config, "invoice")["refund"] == f"neither 'refund' nor 'money back', {hidden} is 'invoice'"
    assert "zarathustra" not in json.dumps(told.as_json()) + as_text(told)


def test_no_password_of_a_url_is_told(tmp_path: Path) -> None:
    """Neither in a config, nor in a list of one, nor in a sentence; people and programs still see the host."""
    text = FILE.replace("level: 2", "url: 'postgresql://ann:hunter2@db/x', more: ['https://hunter2@h/']")
    text = text.replace("Order {input.order} of {identity}", "See https://ann:hunter2@shop/")
    told = explained(loaded(tmp_path, text, audit="None", trace="None"), "POST", "/support?intent=refund")
    for shown in (as_text(told), json.dumps(told.as_json(), ensure_ascii=False)):
        assert "hunter2" not in shown
        assert all(host in shown for host in ("postgresql://…@db/x", "https://…@h/", "https://…@shop/"))


def test_an_unknown_intent_ends_with_the_sentence_for_it(config: Loaded) -> None:
    """The ending has the reason, and of the sentences only the one that is told."""
    told = explained(config, "POST", "/support", json='{"intent": "zzz"}')
    assert not told.reaches_a_flow
    assert (told.ending.outcome, told.ending.message) == ("unknown_intent", "unknown_intent")
    assert told.ending.why == "no intent is called 'zzz'"
    assert told.ending.says.endswith("one of: refund, billing, other.")
    assert [message.key for message in told.messages] == ["unknown_intent"]
    assert (told.flow, told.plugins, told.settings) == (None, (), ())


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/suport", "there is no tool '/suport'; did you mean '/support'?"),
        ("/plain/", "there is no tool '/plain/'; did you mean '/plain'?"),
        ("/", "there is no tool '/'; there are: '/support', '/falling', '/plain', '/recipe', '/bare'"),
        ("/healthz", "'/healthz' is the router's own, and no tool"),
        ("/-/reload", "'/-/reload' is the router's own, and no tool"),
    ],
)
def test_an_unknown_path_is_told_with_those_near_it(path: str, why: str, config: Loaded) -> None:
    """Nothing but the path is looked at then."""
    told = explained(config, "POST", path)
    assert (told.ending.status, told.ending.why, told.tool, told.proofs) == (404, why, None, ())


def test_of_many_tools_only_some_are_listed(config: Loaded) -> None:
    """Who asks for a tool that is not there is not shown hundreds."""
    many = Routes(
        tools={f"/{number}": Tool(f"/{number}", config.routes.tools["/plain"].route) for number in range(30)},
        flows={},
        auth=(),
    )
    told = explain(request_of("POST", "/qwertz"), many, config.sources, at=NOW)
    assert told.ending.why.endswith("'/8', '/9' and 20 more")


@pytest.mark.parametrize(
    ("method", "parts", "status", "why"),
    [
        ("PUT", {}, 405, "a tool has no method 'PUT'; expected GET or POST"),
        ("POST", {"json": '"' + "x" * 70_000 + '"'}, 413, "the body has more than 65536 bytes"),
        (
            "POST",
            {"json": "{"},
            400,
            "the body is not readable JSON: Expecting property name enclosed in double quotes at line 1 column 2",
        ),
        ("POST", {"json": "[]"}, 400, "the body is a JSON list; expected an object of inputs, such as {}"),
        (
            "GET",
            {"url": "/support?a=%ff"},
            400,
            "the query cannot be read: expected percent-encoded UTF-8, found bytes",
        ),
    ],
)
def test_what_the_server_does_not_take_is_told_in_its_words(
    method: str, parts: dict[str, Any], status: int, why: str, config: Loaded
) -> None:
    """Another method, a large body and an unreadable one end before any intent is looked for."""
    signed = {"headers": ["X-Twilio-Signature: abc"], "url": "/support"}
    told = explained(config, method, **{**signed, **parts})
    assert (told.ending.status, told.intent) == (status, None)
    assert told.ending.why.startswith(why)
    assert told.tool is not None


def test_who_proves_nothing_is_not_told_what_is_wrong_with_the_call(tmp_path: Path) -> None:
    """The server answers 403 before it reads a call, and 400 to who shows the secret; large bodies come before both."""
    config, proved = configured(tmp_path, SECRET), {"headers": [f"X-Handover-Secret: {SECRET}"]}
    for parts, status in (({}, 403), (proved, 400)):
        told = explained(config, "POST", "/support", json="{", **parts)
        assert told.ending.status == status
        assert ("proves nothing" in told.ending.why) is (status == 403)
        text = as_text(told)
        assert [line for line in text.splitlines() if line.endswith(f" HTTP {status}")] == [text.splitlines()[-1]]
    assert explained(config, "POST", "/support", json=f'"{"x" * 70_000}"').ending.status == 413


def test_the_limits_are_the_servers() -> None:
    """What the explanation says of methods and sizes holds for the server."""
    assert room.METHODS == endpoints.METHODS
    assert room.LARGEST == web_body.LARGEST


@pytest.mark.parametrize(
    ("headers", "session", "outcome"),
    [
        ([], "taken as a conversation: the call has no X-Session-Id", "handed_over"),
        ([f"X-Session-Id: webhook:{CONVERSATION}"], f"{CONVERSATION[-34:]} of {CONVERSATION[15:49]}", "handed_over"),
        (["X-Session-Id: voice:CA1/2"], "X-Session-Id names no conversation; expected", "not_a_conversation"),
        (["X-Session-Id:"], "X-Session-Id is empty, or repeated with another value; expected", "not_a_conversation"),
        (
            [f"X-Session-Id: {CONVERSATION}", "X-Session-Id: x"],
            "X-Session-Id is empty, or repeated",
            "not_a_conversation",
        ),
    ],
)
def test_the_session_is_read_as_the_server_does(
    headers: Sequence[str], session: str, outcome: str, config: Loaded
) -> None:
    """A call without a session is taken as one in a conversation; a session that is none ends it."""
    told = explained(config, "POST", "/plain", headers=headers)
    assert told.session.startswith(session)
    assert (told.ending.outcome, told.reaches_a_flow) == (outcome, outcome == "handed_over")


def test_the_first_reason_is_the_one_that_is_told(config: Loaded) -> None:
    """Where there is no conversation, nothing is guessed about a flow that the URL names wrongly."""
    told = explained(config, "POST", "/recipe?flowSid=biling", headers=["X-Session-Id: voice:CA1"])
    assert told.ending.why.startswith("X-Session-Id names no conversation; expected ")


def test_the_person_is_masked(config: Loaded) -> None:
    """The identity is told as in the log; in the sentence for the model it stands as the model gets it."""
    told = explained(config, "POST", "/support", json='{"intent": "refund"}', headers=["X-Identity: sms:+15550100"])
    assert told.person == "sms:+1…00"
    assert told.ending.says == "Order  of sms:+15550100 goes on."
    assert told.notes == ("the call has no input 'order', so '{input.order}' stays empty",)


def test_a_dry_run_ends_as_one(config: Loaded) -> None:
    """It reaches a flow, and tells the sentence for a dry run."""
    told = explained(config, "POST", "/support?intent=billing")
    assert told.reaches_a_flow
    assert (told.ending.outcome, told.ending.message) == ("dry_run", "dry_run")
    assert told.ending.says.startswith("This was a dry run")
    assert told.flow is not None
    assert told.flow.listed is not None
    assert (told.flow.sid, told.flow.listed.hidden) == (OTHER, "the default of ${env:BILLING}")


def test_a_flow_that_the_route_spells_out_has_an_alias_where_it_is_listed(config: Loaded) -> None:
    """The line of the route has the SID, and 'flows' the name of it."""
    told = explained(config, "POST", "/support?intent=other")
    assert told.flow is not None
    assert told.flow.named is not None
    assert (told.flow.alias, told.flow.sid, told.flow.named.value) == ("billing", OTHER, OTHER)


def test_what_the_url_sets_is_told(config: Loaded) -> None:
    """Flow and sentence of the URL win over the file, and the file's alias of the flow is found."""
    told = explained(config, "POST", f"/recipe?FlowSid={OTHER}&successMessage=Bye.")
    assert told.set_by_url == {"flowSid": OTHER, "successMessage": "Bye."}
    assert told.flow is not None
    assert (told.flow.alias, told.flow.sid, told.flow.named) == ("billing", OTHER, None)
    assert (told.ending.says, told.ending.message) == ("Bye.", "")
    blank = explained(config, "POST", "/recipe?flowSid=&successMessage=+")
    assert blank.flow is not None
    assert blank.flow.named is not None
    assert (blank.flow.alias, blank.ending.message) == ("refunds", "success")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (
            f"/bare?flowSid={UNLISTED}",
            f"flowSid '{UNLISTED}' is not in 'flows' of routes.yaml; did you mean {OTHER}, which is 'billing'?",
        ),
        (
            "/bare?flowSid=biling",
            f"which is no Flow SID, is not in 'flows' of routes.yaml; did you mean {OTHER}, which is 'billing'?",
        ),
        ("/bare?flowSid=zzz", "flowSid of the URL, which is no Flow SID, is not in 'flows' of routes.yaml"),
        ("/bare", "neither the URL nor routes.yaml names a flow"),
        (f"/bare?flowSid={FLOW}&FlowSid={OTHER}", "the URL sets flowSid to several values"),
        (f"/bare?flowSid={FLOW}&flowSid={OTHER}", "the URL sets flowSid to several values"),
    ],
)
def test_a_refused_flow_is_told_with_the_one_that_was_meant(url: str, why: str, config: Loaded) -> None:
    """The call is declined, in the words that the log has too."""
    told = explained(config, "POST", url)
    assert told.ending.why.endswith(why)
    assert (told.ending.outcome, told.ending.message, told.flow) == ("declined", "declined", None)


@pytest.mark.parametrize(
    ("method", "url", "body", "notes"),
    [
        ("GET", "/support?intent=other&order=1", {"intent": "refund"}, ["the body of a GET is not read"]),
        ("POST", "/recipe", {"flowSid": OTHER, "x": 1}, ["the body's 'flowSid' is not taken: only the URL may set it"]),
        ("POST", "/plain?x=1", {"x": 2}, ["the URL's 'x' wins over the body's"]),
        (
            "POST",
            f"/plain?flowSid={OTHER}",
            {},
            ["the URL's 'flowSid' sets nothing, as 'query' of this tool does not list 'flowSid'"],
        ),
    ],
)
def test_inputs_in_the_wrong_place_are_noted(
    method: str, url: str, body: Any, notes: list[str], config: Loaded
) -> None:
    """What does not count, though somebody wrote it into the call, is told with the reason."""
    assert list(explained(config, method, url, json=json.dumps(body)).notes) == notes


@pytest.mark.parametrize(
    ("url", "headers", "signature", "secret", "is_proved"),
    [
        ("/plain", [], "has no X-Twilio-Signature", "does not pass: no secret", False),
        ("/plain?secret=wrong", [], "has no X-Twilio-Signature", "does not pass: the secret is another one", False),
        (f"/plain?secret={SECRET}", [], "has no X-Twilio-Signature", "the call shows it", True),
        ("/plain", [f"X-Handover-Secret: {SECRET}"], "has no X-Twilio-Signature", "the call shows it", True),
        ("/plain", [f"Authorization: Bearer {SECRET}"], "has no X-Twilio-Signature", "the call shows it", True),
        (f"https://me:{SECRET}@h.example/plain", [], "has no X-Twilio-Signature", "the call shows it", True),
        ("/plain", ["X-Twilio-Signature: abc"], "has an X-Twilio-Signature, which is not checked", "no secret", None),
        ("/plain", ["X-Twilio-Signature: abc", f"X-Handover-Secret: {SECRET}"], "not checked", "shows it", True),
    ],
)
def test_it_is_told_whether_the_call_proves_itself(
    url: str, headers: list[str], signature: str, secret: str, is_proved: object, tmp_path: Path
) -> None:
    """For each entry of ``auth`` it is told what the call holds; secrets are compared and never told."""
    told = explained(configured(tmp_path, SECRET), "POST", url, headers=headers)
    first, second = told.proofs
    assert signature in first.told
    assert first.told.startswith("twilio_signature: ")
    assert second.told.startswith("secret (the value of ${env:SECRET}): ")
    assert secret in second.told
    assert told.is_proved is is_proved
    assert at(second.place).startswith('"${env:SECRET')
    whole = json.dumps(told.as_json()) + repr(told)
    assert SECRET not in whole
    assert base64.b64encode(f"me:{SECRET}".encode()).decode() not in whole
    assert told.reaches_a_flow


def test_a_proof_that_is_left_out_is_told_so(config: Loaded) -> None:
    """A secret that its own default leaves empty can prove nothing."""
    assert (
        explained(config, "POST", "/plain").proofs[1].told
        == "secret (the default of ${env:SECRET}): left out, as it is empty"
    )


def test_a_tool_that_is_out_of_order_hands_nothing_over(config: Loaded) -> None:
    """It is told in the words of the server, and no intent is looked for."""
    tools = {"/gone": Tool("/gone", config.routes.tools["/plain"].route, out_of_order=True)}
    told = explain(request_of("POST", "/gone"), replace(config.routes, tools=tools), config.sources, at=NOW)
    assert (told.ending.outcome, told.ending.message, told.intent) == ("failed", "out_of_order", None)
    assert "faults" in told.ending.why
    assert [message.key for message in told.messages] == ["out_of_order"]


def test_whatever_is_asked_has_an_explanation(config: Loaded) -> None:
    """Any request that a client can send is explained, on whole lines and as JSON; any other is a ValueError."""

    @given(METHODS, PATHS, QUERIES, BODIES, HEADERS)
    def holds(method: str, path: str, query: str, body: str | None, headers: list[str]) -> None:
        try:
            request = request_of(method, f"{path}?{query}", headers=headers, json=body)
        except ValueError:
            return
        told = explain(request, config.routes, config.sources, at=NOW)
        assert told.reaches_a_flow is not bool(told.ending.why)
        assert not CONTROL.search(as_text(told))
        assert json.dumps(told.as_json()).isascii()

    holds()


def test_the_facts_can_be_written_as_json(config: Loaded) -> None:
    """Each fact stands under its own name, a place as file, line and column."""
    told = json.loads(json.dumps(explained(config, "POST", "/support?intent=refund&secret=x").as_json()))
    assert list(told)[:4] == ["reaches_a_flow", "is_proved", "method", "url"]
    assert told["url"] == "/support?intent=…&secret=…"
    assert told["tool"]["place"].keys() == {"file", "line", "column"}
    assert told["flow"]["named"] == {
        "value": "refunds",
        "place": {**told["tool"]["place"], "line": 12, "column": 22},
        "hidden": "",
        "removed_by": None,
    }
    assert told["plugins"][0]["config"][0]["key"] == "token"
    assert told["plugins"][0]["config"][0]["written"]["hidden"] == "the default of ${env:SECRET}"
