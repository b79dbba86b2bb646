"""The request of a flow's Make HTTP Request widget that gives its conversation back (docs/twilio.md, MAKE-REQUEST)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from router.callers.inputs import body_inputs, url_inputs
from router.errors import BadRequest
from router.model.sids import is_sid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.callers.request import Request

CONVERSATION: Final = ("conversation", "ConversationSid")
EXECUTION: Final = ("execution", "ExecutionSid")
"""The parameters, in the short words of ours and in Twilio's."""


@dataclass(frozen=True, slots=True)
class Return:
    """Which conversation (``CH…``) goes back, and which execution (``FN…``, or empty) asks for it."""

    conversation: str
    execution: str = ""


def read_return(request: Request) -> Return:
    """Read it from a JSON object, a form or the query; raises BadRequest that says what was expected where."""
    given = {**body_inputs(request), **url_inputs(request)}
    conversation = _sid("CH", CONVERSATION, given)
    if not conversation:
        raise BadRequest(
            "the parameter 'conversation' is missing; expected CH and 32 hex digits:"
            " in a flow {{trigger.conversation.ConversationSid}}"
        )
    return Return(conversation, _sid("FN", EXECUTION, given))


def _sid(prefix: str, names: tuple[str, ...], given: Mapping[str, Any]) -> str:
    """Find a SID under one of its names; a parameter that a flow left empty is none."""
    for name in names:
        value = given.get(name)
        if value in (None, ""):
            continue
        if not (isinstance(value, str) and is_sid(prefix, value)):
            raise BadRequest(f"the parameter '{name}' is no SID; expected {prefix} and 32 hex digits")
        return value
    return ""
