"""The gateway of one handover where plugins' targets may answer: what they have begun stands among the webhooks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.errors import TwilioRefused
from router.model.webhook import ScopedWebhook
from router.swap.passing import PassedOn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.model.call import ConversationRef
    from router.model.handover import Handover
    from router.model.target import Target
    from router.model.webhook import WebhookSpec


@dataclass(frozen=True, slots=True)
class Responders(PassedOn):
    """Asks ``targets``, by name, what they have begun for ``handover``, and begins and stops it.

    ``begun`` are the references that are known. Nothing is begun unless it ``may_begin``: a second one of what nobody
    can find would answer the customer too.
    """

    handover: Handover
    targets: Mapping[str, Target]
    begun: Mapping[str, str]
    may_begin: bool

    async def list_webhooks(self, conversation: ConversationRef) -> Sequence[ScopedWebhook]:
        """List the scoped webhooks, and then what the targets have begun."""
        begun = asyncio.gather(*(self._found(name) for name in self.targets))
        webhooks, found = await asyncio.gather(self.gateway.list_webhooks(conversation), begun)
        return (*webhooks, *(each for each in found if each))

    async def create_webhook(
        self, conversation: ConversationRef, spec: WebhookSpec, replay_after: int | None = None
    ) -> ScopedWebhook:
        """Create a webhook, or begin what stands for one."""
        if not spec.is_begun:
            return await self.gateway.create_webhook(conversation, spec, replay_after)
        if not self.may_begin:
            raise TwilioRefused("start", "nobody knows yet what came of an earlier start, so it is not begun again")
        return ScopedWebhook.begun(spec.flow, await self.targets[spec.flow].start(self.handover, self.gateway))

    async def delete_webhook(self, conversation: ConversationRef, sid: str) -> None:
        """Delete a webhook, or stop what stands for one."""
        name, is_begun, reference = sid.partition(":")
        if is_begun:
            await self.targets[name].stop(reference, self.handover, self.gateway)
        else:
            await self.gateway.delete_webhook(conversation, sid)

    async def _found(self, name: str) -> ScopedWebhook | None:
        """Find what is known; where that is over, what was begun since and nobody could keep."""
        known = self.begun.get(name, "")
        for reference in dict.fromkeys((known, "")):
            found = await self.targets[name].find(reference, self.handover, self.gateway)
            if found:
                return ScopedWebhook.begun(name, found)
        return None
