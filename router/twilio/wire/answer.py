"""What a request ends with: an answer, or one of the ways in which there is none."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from router.model.json_text import parsed

if TYPE_CHECKING:
    from collections.abc import Mapping

_REQUEST_ID: Final = re.compile(r"[\w-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. ``is_cut`` says that ``body`` is only the beginning of a body that was too long.

    ``said`` is the JSON object that the body is, or None where it is none.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    is_cut: bool = False
    said: dict[str, Any] | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            said = parsed(self.body) if self.body else None
        except (ValueError, RecursionError):
            said = None
        object.__setattr__(self, "said", said if isinstance(said, dict) else None)

    @property
    def request_id(self) -> str:
        """Twilio's name for the request, or an empty text (docs/twilio.md, REQUEST-ID)."""
        found = self.headers.get("Twilio-Request-Id", "")
        return found if _REQUEST_ID.fullmatch(found) else ""


class NotSent(Exception):
    """Nothing of the request was written: ``what`` came in its way, and ``why``, where that is known."""

    def __init__(self, what: str, why: str = "") -> None:
        super().__init__(what, why)
        self.what = what
        self.why = why


class ConnectionCut(ConnectionError):
    """The peer closed the connection before its answer was whole."""


class AnswerMalformed(ConnectionError):
    """What came is no HTTP, or more of it than we read."""
