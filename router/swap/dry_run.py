"""A gateway and targets that read and do not write: a dry run takes the very steps of a swap, and nothing happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from router.model.request import TwilioRequest
from router.model.target import Target
from router.model.twilio import NOTHING
from router.model.webhook import ScopedWebhook, WebhookSpec
from router.swap.passing import PassedOn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from router.model.call import ConversationRef
    from router.model.handover import Handover
    from router.model.twilio import Fields, Twilio


class ReadOnly(PassedOn):
    """Passes each read on to ``gateway`` and answers each write as if it had been done."""

    __slots__ = ()

    async def create_webhook(
        self,
        conversation: ConversationRef,  # noqa: ARG002 - nothing happens to it
        spec: WebhookSpec,
        replay_after: int | None = None,  # noqa: ARG002 - as above
    ) -> ScopedWebhook:
        """Create nothing."""
        return ScopedWebhook("", spec)

    async def redirect_webhook(
        self,
        conversation: ConversationRef,  # noqa: ARG002 - nothing happens to it
        sid: str,
        flow: str,
    ) -> ScopedWebhook:
        """Redirect nothing."""
        return ScopedWebhook(sid, WebhookSpec.studio(flow))

    async def delete_webhook(self, conversation: ConversationRef, sid: str) -> None:
        """Delete nothing."""

    async def change_attributes(
        self,
        conversation: ConversationRef,
        change: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        read: Mapping[str, Any] | None = None,
    ) -> None:
        """Change nothing."""

    async def request(self, method: str, url: str, *, form: Fields = NOTHING, query: Fields = NOTHING) -> Any:
        """Pass a read on; make no write."""
        asked = TwilioRequest.checked(method, url, form, query)
        if asked.is_read:
            return await self.gateway.request(method, url, query=query)
        return asked.unmade_answer


@dataclass(frozen=True, slots=True)
class Idle(Target):
    """Looks for what ``target`` has begun, and begins and stops nothing; without a target there is nothing to find."""

    target: Target | None = None

    async def start(self, handover: Handover, twilio: Twilio) -> str:  # noqa: ARG002 - it needs nothing for that
        """Begin nothing."""
        return "none"

    async def find(self, reference: str, handover: Handover, twilio: Twilio) -> str | None:
        """Pass on."""
        return await self.target.find(reference, handover, twilio) if self.target else None

    async def stop(self, reference: str, handover: Handover, twilio: Twilio) -> None:
        """Stop nothing."""
