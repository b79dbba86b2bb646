"""A conversation at the Twilio in memory: its webhooks, its runs, and who answered when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from router.model.call import ConversationRef
    from router.model.webhook import ScopedWebhook


@dataclass(slots=True)
class Run:
    """An execution; ``webhook`` is what started it, and ``address`` whom it says that it talks with.

    It gave its conversation back when it was ``asked_back``, in the loop's time, and ends after that; ``is_paved``
    unless it was told then that the agent does not answer yet.
    """

    sid: str
    flow: str
    address: str
    webhook: ScopedWebhook
    began: datetime
    is_active: bool = True
    asked_back: float | None = None
    is_paved: bool = True


@dataclass(frozen=True, slots=True)
class Moment:
    """Who answers from ``at`` on: so many agents and these flows; ``places`` were taken before ``cause`` happened."""

    at: float
    agents: int
    studios: tuple[str, ...]
    places: int
    cause: str


@dataclass(slots=True, eq=False)
class Place:
    """A conversation. ``history`` has a moment for each change; ``authors`` are those of its messages."""

    ref: ConversationRef
    customer: str
    agent_url: str
    is_served: bool
    is_closed: bool = False
    webhooks: list[ScopedWebhook] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    authors: list[str] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    history: list[Moment] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)

    @property
    def studios(self) -> tuple[str, ...]:
        """The flows that are attached, and the target ``people`` as often as it was begun and goes on."""
        attached = (webhook.spec.flow for webhook in self.webhooks if webhook.is_studio)
        return (*attached, *("people" for _sid in self.begun))

    @property
    def agents(self) -> int:
        """How often the agent would answer; one on the service keeps silent beside Studio."""
        own = sum(webhook.spec.url == self.agent_url for webhook in self.webhooks)
        return own + (self.is_served and not self.studios)

    @property
    def strangers(self) -> tuple[ScopedWebhook, ...]:
        """The webhooks that are nobody's business."""
        return tuple(
            webhook for webhook in self.webhooks if not webhook.is_studio and webhook.spec.url != self.agent_url
        )

    @property
    def active(self) -> list[Run]:
        """The runs that have not ended."""
        return [run for run in self.runs if run.is_active]

    def at(self, sid: str) -> int | None:
        """Find the place of a webhook in the list."""
        return next((at for at, webhook in enumerate(self.webhooks) if webhook.sid == sid), None)
