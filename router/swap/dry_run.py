"""A gateway that reads and does not write: a dry run takes the very steps of a swap, and nothing happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from router.model.request import TwilioRequest
from router.model.twilio import NOTHING
from router.model.webhook import ScopedWebhook, WebhookSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from router.model.call import ConversationRef
    from router.model.gateway import Gateway, Message
    from router.model.twilio import Fields


@dataclass(frozen=True, slots=True)
class ReadOnly:
    """Passes each read on to ``gateway`` and answers each write as if it had been done."""

    gateway: Gateway

    async def list_webhooks(self, conversation: ConversationRef) -> Sequence[ScopedWebhook]:
        """Pass on."""
        return await self.gateway.list_webhooks(conversation)

    async def newest_message(self, conversation: ConversationRef) -> Message | None:
        """Pass on."""
        return await self.gateway.newest_message(conversation)

    async def fetch_attributes(self, conversation: ConversationRef) -> Mapping[str, Any]:
        """Pass on."""
        return await self.gateway.fetch_attributes(conversation)

    async def create_webhook(
        self, _conversation: ConversationRef, spec: WebhookSpec, _replay_after: int | None = None
    ) -> ScopedWebhook:
        """Create nothing."""
        return ScopedWebhook("", spec)

    async def redirect_webhook(self, _conversation: ConversationRef, sid: str, flow: str) -> ScopedWebhook:
        """Redirect nothing."""
        return ScopedWebhook(sid, WebhookSpec.studio(flow))

    async def delete_webhook(self, _conversation: ConversationRef, _sid: str) -> None:
        """Delete nothing."""

    async def change_attributes(
        self,
        _conversation: ConversationRef,
        _change: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        _read: Mapping[str, Any] | None = None,
    ) -> None:
        """Change nothing."""

    async def request(self, method: str, url: str, *, form: Fields = NOTHING, query: Fields = NOTHING) -> Any:
        """Pass a read on; make no write."""
        asked = TwilioRequest.checked(method, url, form, query)
        if asked.is_read:
            return await self.gateway.request(method, url, query=query)
        return asked.unmade_answer
