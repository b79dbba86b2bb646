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

_NONE: Final = re.compile(r"(?!)")
"""Matches nothing."""


class Target(StrEnum):
    """What a scoped webhook reaches (docs/twilio.md, WEBHOOK-CREATE)."""

    WEBHOOK = "webhook"
    STUDIO = "studio"
    TRIGGER = "trigger"


BEGUN: Final = "begun"
"""Stands for what a webhook reaches where there is none: a plugin has begun a target (``router/model/target.py``)."""


@dataclass(frozen=True, slots=True)
class WebhookSpec:
    """What Twilio needs to create a scoped webhook; enough to put back one that was removed.

    ``flow`` is the name of the target where it stands for one.
    """

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

    @classmethod
    def begun(cls, target: str) -> Self:
        """A plugin's target, by its name, as the responder."""
        return cls(target=BEGUN, filters=(MESSAGE_ADDED,), flow=target)

    @property
    def is_begun(self) -> bool:
        """It stands for a plugin's target, which is no webhook, and takes no place among them."""
        return self.target == BEGUN

    @property
    def hears_messages(self) -> bool:
        """It is told of what is said; without filters of everything."""
        return not self.filters or MESSAGE_ADDED in self.filters


@dataclass(frozen=True, slots=True)
class ScopedWebhook:
    """A webhook that is attached to a conversation, or what a plugin has begun for it."""

    sid: str
    spec: WebhookSpec

    @classmethod
    def begun(cls, target: str, reference: str) -> Self:
        """What a plugin's target has begun, in the form of a webhook, which it is not; its name has no colon."""
        return cls(f"{target}:{reference}", WebhookSpec.begun(target))

    @property
    def is_studio(self) -> bool:
        """A Studio Flow answers here."""
        return self.spec.target == Target.STUDIO

    @property
    def is_responder(self) -> bool:
        """It answers the customer since a conversation was handed over to it: two of them would both do."""
        return self.is_studio or self.spec.is_begun


@dataclass(frozen=True, slots=True)
class AgentWebhooks:
    """Which scoped webhooks are the agent's own: target ``webhook`` and a URL that one of the patterns matches.

    In a pattern ``*`` stands for any text; before the path it stays within the host, so that a pattern
    for one domain never reaches another. Nothing is the agent's where no pattern is given.
    """

    patterns: tuple[str, ...] = ()
    _any: re.Pattern[str] = _NONE

    @classmethod
    def of(cls, *patterns: str) -> Self:
        """Compile the patterns once, at load, and into one."""
        return cls(patterns, re.compile("|".join(map(_expression, patterns)), re.DOTALL) if patterns else _NONE)

    def own(self, webhook: ScopedWebhook) -> bool:
        """Say whether ``webhook`` is the agent's, and so may be removed."""
        spec = webhook.spec
        return spec.target == Target.WEBHOOK and self._any.fullmatch(spec.url) is not None


def _expression(pattern: str) -> str:
    scheme, separator, rest = pattern.partition("://")
    host, slash, path = rest.partition("/")
    origin = re.escape((scheme + separator + host).lower()).replace(r"\*", r"[^/?#@:\\]*")
    return f"(?i:{origin})" + re.escape(slash + path).replace(r"\*", r".*")
