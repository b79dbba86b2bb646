"""A conversation's scoped webhooks: what is there, and what we want to be there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from router.model.sids import checked_sid

ROOM: Final = 5
"""So many scoped webhooks a conversation holds at most (docs/twilio.md, WEBHOOK-LIMIT)."""

MESSAGE_ADDED: Final = "onMessageAdded"


class Target(StrEnum):
    """What a scoped webhook reaches (docs/twilio.md, WEBHOOK-CREATE)."""

    WEBHOOK = "webhook"
    STUDIO = "studio"
    TRIGGER = "trigger"


@dataclass(frozen=True, slots=True)
class WebhookSpec:
    """What Twilio needs to create a scoped webhook; enough to put back one that was removed."""

    target: str
    url: str = ""
    method: str = ""
    filters: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    flow: str = ""

    @classmethod
    def studio(cls, flow: str) -> Self:
        """A Studio Flow as the responder to every message; raises ValueError unless ``flow`` is a Flow SID."""
        return cls(target=Target.STUDIO, filters=(MESSAGE_ADDED,), flow=checked_sid("FW", flow))

    @property
    def hears_messages(self) -> bool:
        """It is told of what is said; without filters of everything."""
        return not self.filters or MESSAGE_ADDED in self.filters


@dataclass(frozen=True, slots=True)
class ScopedWebhook:
    """A webhook that is attached to a conversation."""

    sid: str
    spec: WebhookSpec

    @property
    def is_studio(self) -> bool:
        """A Studio Flow answers here."""
        return self.spec.target == Target.STUDIO


@dataclass(frozen=True, slots=True)
class AgentWebhooks:
    """Which scoped webhooks are the agent's own: target ``webhook`` and a URL that one of the patterns matches.

    In a pattern ``*`` stands for any text; before the path it stays within the host, so that a pattern
    for one domain never reaches another. Nothing is the agent's where no pattern is given.
    """

    patterns: tuple[str, ...] = ()
    _compiled: tuple[re.Pattern[str], ...] = ()

    @classmethod
    def of(cls, *patterns: str) -> Self:
        """Compile the patterns once, at load."""
        return cls(patterns, tuple(_compile(pattern) for pattern in patterns))

    def own(self, webhook: ScopedWebhook) -> bool:
        """Say whether ``webhook`` is the agent's, and so may be removed."""
        if webhook.spec.target != Target.WEBHOOK:
            return False
        return any(pattern.fullmatch(webhook.spec.url) for pattern in self._compiled)


def _compile(pattern: str) -> re.Pattern[str]:
    scheme, separator, rest = pattern.partition("://")
    host, slash, path = rest.partition("/")
    origin = re.escape((scheme + separator + host).lower()).replace(r"\*", r"[^/?#@:\\]*")
    return re.compile(f"(?i:{origin})" + re.escape(slash + path).replace(r"\*", r".*"), re.DOTALL)
