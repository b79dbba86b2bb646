"""What a conversation is handed over to: the responder to attach, and how to recognise one that is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from router.model.webhook import WebhookSpec

if TYPE_CHECKING:
    from router.model.webhook import ScopedWebhook


class Target(Protocol):
    """A kind of responder. The planner knows no other word of Twilio's than these three."""

    @property
    def spec(self) -> WebhookSpec:
        """The webhook to create."""
        ...

    def answers_by(self, webhook: ScopedWebhook) -> bool:
        """Say whether ``webhook`` is a responder of this kind, wherever it leads."""
        ...

    def is_met_by(self, webhook: ScopedWebhook) -> bool:
        """Say whether ``webhook`` is just the responder that is wanted."""
        ...


@dataclass(frozen=True, slots=True)
class StudioFlow:
    """The built-in target: a Studio Flow that answers through a scoped webhook of target ``studio``."""

    flow: str

    @property
    def spec(self) -> WebhookSpec:
        """A studio webhook for every message; raises ValueError unless ``flow`` is a Flow SID."""
        return WebhookSpec.studio(self.flow)

    def answers_by(self, webhook: ScopedWebhook) -> bool:
        """Any studio webhook: two of them would both answer the customer."""
        return webhook.is_studio

    def is_met_by(self, webhook: ScopedWebhook) -> bool:
        """A studio webhook of this very flow."""
        return webhook.is_studio and webhook.spec.flow == self.flow
