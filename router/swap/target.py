"""What a conversation is handed over to: the responder to attach, and how to recognise one that is there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from router.model.webhook import WebhookSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.model.webhook import ScopedWebhook


class Target(Protocol):
    """A kind of responder. The planner knows no other word of Twilio's than these."""

    @property
    def spec(self) -> WebhookSpec:
        """The webhook to create."""
        ...

    def answers_by(self, webhook: ScopedWebhook) -> bool:
        """Say whether ``webhook`` is a responder, wherever it leads."""
        ...

    def is_met_by(self, webhook: ScopedWebhook) -> bool:
        """Say whether ``webhook`` is just the responder that is wanted."""
        ...

    def brings(self, webhook: ScopedWebhook) -> bool:
        """Say whether the responder has attached ``webhook`` itself, so that it stays for as long as that does."""
        ...


@dataclass(frozen=True, slots=True)
class StudioFlow:
    """The built-in target: a Studio Flow that answers through a scoped webhook of target ``studio``.

    Its ``spec`` is a webhook for every message. Raises ValueError unless ``flow`` is a Flow SID.
    """

    flow: str
    spec: WebhookSpec = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "spec", WebhookSpec.studio(self.flow))

    def answers_by(self, webhook: ScopedWebhook) -> bool:
        """Any responder: two of them would both answer the customer."""
        return webhook.is_responder

    def is_met_by(self, webhook: ScopedWebhook) -> bool:
        """A studio webhook of this very flow."""
        return webhook.is_studio and webhook.spec.flow == self.flow

    def brings(self, webhook: ScopedWebhook) -> bool:  # noqa: ARG002 - whichever it is
        """None but its own."""
        return False


@dataclass(frozen=True, slots=True)
class BegunByPlugin:
    """A plugin's target, by its ``name``; ``flow`` is the Flow SID of what it starts, where that is a flow."""

    name: str
    flow: str = ""

    @property
    def spec(self) -> WebhookSpec:
        """What stands for it among the webhooks."""
        return WebhookSpec.begun(self.name)

    def answers_by(self, webhook: ScopedWebhook) -> bool:
        """Any responder, as above."""
        return webhook.is_responder

    def is_met_by(self, webhook: ScopedWebhook) -> bool:
        """What the target has begun, or the webhook of its flow, which comes of that (docs/twilio.md, RESUME)."""
        return (webhook.spec.is_begun and webhook.spec.flow == self.name) or self.brings(webhook)

    def brings(self, webhook: ScopedWebhook) -> bool:
        """The studio webhook of its flow."""
        return bool(self.flow) and webhook.is_studio and webhook.spec.flow == self.flow


def responder(target: Target, present: Sequence[ScopedWebhook]) -> ScopedWebhook | None:
    """Find the responder that is wanted: of two, what was begun rather than the webhook that it brought."""
    if not present:
        return None
    met = [webhook for webhook in present if target.is_met_by(webhook)]
    begun = [webhook for webhook in met if not target.brings(webhook)]
    return (begun or met or (None,))[0]
