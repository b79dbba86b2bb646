"""From Twilio's records to the model's values and back, with every doubt raised as an error. Pure."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias

from router.errors import TwilioRefused, TwilioUncertain
from router.model.execution import Execution
from router.model.flow import FlowRevision
from router.model.gateway import Message
from router.model.masking import fit
from router.model.sids import is_sid
from router.model.webhook import ScopedWebhook, WebhookSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.twilio.wire.answer import Answer

Record: TypeAlias = "Mapping[str, Any]"
"""What Twilio says of one thing: a JSON object."""

LARGEST_ATTRIBUTES: Final = 16 * 1024
"""Bytes that a conversation's attributes may have (docs/twilio.md, ATTRIBUTES)."""

TOO_LONG: Final = 50303
NOT_JSON: Final = 50304


def page_of(operation: str, answer: Answer) -> tuple[Sequence[Record], str]:
    """Read a page of a list, and the address of the next page, which is empty where it is the last.

    Raises TwilioUncertain where it is no page.
    """
    try:
        meta = (answer.said or {})["meta"]
        records, following = (answer.said or {})[meta["key"]], meta.get("next_page_url") or ""
        is_page = answer.status == HTTPStatus.OK and isinstance(records, list) and isinstance(following, str)
    except (LookupError, TypeError, AttributeError):
        is_page = False
    if not is_page or not all(isinstance(record, dict) for record in records):
        raise TwilioUncertain(operation, "Twilio's answer has not the shape that it should have")
    return records, following


def webhook_of(operation: str, found: Record) -> ScopedWebhook:
    """Read a webhook; raises TwilioUncertain where it has no SID or no configuration to read."""
    sid, configuration = found.get("sid", ""), found.get("configuration")
    if not is_sid("WH", sid) or not isinstance(configuration, dict):
        raise TwilioUncertain(operation, "Twilio's answer shows a webhook without SID or configuration")
    spec = WebhookSpec(
        target=found.get("target") or "",
        url=configuration.get("url") or "",
        method=configuration.get("method") or "",
        filters=tuple(configuration.get("filters") or ()),
        triggers=tuple(configuration.get("triggers") or ()),
        flow=configuration.get("flow_sid") or "",
    )
    return ScopedWebhook(sid, spec)


def message_of(operation: str, found: Record) -> Message:
    """Read a message; raises TwilioUncertain where it has no index."""
    index = found.get("index")
    if not isinstance(index, int):
        raise TwilioUncertain(operation, "Twilio's answer shows a message without index")
    return Message(index=index, author=found.get("author") or "", participant=found.get("participant_sid") or "")


def flow_of(operation: str, found: Record) -> FlowRevision:
    """Read a flow or a revision of one; raises TwilioUncertain where its owner or its trigger cannot be read."""
    try:
        starts = _starts(found["definition"])
    except (LookupError, TypeError, AttributeError):
        starts = None
    owner = found.get("account_sid", "")
    if starts is None or not is_sid("AC", owner):
        raise TwilioUncertain(operation, "Twilio's answer shows a flow without account or definition")
    is_valid = found.get("valid") is not False  # it may be null, which says nothing
    errors = () if is_valid else tuple(_complaint(each) for each in found.get("errors") or ())
    return FlowRevision(owner, found.get("status") == "published", is_valid, errors, starts)


def _starts(definition: Mapping[str, Any]) -> dict[str, str]:
    """Follow the trigger's transitions: which event leads to which widget."""
    triggers = [state for state in definition["states"] if state["name"] == definition["initial_state"]]
    transitions = [each for trigger in triggers for each in trigger["transitions"]]
    return {each["event"]: each["next"] for each in transitions if each.get("next")}


def _complaint(error: object) -> str:
    """Read why a flow is not valid; no shape of that is documented (docs/twilio.md, FLOW-ERRORS)."""
    words = [error.get("property_path"), error.get("message")] if isinstance(error, dict) else [error]
    said = ": ".join(word for word in words if isinstance(word, str) and word)
    return fit(said or json.dumps(error, ensure_ascii=False))


def execution_of(operation: str, found: Record) -> Execution:
    """Read a run of a flow; raises TwilioUncertain where it has no SIDs, or a status that is neither of the two."""
    sid, flow, status = found.get("sid", ""), found.get("flow_sid", ""), found.get("status")
    if not is_sid("FN", sid) or not is_sid("FW", flow) or status not in ("active", "ended"):
        raise TwilioUncertain(operation, "Twilio's answer shows an execution without SID, flow or status")
    return Execution(sid, flow, found.get("contact_channel_address") or "", status == "active")


def attributes_of(operation: str, text: object) -> Mapping[str, Any]:
    """Read attributes; raises TwilioUncertain where they are no JSON object: writing over them would lose them."""
    try:
        found = json.loads(text, parse_constant=_refuse) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise TwilioUncertain(operation, "the conversation's attributes are no JSON object; nothing was written")
    return found


def attributes_text(operation: str, attributes: Mapping[str, Any]) -> str:
    """Write attributes as JSON, as short as it goes; raises TwilioRefused where Twilio would refuse them."""
    try:
        text = json.dumps(dict(attributes), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode())
    except UnicodeEncodeError:  # a lone surrogate, which only an escape can carry
        text = json.dumps(dict(attributes), allow_nan=False, separators=(",", ":"))
        size = len(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise TwilioRefused(
            operation, f"the attributes are no JSON: {error}; nothing was sent", code=NOT_JSON
        ) from error
    if size > LARGEST_ATTRIBUTES:
        raise TwilioRefused(
            operation,
            f"the attributes have {size} bytes, {LARGEST_ATTRIBUTES} are allowed; nothing was sent",
            code=TOO_LONG,
        )
    return text


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
