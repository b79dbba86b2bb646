"""A tool call as any caller makes it: which tool, in which conversation, for whom, with which inputs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from router.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

_KIND: Final = re.compile(r"[a-z_]{1,20}")

SHORTEST_SHOWN: Final = 6
"""Characters: of a value that has no more, the two ends would show nearly all."""


@dataclass(frozen=True, slots=True)
class ConversationRef:
    """A conversation by its two SIDs, both already checked: ``service`` is ``IS…``, ``sid`` is ``CH…``."""

    service: str
    sid: str


@dataclass(frozen=True, slots=True)
class Identity:
    """The person as the caller names them; chosen by the caller, so no proof (docs/twilio.md, IDENTITY)."""

    kind: str
    value: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"

    @property
    def masked(self) -> str:
        """The identity with all but its ends hidden, for logs: ``whatsapp:+1…00``; a kind that is no word is hidden."""
        kind = self.kind if _KIND.fullmatch(self.kind) else "…"
        is_long = len(self.value) > SHORTEST_SHOWN
        return f"{kind}:{self.value[:2]}…{self.value[-2:]}" if is_long else f"{kind}:…"

    def wrote(self, author: str) -> bool:
        """Say whether a message by ``author`` is this person's (docs/twilio.md, IDENTITY)."""
        return author in (str(self), self.value)


@dataclass(frozen=True)
class ToolCall(Value):
    """One call of a tool, parsed and authenticated, before it is looked up.

    ``url_inputs`` stand in the tool's URL and are the administrator's; ``body_inputs`` are the model's. ``caller``
    names the kind of caller that the request was read as. ``conversation`` is None where the session names none, and
    ``no_conversation`` then says why, in words that show nothing of it.
    """

    path: str
    caller: str
    conversation: ConversationRef | None = None
    identity: Identity | None = None
    url_inputs: Mapping[str, Any] = field(default_factory=dict)
    body_inputs: Mapping[str, Any] = field(default_factory=dict)
    token: str = ""
    """``I-Twilio-Idempotency-Token``, the same on a repeat of the same request; empty where there is none."""
    no_conversation: str = ""
