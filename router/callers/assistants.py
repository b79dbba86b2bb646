"""The request format of Twilio's AI Assistants, which other agents speak too: session and identity in two headers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from router.callers.inputs import body_inputs, url_inputs
from router.model.call import ConversationRef, Identity, ToolCall

if TYPE_CHECKING:
    from router.callers.request import Request

NAME: Final = "ai_assistants"

_EXPECTED: Final = "expected conversations__IS.../CH..., or webhook: before it"
_BEGINNING: Final = re.compile("(?:webhook:)?conversations__")
_SERVICE: Final = re.compile("(IS[0-9a-fA-F]{32})/")
_CONVERSATION: Final = re.compile("(CH[0-9a-fA-F]{32})")
_SESSION: Final = re.compile(_BEGINNING.pattern + _SERVICE.pattern + _CONVERSATION.pattern)


def read_call(request: Request) -> ToolCall:
    """Read a tool call; raises BadRequest where the body or the query cannot be read."""
    session = request.header("x-session-id")
    found = conversation(session)
    return ToolCall.of(
        {
            "path": request.path,
            "caller": NAME,
            "conversation": found,
            "identity": identity(request.header("x-identity")),
            "url_inputs": url_inputs(request),
            "body_inputs": body_inputs(request),
            "token": request.header("i-twilio-idempotency-token"),
            "no_conversation": "" if found else _why_none(session, is_given="x-session-id" in request.headers),
        }
    )


def conversation(session: str) -> ConversationRef | None:
    """Find the conversation that a session names, in both forms that are seen (docs/twilio.md, SESSION).

    The whole text must match: voice and messaging sessions, and anything before or after, name no conversation.
    """
    match = _SESSION.fullmatch(session)
    return ConversationRef(*match.groups()) if match else None


def _why_none(session: str, *, is_given: bool) -> str:
    """Say which part of a session is not as it should be; nothing of it, as it may hold a customer's number."""
    if not session:
        return f"X-Session-Id is {'empty, or repeated with another value' if is_given else 'missing'}; {_EXPECTED}"
    if not (begun := _BEGINNING.match(session)):
        found = f"{len(session)} characters that begin with neither"
    elif not (served := _SERVICE.match(session, begun.end())):
        found = "no IS and 32 hex digits with a / after 'conversations__'"
    elif not _CONVERSATION.match(session, served.end()):
        found = "no CH and 32 hex digits after the /"
    else:
        found = "more after the 32 hex digits of CH"
    return f"X-Session-Id names no conversation; {_EXPECTED}; found {found}"


def identity(text: str) -> Identity | None:
    """Read ``kind:value``, split on the first colon; a text without one is a ``user_id`` (docs/twilio.md, IDENTITY)."""
    if not text:
        return None
    kind, colon, value = text.partition(":")
    return Identity(kind, value) if colon else Identity("user_id", text)
