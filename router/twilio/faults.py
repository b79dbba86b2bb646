"""What went wrong: from Twilio's answer, or from the lack of one, to one of our three errors. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from router.errors import TwilioBusy, TwilioError, TwilioRefused, TwilioUncertain
from router.model.masking import fit
from router.twilio.wire.answer import NotSent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from router.twilio.wire.answer import Answer

TOO_MANY_REQUESTS: Final = frozenset({20429, 50063, 50074})
CONFLICTS: Final = frozenset({50391, 50349, 50449})

_SUCCESS: Final = range(HTTPStatus.OK, HTTPStatus.MULTIPLE_CHOICES)
_CODE: Final = re.compile(r"\d{1,9}", re.ASCII)
_SECONDS: Final = re.compile(r"\d{1,9}(?:\.\d{1,9})?", re.ASCII)
_LOGIN: Final = "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, or TWILIO_API_KEY and TWILIO_API_SECRET"


def fault_of_answer(operation: str, answer: Answer, now: Callable[[], datetime]) -> TwilioError | None:
    """Give the error that ``answer`` stands for, or None where it is a success that can be read.

    Which error it is, is decided by Twilio's code first and by the status second (docs/twilio.md, ERROR-CODES).
    ``now`` tells the time, which no success asks for.
    """
    if answer.status in _SUCCESS:
        flaw = _flaw(answer)
        return TwilioUncertain(operation, flaw, status=answer.status, request_id=answer.request_id) if flaw else None
    said = answer.said or {}
    code = _code(said.get("code"))
    text = _own_words(answer.status, code)
    their_words = fit(_their_words(said)) if said else "the answer is no JSON object"
    return _kind(answer.status, code)(
        operation,
        f"{text}: {their_words}" if their_words else text,
        status=answer.status,
        code=code,
        retry_after=seconds_to_wait(answer.headers.get("Retry-After", ""), now()),
        request_id=answer.request_id,
    )


def fault_of_network(operation: str, error: Exception, patience: float) -> TwilioError:
    """Give the error for a request without an answer; ``patience`` is how many seconds it had.

    Where no connection came about, nothing can have been sent: that is TwilioBusy. All else is TwilioUncertain.
    """
    match error:
        case NotSent():
            why = f": {fit(error.why)}" if error.why else ""
            return TwilioBusy(operation, f"{error.what}; nothing was sent{why}")
        case TimeoutError():
            return TwilioUncertain(operation, f"Twilio did not answer within {patience:g} s")
        case _:
            return TwilioUncertain(
                operation, f"the connection broke before the answer was there: {type(error).__name__}"
            )


def seconds_to_wait(header: str, now: datetime) -> float | None:
    """Read a ``Retry-After``: seconds, or a date in HTTP's form; None where it is absent or neither."""
    if _SECONDS.fullmatch(header):
        return float(header)
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())


def _flaw(answer: Answer) -> str:
    if answer.is_cut:
        return f"Twilio's answer has more than {len(answer.body)} bytes"
    if answer.body and answer.said is None:
        return "Twilio's answer is no JSON object"
    return ""


def _code(found: object) -> int:
    text = str(found)
    return int(text) if _CODE.fullmatch(text) else 0


def _their_words(said: Mapping[str, Any]) -> str:
    """Take what Twilio says: ``message``, or ``title`` and ``detail`` of a problem-details body."""
    words = [said.get(key) for key in ("message", "title", "detail")]
    return ": ".join(word for word in words if isinstance(word, str) and word)


def _kind(status: int, code: int) -> type[TwilioError]:
    if status == HTTPStatus.TOO_MANY_REQUESTS or code in TOO_MANY_REQUESTS | CONFLICTS:
        return TwilioBusy
    is_refusal = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return TwilioRefused if is_refusal and status != HTTPStatus.REQUEST_TIMEOUT else TwilioUncertain


def _own_words(status: int, code: int) -> str:
    if code in CONFLICTS:
        return "another change of the conversation is under way"
    if status == HTTPStatus.TOO_MANY_REQUESTS or code in TOO_MANY_REQUESTS:
        return "too many requests"
    if status == HTTPStatus.UNAUTHORIZED:
        return f"Twilio does not know these credentials; check {_LOGIN}, and that they belong to TWILIO_REGION"
    if status == HTTPStatus.FORBIDDEN:
        return f"Twilio does not allow this; check {_LOGIN}, and what the key may do"
    if status < HTTPStatus.BAD_REQUEST:
        return "Twilio answered with a redirect; check HANDOVER_TWILIO_URL"
    return "Twilio refused" if _kind(status, code) is TwilioRefused else "Twilio failed"
