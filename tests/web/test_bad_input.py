from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.web.kit import BILLING, CUSTOMER, REFUNDS, SECRET

if TYPE_CHECKING:
    from tests.web.kit import Router

IS, CH = "IS" + "a" * 32, "CH" + "b" * 32
FORM = "application/x-www-form-urlencoded"

NO_CONVERSATION = [
    "",
    "webhook:",
    f"webhook:conversations__{IS}",
    f"webhook:conversations__{IS}/",
    f"conversations__{CH}/{IS}",
    f"conversations__/{CH}",
    f"conversations__{IS}/{CH}/",
    f"conversations__{IS}/{CH}/Webhooks",
    f"conversations__{IS}/../{CH}",
    f"conversations__{IS}/{CH}x",
    f"xconversations__{IS}/{CH}",
    f"webhook:webhook:conversations__{IS}/{CH}",
    f"webhook: conversations__{IS}/{CH}",
    f"Conversations__{IS}/{CH}",
    f"conversations__{IS.lower()}/{CH}",
    f"conversations__{IS}/{CH.lower()}",
    f"conversations__{IS}/{CH[:-1]}",
    f"conversations__{IS}/{CH[:-1]}g",
    f"conversations__{IS}/{CH}0",
    f"conversations__{IS}/{CH[:-1]}٣",
    f"conversations__{IS}/{CH}%0A",
    f"conversations__{IS}/{CH}?x=1",
    f"conversations__{IS}%2F{CH}",
    f"voice__{IS}/{CH}",
    "webhook:voice__VX" + "c" * 32,
    f"messaging__MG{'d' * 32}/whatsapp:+15550100",
    f"webhook:messaging__{IS}/{CH}",
    f"{IS}/{CH}",
    CH,
]


@pytest.mark.parametrize("session", NO_CONVERSATION)
async def test_any_other_session_names_no_conversation(router: Router, session: str) -> None:
    """Missing, malformed, of another channel, or with anything before, between or after: nothing is touched."""
    reply = await router.call("/tools/support", {"intent": "refund"}, session=session)
    assert (reply.status, reply.json["outcome"]) == (200, "not_a_conversation")
    assert router.sandbox.requests == []


async def test_a_missing_session_names_no_conversation(router: Router) -> None:
    """A call without X-Session-Id is answered in words and touches nothing."""
    headers = {"X-Handover-Secret": SECRET, "Accept": "application/json"}
    reply = await router.send("GET", "/tools/support?intent=refund", headers=headers)
    assert (reply.status, reply.json["outcome"]) == (200, "not_a_conversation")
    assert router.sandbox.requests == []


