"""A Studio Flow as Twilio shows it, as far as one must know it before a customer is sent there."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.errors import TwilioError

CONVERSATION_EVENT: Final = "incomingConversationMessage"
"""The trigger's event for a message in a conversation (docs/twilio.md, TRIGGER)."""


DENIED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
"""With these Twilio means our credentials: about every other flow it would say the same."""


@dataclass(frozen=True, slots=True)
class FlowRevision:
    """One revision of a flow: ``account`` is the ``AC…`` that owns it, ``errors`` is why it is not valid.

    ``starts`` maps the events of its trigger to the widgets that they lead to; those that lead nowhere are left out.
    """

    account: str
    is_published: bool
    is_valid: bool
    errors: tuple[str, ...]
    starts: Mapping[str, str]


FlowAnswer: TypeAlias = "FlowRevision | TwilioError | None"
"""What came of asking about a flow: the revision that runs, why there was no answer, or that there is no such flow."""


class FlowReader(Protocol):
    """What a check of flows asks of Twilio. Both verbs raise TwilioRefused, TwilioBusy or TwilioUncertain."""

    async def newest_revision(self, flow: str) -> FlowRevision | None:
        """Fetch a flow as it was last saved; None where there is none of this SID."""
        ...

    async def published_revision(self, flow: str) -> FlowRevision | None:
        """Fetch a flow as it runs for real (docs/twilio.md, PUBLISHED); None where it was never published."""
        ...
