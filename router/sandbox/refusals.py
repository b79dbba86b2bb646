"""How Twilio says no: its error codes, and the HTTP status that the sandbox gives each of them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

UNAUTHENTICATED: Final = 20003
METHOD_NOT_ALLOWED: Final = 20004
INVALID_PARAMETER: Final = 20001
NOT_FOUND: Final = 20404
TOO_MANY_REQUESTS: Final = 20429
ATTRIBUTES_TOO_LONG: Final = 50303
ATTRIBUTES_NOT_JSON: Final = 50304
WEBHOOK_NOT_FOUND: Final = 50360
NO_ROOM: Final = 50361
TOO_MANY_KEYWORDS: Final = 50362
BAD_TARGET: Final = 50364
BAD_FILTER: Final = 50365
BAD_KEYWORD: Final = 50366
BAD_FLOW: Final = 50367
NO_TARGET: Final = 50368
NO_URL: Final = 50369
NO_KEYWORD: Final = 50371
URL_TOO_LONG: Final = 50372
CLOSED: Final = 50377
INTERACTION_CLOSED: Final = 45354
BAD_REVISION: Final = 81021

STATUSES: Final[Mapping[int, int]] = MappingProxyType(
    {
        UNAUTHENTICATED: 401,
        METHOD_NOT_ALLOWED: 405,
        NOT_FOUND: 404,
        TOO_MANY_REQUESTS: 429,
        WEBHOOK_NOT_FOUND: 404,
    }
)
"""The statuses that are known; no other code has a documented one, and 400 stands in (docs/twilio.md, ERROR-CODES)."""

UNDOCUMENTED: Final = 400


class Refused(Exception):
    """Raised by an endpoint: Twilio answers with this code, and nothing is changed."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


def error_body(status: int, code: int, message: str) -> dict[str, Any]:
    """Give Twilio's error object (docs/twilio.md, ERROR-BODY)."""
    return {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