@pytest.mark.parametrize("ending", [b"\n", b"\r\n x", b"\r", b"\x0b", b"\x00"])
async def test_a_line_break_in_a_session_is_no_session(router: Router, ending: bytes) -> None:
    """Breaks and control characters after the SIDs are refused by the server, or name no conversation."""
    head = (
        f"GET /tools/support?intent=refund HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Handover-Secret: {SECRET}\r\n"
    )
    session = f"X-Session-Id: {router.conversation.session}".encode()
    answer = await router.raw(head.encode() + session + ending + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ") or b"this session is not a Twilio Conversation" in answer
    assert router.sandbox.requests == []


@pytest.mark.parametrize("form", ["webhook:conversations__{}/{}", "conversations__{}/{}"])
async def test_both_forms_of_a_session_name_the_conversation(router: Router, form: str) -> None:
    """Both forms that are seen reach the same conversation."""
    session = form.format(router.conversation.service.sid, router.conversation.sid)
    assert (await router.call("/tools/support", {"intent": "refund"}, session=session)).json["outcome"] == "handed_over"


async def test_repeated_headers_that_differ_say_nothing(router: Router) -> None:
    """Two sessions are none, since nobody can tell which one is meant; the same one twice is one."""
    mine, other = router.conversation.session, router.sandbox.open_conversation().session
    for sessions, outcome in (((mine, other), "not_a_conversation"), ((mine, mine), "handed_over")):
        headers = [("X-Session-Id", session) for session in sessions]
        headers += [("X-Handover-Secret", SECRET), ("Accept", "application/json")]
        reply = await router.send("GET", "/tools/support?intent=refund", headers=headers)
        assert reply.json["outcome"] == outcome


async def test_repeated_content_types_that_differ_are_unreadable(router: Router) -> None:
    """A body that is said to be two things is read as neither."""
    headers = [("X-Handover-Secret", SECRET), ("X-Session-Id", router.conversation.session)]
    headers += [("Content-Type", "application/json"), ("Content-Type", FORM)]
    reply = await router.send("POST", "/tools/support", headers=headers, body=b'{"intent": "refund"}')
    assert (reply.status, "content type is none" in reply.text) == (400, True)
    assert router.sandbox.requests == []


UNREADABLE = {
    "truncated": b'{"intent": "refund"',
    "empty text": b" ",
    "two values": b"{}{}",
    "a list": b'["intent", "refund"]',
    "a text": b'"refund"',
    "a number": b"1",
    "null": b"null",
    "true": b"true",
    "a name twice": b'{"intent": "refund", "intent": "billing"}',
    "a name twice within": b'{"intent": "refund", "a": [{"b": 1, "b": 2}]}',
    "NaN": b'{"intent": "refund", "a": NaN}',
    "Infinity": b'{"intent": "refund", "a": -Infinity}',
    "too large a number": b'{"intent": "refund", "a": 1e999}',
    "too long a number": b'{"intent": "refund", "a": ' + b"9" * 5000 + b"}",
    "lone surrogate": rb'{"intent": "refund", "a": "\ud800"}',
    "lone surrogate as a name": rb'{"intent": "refund", "\udfff": 1}',
    "no UTF-8": b'{"intent": "refund", "a": "\xff"}',
    "UTF-16": '{"intent": "refund"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"intent": "refund"}',
    "control character": b'{"intent": "refund", "a": "\n"}',
    "single quotes": b"{'intent': 'refund'}",
    "trailing comma": b'{"intent": "refund",}',
    "a comment": b'{"intent": "refund"} // please',
    "deep list": b'{"intent": "refund", "a": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "deep and truncated": b"[" * 60_000,
    "a form": b"intent=refund",
    "nothing but nulls": b"\x00" * 10,
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_unreadable_json_is_a_400(router: Router, body: bytes) -> None:
    """What is no JSON object of plain values is a 400 in our own words, and nothing is asked of Twilio."""
    reply = await router.call("/tools/support", body)
    assert reply.status == 400
    assert reply.text.startswith("the body is ")
    assert len(reply.text) < 250
    assert router.sandbox.requests == []


async def test_a_depth_that_is_read_is_also_told(router: Router) -> None:
    """However deep an input is, it is refused as a whole or goes all the way: it never breaks on the way."""
    seen = set()
    for depth in (10, *range(50, 80), 500, 990, 1500, 30_000):
        reply = await router.call("/tools/echo", b'{"note": ' + b"[" * depth + b"]" * depth + b"}")
        seen.add(reply.json["outcome"] if reply.status == 200 else reply.text)
    assert seen == {
        "handed_over",
        "already_handed_over",
        "the body is nested too deeply; expected a JSON object of inputs",
    }


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "text/json", "application/xml", "multipart/form-data; boundary=x", "json", "application/jsonp"],
)
async def test_another_content_type_is_a_400(router: Router, content_type: str) -> None:
    """A body of another type is not guessed at; the answer says which types there are."""
    reply = await router.call("/tools/support", {"intent": "refund"}, headers={"Content-Type": content_type})
    assert reply.status == 400
    assert "expected application/json or application/x-www-form-urlencoded" in reply.text
    assert router.sandbox.requests == []


@pytest.mark.parametrize("content_type", ["APPLICATION/JSON ; x=y", "application/problem+json"])
async def test_json_is_known_by_its_media_type(router: Router, content_type: str) -> None:
    """Letter case, parameters and ``+json`` make no difference."""
    reply = await router.call("/tools/support", {"intent": "refund"}, headers={"Content-Type": content_type})
    assert reply.json["outcome"] == "handed_over"


