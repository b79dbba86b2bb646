"""What must be known to undo a swap: written before the change that makes it necessary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from router.model.value import Value

if TYPE_CHECKING:
    from datetime import datetime

    from router.model.webhook import ScopedWebhook


@dataclass(frozen=True)
class Journal(Value):
    """The notes of one handover.

    ``present`` were there at the beginning; ``removed`` are the agent's webhooks that were taken away, by this handover
    or by an earlier one that it followed; ``doubts`` are flows that a request without an answer may still attach.
    ``replaced`` are flows that answered before it, and ``since`` from when on; ``runs`` are executions from before, by
    flow and SID, that may still take a webhook, or bring one, when they end: soon where it ``is_asked_back``. Then the
    conversation was on its way back, or just back, and what was asked of Twilio for that may take effect late, too.
    ``begun`` are the SIDs of what plugins' targets began, the latest last. The flow ``has_returned`` where a target
    took its place for a while: its webhook was removed then, and an execution from before may put that back.
    """

    present: tuple[ScopedWebhook, ...] = ()
    removed: tuple[ScopedWebhook, ...] = ()
    doubts: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    since: datetime | None = None
    runs: tuple[tuple[str, str], ...] = ()
    is_asked_back: bool = False
    begun: tuple[str, ...] = ()
    has_returned: bool = False

    def seen(self, present: tuple[ScopedWebhook, ...]) -> Self:
        """Note what was there at the beginning."""
        return self.change(present=present) if present else self

    def with_removed(self, *webhooks: ScopedWebhook) -> Self:
        """Note webhooks that are, or will be, taken away; one that leads where a known one leads is the same."""
        known = {_leads(webhook) for webhook in self.removed}
        new = [webhook for webhook in webhooks if _leads(webhook) not in known]
        return self.change(removed=(*self.removed, *new)) if new else self

    def with_doubts(self, *flows: str) -> Self:
        """Note flows that may still be attached late."""
        return self.change(doubts=tuple(dict.fromkeys((*self.doubts, *flows)))) if flows else self

    def with_replaced(self, *flows: str) -> Self:
        """Note flows that answer no more, and may have executions that run."""
        if not flows:
            return self
        return self.change(replaced=tuple(dict.fromkeys((*self.replaced, *flows))))

    def with_begun(self, *webhooks: ScopedWebhook) -> Self:
        """Note what plugins' targets began."""
        sids = [webhook.sid for webhook in webhooks if webhook.spec.is_begun]
        if not sids:
            return self
        return self.change(begun=tuple(dict.fromkeys((*self.begun, *sids))))


def _leads(webhook: ScopedWebhook) -> tuple[str, str, str, bool]:
    return webhook.spec.target, webhook.spec.flow, webhook.spec.url, webhook.spec.hears_messages
