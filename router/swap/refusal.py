"""Which sentence a failure deserves: the model must know whether another try can help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from router.errors import LedgerError, TwilioRefused

if TYPE_CHECKING:
    from router.errors import TwilioError

NO_FREE_PLACE: Final = 50361
NO_SUCH_WEBHOOK: Final = 50360
CLOSED: Final = frozenset(range(50374, 50385))
UNKNOWN: Final = frozenset({20404, 50050, 50350, 50351})
_NOT_FOUND: Final = 404


def sentence_for(error: Exception) -> str:
    """Name the sentence of ``Messages`` that tells the truth about ``error`` (docs/twilio.md, ERROR-CODES)."""
    if isinstance(error, LedgerError):
        return "unrecorded"
    if not isinstance(error, TwilioRefused):
        return "failure"
    if error.code in CLOSED:
        return "closed"
    if error.code in UNKNOWN or (error.status == _NOT_FOUND and error.code != NO_SUCH_WEBHOOK):
        return "unknown_conversation"
    return "no_room" if error.code == NO_FREE_PLACE else "failure"


def is_outdated(error: TwilioError) -> bool:
    """Say whether somebody changed the conversation's webhooks since we looked: took a place, or removed one."""
    return error.code in (NO_FREE_PLACE, NO_SUCH_WEBHOOK)


def is_final(error: TwilioError) -> bool:
    """Say whether nothing can ever be changed in this conversation again: it is closed, or there is none.

    Only Twilio's own code says so: a bare 404 may come from a proxy, and be another one tomorrow.
    """
    return isinstance(error, TwilioRefused) and error.code in CLOSED | UNKNOWN