@pytest.mark.parametrize(
    "body",
    [b"%ff=1", b"a=%C3", b"\xff", b"intent", b'{"intent": "refund"}', b"a=%ED%A0%80", b"&".join([b"a=1"] * 1001)],
)
async def test_an_unreadable_form_is_a_400(router: Router, body: bytes) -> None:
    """A form that is no UTF-8, that has no pair at all or far too many is a 400, and nothing changes."""
    reply = await router.call("/tools/support?intent=refund", body, headers={"Content-Type": FORM})
    assert (reply.status, reply.text.partition(":")[0]) == (400, "the body is no form")
    assert router.sandbox.requests == []


@pytest.mark.parametrize("query", ["intent=%ff", "%C3=1", "a=%ED%A0%80&intent=refund", "&".join(["a=1"] * 1001)])
async def test_an_unreadable_query_is_a_400(router: Router, query: str) -> None:
    """A query that is no UTF-8, or has far too many parameters, is a 400, and nothing changes."""
    reply = await router.call(f"/tools/support?{query}", {})
    assert (reply.status, reply.text.partition(":")[0]) == (400, "the query cannot be read")
    assert router.sandbox.requests == []


@pytest.mark.parametrize(
    ("query", "body", "flow"),
    [
        ("intent=billing", {"intent": "refund"}, BILLING),
        ("intent=billing&intent=billing", {"intent": "refund"}, BILLING),
        ("intent=%20BILLING%20", {}, BILLING),
        ("intent=billing", {}, BILLING),
        ("Intent=billing", {"intent": "refund"}, REFUNDS),
    ],
)
async def test_the_url_wins_over_the_body(router: Router, query: str, body: dict[str, Any], flow: str) -> None:
    """The URL is the administrator's and the body the model's; names are taken letter for letter."""
    assert (await router.call(f"/tools/support?{query}", body)).json["flow"] == flow


@pytest.mark.parametrize("query", ["intent=billing&intent=refund", "intent=", "intent", "intent=%00"])
async def test_an_intent_that_is_not_one_is_unknown(router: Router, query: str) -> None:
    """Two intents are none, and a blank one in the URL still wins over the body: the model is asked again."""
    reply = await router.call(f"/tools/support?{query}", {"intent": "refund"})
    assert reply.json["outcome"] == "unknown_intent"
    assert router.sandbox.requests == []


@pytest.mark.parametrize("intent", [None, 1, True, ["refund"], {"name": "refund"}, "", "refund\x00", "x" * 60_000])
async def test_an_intent_of_another_type_is_unknown(router: Router, intent: Any) -> None:
    """An intent is a text: everything else is unknown, or goes where the tool's fallback goes."""
    reply = await router.call("/tools/support", {"intent": intent})
    assert reply.json["outcome"] == "unknown_intent"
    assert router.sandbox.requests == []
    assert (await router.call("/tools/any", {"wish": intent})).json["flow"] == BILLING


async def test_what_the_model_says_stays_in_one_line(router: Router) -> None:
    """Line breaks and control characters of an input become spaces in the sentence, whatever the alphabet."""
    note = "a\r\nb\u2028c\x85d\x1be\x00f"
    reply = await router.call("/tools/echo", {"note": note, "input.note": "no"})
    assert reply.json["message"] == f"/tools/echo  {CUSTOMER} a b c d e f"


async def test_a_large_number_of_inputs_is_no_trouble(router: Router) -> None:
    """Thousands of inputs that fit into a body are read."""
    body = {f"n{number}": "x" for number in range(3000)} | {"intent": "refund"}
    assert len(json.dumps(body)) < 64 * 1024
    assert (await router.call("/tools/support", body)).json["outcome"] == "handed_over"


@pytest.mark.parametrize("identity", ["", ":", ":x", "x", "a:b:c", "user_id:", "é", "x" * 5000])
async def test_any_identity_is_taken_as_it_is(router: Router, identity: str) -> None:
    """The identity is no proof and decides nothing: whatever it is, the conversation is handed over."""
    reply = await router.call("/tools/echo", {}, headers={"X-Identity": identity})
    assert reply.json["outcome"] == "handed_over"


async def test_an_identity_in_utf_8_is_read(router: Router) -> None:
    """An identity may have letters of any alphabet, as chat users have."""
    reply = await router.call("/tools/echo", {"note": "."}, headers={"X-Identity": "user_id:Jürgen"})
    assert reply.json["message"] == "/tools/echo  user_id:Jürgen ."
