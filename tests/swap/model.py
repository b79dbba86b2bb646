"""Twilio in five lines a verb: a conversation's webhooks and attributes as values that steps change."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from router.model.webhook import ROOM, ScopedWebhook, WebhookSpec
from router.swap.plan import Attach, PointBack, PutBack, Redirect, Remove, TakeBackAttributes, WriteAttributes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.swap.plan import Inverse, Step


@dataclass(slots=True)
class Model:
    """What is there. Fails where Twilio would refuse a step."""

    webhooks: list[ScopedWebhook]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    _made: int = 100

    @classmethod
    def of(cls, specs: Sequence[WebhookSpec], attributes: Mapping[str, Any]) -> Model:
        return cls([ScopedWebhook(sid(place), spec) for place, spec in enumerate(specs)], attributes)

    @property
    def state(self) -> tuple[Counter[WebhookSpec], dict[str, Any]]:
        """What counts of it: which webhooks, whatever their SIDs, and which attributes."""
        return Counter(webhook.spec for webhook in self.webhooks), dict(self.attributes)

    def take(self, step: Step) -> Inverse:
        """Take a step and give what undoes it."""
        match step:
            case Attach():
                return step.inverse(self._create(step.spec))
            case Redirect():
                self._point(step.webhook, step.flow)
            case Remove():
                self.webhooks.remove(step.webhook)
            case WriteAttributes():
                self.attributes = {**step.before, **step.values}
        return step.inverse()

    def take_back(self, inverse: Inverse) -> None:
        """Undo a step."""
        match inverse:
            case Remove():
                self.webhooks.remove(inverse.webhook)
            case PointBack():
                self._point(inverse.webhook, inverse.webhook.spec.flow)
            case PutBack():
                self._create(inverse.webhook.spec)
            case TakeBackAttributes():
                self.attributes = inverse.restored(self.attributes)

    def _create(self, spec: WebhookSpec) -> ScopedWebhook:
        places = sum(not webhook.spec.is_begun for webhook in self.webhooks)
        assert spec.is_begun or places < ROOM, "Twilio has no room for a sixth webhook"
        self._made += 1
        self.webhooks.append(ScopedWebhook(sid(self._made), spec))
        return self.webhooks[-1]

    def _point(self, webhook: ScopedWebhook, flow: str) -> None:
        place = [there.sid for there in self.webhooks].index(webhook.sid)
        self.webhooks[place] = ScopedWebhook(webhook.sid, WebhookSpec.studio(flow))


def sid(number: int) -> str:
    return f"WH{number:032x}"
