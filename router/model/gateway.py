"""What the swap asks of Twilio: seven verbs, and what plugins ask. ``router/twilio`` answers them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from router.model.twilio import Twilio

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from router.model.call import ConversationRef
    from router.model.webhook import ScopedWebhook, WebhookSpec


@dataclass(frozen=True, slots=True)
class Message:
    """The newest message of a conversation: its place, who wrote it, and whether a participant did."""

    index: int
    author: str
    participant: str


class Gateway(Twilio, Protocol):
    """Each verb is one request to Twilio, repeated by the gateway only where a repeat cannot do harm.

    Each may raise TwilioRefused, TwilioBusy or TwilioUncertain (see ``router/errors.py``).
    """

    async def list_webhooks(self, conversation: ConversationRef) -> Sequence[ScopedWebhook]:
        """List the scoped webhooks, all of them, in Twilio's order."""
        ...

    async def create_webhook(
        self, conversation: ConversationRef, spec: WebhookSpec, replay_after: int | None = None
    ) -> ScopedWebhook:
        """Create one. Not repeated after TwilioUncertain: list first, then decide."""
        ...

    async def redirect_webhook(self, conversation: ConversationRef, sid: str, flow: str) -> ScopedWebhook:
        """Point a studio webhook at another flow, in place. Not repeated after TwilioUncertain, like a create."""
        ...

    async def delete_webhook(self, conversation: ConversationRef, sid: str) -> None:
        """Delete one; that it is gone already is success."""
        ...

    async def newest_message(self, conversation: ConversationRef) -> Message | None:
        """Fetch the newest message, or None where there is none yet."""
        ...

    async def fetch_attributes(self, conversation: ConversationRef) -> Mapping[str, Any]:
        """Fetch the conversation's attributes; raises TwilioUncertain where they are no JSON object."""
        ...

    async def change_attributes(
        self,
        conversation: ConversationRef,
        change: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        read: Mapping[str, Any] | None = None,
    ) -> None:
        """Write what ``change`` makes of the attributes: of those just ``read``, or of those that are there.

        A repeat reads them anew, since a write replaces the whole.
        """
        ...
