from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.callers.assistants import conversation, identity, read_call
from router.callers.request import Request
from router.model.call import ConversationRef, Identity, ToolCall

HEX = st.text("0123456789abcdefABCDEF", min_size=32, max_size=32)
IS, CH = "IS" + "0a" * 16, "CH" + "F1" * 16


@given(HEX, HEX, st.sampled_from(["", "webhook:"]))
def test_both_forms_of_a_session_are_read(service: str, sid: str, form: str) -> None:
    """Any two SIDs in either form name that conversation, letter for letter."""
    found = conversation(f"{form}conversations__IS{service}/CH{sid}")
    assert found == ConversationRef(service=f"IS{service}", sid=f"CH{sid}")


@given(st.text(min_size=1), st.integers(0, 1), st.sampled_from(["", "webhook:"]))
def test_nothing_may_stand_before_or_after(more: str, place: int, form: str) -> None:
    """A session with any other text around it names none, except for the one known prefix."""
    session = f"{form}conversations__{IS}/{CH}"
    found = conversation(session + more if place else more + session)
    assert found is None or (more, place, form) == ("webhook:", 0, "")


@given(st.text())
def test_no_other_text_is_a_session(text: str) -> None:
    """Arbitrary text names no conversation."""
    assert conversation(text) is None


@given(st.data())
def test_one_other_letter_is_another_session(data: st.DataObject) -> None:
    """Every letter counts: a session in which one is replaced by what cannot stand there names none."""
    session = f"conversations__{IS}/{CH}"
    place = data.draw(st.integers(0, len(session) - 1))
    other = data.draw(st.characters(exclude_characters="0123456789abcdefABCDEF" + session[place]))
    assert conversation(session[:place] + other + session[place + 1 :]) is None


@given(st.text(st.characters(exclude_characters=":")), st.text())
def test_an_identity_is_split_on_the_first_colon(kind: str, value: str) -> None:
    """``kind:value``, where the value may have colons of its own; joined again it is what it was."""
    found = identity(f"{kind}:{value}")
    assert found == Identity(kind, value)
    assert str(found) == f"{kind}:{value}"


@given(st.text(st.characters(exclude_characters=":"), min_size=1))
def test_an_identity_without_a_colon_is_a_user_id(text: str) -> None:
    """A bare text names a chat user."""
    assert identity(text) == Identity("user_id", text)


def test_no_identity_is_none() -> None:
    """An empty header names nobody."""
    assert identity("") is None


def test_a_call_is_read_from_its_parts() -> None:
    """Path, session, identity, token, URL and body end in one call."""
    headers = {
        "x-session-id": [f"webhook:conversations__{IS}/{CH}"],
        "x-identity": ["whatsapp:+15550100"],
        "i-twilio-idempotency-token": ["token-1"],
        "content-type": ["application/json"],
    }
    found = read_call(Request("POST", "/t", "/%74", "a=1&secret=s", headers, b'{"b": 2}'))
    assert found == ToolCall(
        path="/t",
        caller="ai_assistants",
        conversation=ConversationRef(service=IS, sid=CH),
        identity=Identity("whatsapp", "+15550100"),
        url_inputs={"a": "1"},
        body_inputs={"b": 2},
        token="token-1",
    )


def test_a_call_has_all_that_one_has() -> None:
    """It is made without a look at its fields, so that none must be forgotten, and none is unknown."""
    assert list(vars(read_call(Request("GET", "/t", "/t")))) == [field.name for field in fields(ToolCall)]


def test_a_call_without_anything_is_a_call() -> None:
    """A bare GET names no conversation and nobody, and that is for the resolution to judge."""
    call = read_call(Request("GET", "/t", "/t"))
    assert call == ToolCall(path="/t", caller="ai_assistants", no_conversation=call.no_conversation)
    assert call.no_conversation.startswith("X-Session-Id is missing; expected conversations__IS.../CH..., or webhook: ")


@pytest.mark.parametrize(
    ("session", "found"),
    [
        ("voice:+15550100", "15 characters that begin with neither"),
        ("messaging__IS1/CH1", "18 characters that begin with neither"),
        ("webhook:conversations__ISx/CHnope", "no IS and 32 hex digits with a / after 'conversations__'"),
        (f"conversations__{IS}/CH+15550100", "no CH and 32 hex digits after the /"),
        (f"conversations__{IS}/{CH}+15550100", "more after the 32 hex digits of CH"),
    ],
)
def test_it_is_told_what_a_session_lacks(session: str, found: str) -> None:
    """Which part is wrong can be read from the log, and nothing of what may be somebody's number."""
    why = read_call(Request("GET", "/t", "/t", headers={"x-session-id": [session]})).no_conversation
    expected = "expected conversations__IS.../CH..., or webhook: before it"
    assert why == f"X-Session-Id names no conversation; {expected}; found {found}"


def test_an_empty_session_is_none_that_is_missing() -> None:
    """A header that is there is looked for elsewhere than one that is not."""
    for values in ([""], ["a", "b"]):
        why = read_call(Request("GET", "/t", "/t", headers={"x-session-id": values})).no_conversation
        assert why.startswith("X-Session-Id is empty, or repeated with another value; expected conversations__IS")


@pytest.mark.parametrize(
    "session", [f"conversations__{IS}/{CH}\n", f"\nconversations__{IS}/{CH}", f"CONVERSATIONS__{IS}/{CH}"]
)
def test_a_line_break_or_capitals_make_no_session(session: str) -> None:
    """The match is over the whole text: ``$`` would let a line break pass."""
    assert conversation(session) is None
