"""A gateway in front of another one: what it does not answer itself it passes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from router.model.twilio import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from router.model.call import ConversationRef
    from router.model.gateway import Gateway, Message
    from router.model.twilio import Fields
    from router.model.webhook import ScopedWebhook, WebhookSpec


@dataclass(frozen=True, slots=True)
class PassedOn:
    """Passes every verb on to ``gateway``."""

    gateway: Gateway

    async def list_webhooks(self, conversation: ConversationRef) -> Sequence[ScopedWebhook]:
        """Pass on."""
        return await self.gateway.list_webhooks(conversation)

    async def create_webhook(
        self, conversation: ConversationRef, spec: WebhookSpec, replay_after: int | None = None
    ) -> ScopedWebhook:
        """Pass on."""
        return await self.gateway.create_webhook(conversation, spec, replay_after)

    async def redirect_webhook(self, conversation: ConversationRef, sid: str, flow: str) -> ScopedWebhook:
        """Pass on."""
        return await self.gateway.redirect_webhook(conversation, sid, flow)

    async def delete_webhook(self, conversation: ConversationRef, sid: str) -> None:
        """Pass on."""
        await self.gateway.delete_webhook(conversation, sid)

    async def newest_message(self, conversation: ConversationRef) -> Message | None:
        """Pass on."""
        return await self.gateway.newest_message(conversation)

    async def fetch_attributes(self, conversation: ConversationRef) -> Mapping[str, Any]:
        """Pass on."""
        return await self.gateway.fetch_attributes(conversation)

    async def change_attributes(
        self,
        conversation: ConversationRef,
        change: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        read: Mapping[str, Any] | None = None,
    ) -> None:
        """Pass on."""
        await self.gateway.change_attributes(conversation, change, read)

    async def request(self, method: str, url: str, *, form: Fields = NOTHING, query: Fields = NOTHING) -> Any:
        """Pass on."""
        return await self.gateway.request(method, url, form=form, query=query)
