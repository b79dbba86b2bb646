"""A handover: one call that found its route; and the word with which a guard stops it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

from router.model.call import ConversationRef
from router.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands in for the time where nobody said when a call came."""


@dataclass(frozen=True)
class Handover(Value):
    """What plugins see of a handover. It cannot be changed, only replaced.

    ``id`` is ``HO`` and 32 hex digits; ``flow`` a Flow SID; ``message`` the sentence that the model gets if all goes
    well; ``conversation`` and ``service`` are ``CH…`` and ``IS…``; ``identity`` is ``kind:value`` or empty; ``inputs``
    are the model's and the URL's, strings and JSON values; ``caller`` is the kind of caller; ``at`` is when the call
    came, in UTC: a guard that decides by the time goes by it and not by a clock of its own, so that a test can set it.
    """

    id: str
    tool: str
    intent: str
    flow: str
    message: str
    conversation: str
    service: str
    identity: str = field(default="", repr=False)
    inputs: Mapping[str, Any] = field(default_factory=dict, repr=False)
    caller: str = ""
    at: datetime = EPOCH

    @property
    def where(self) -> ConversationRef:
        """The conversation as the gateway wants it."""
        return ConversationRef(service=self.service, sid=self.conversation)

    def replace(self, **changes: Any) -> Self:
        """Give a copy with another ``flow`` (an alias or a listed Flow SID) or another ``message``.

        Raises TypeError for any other field: a plugin may send a customer elsewhere, not turn them into another one.
        """
        fixed = changes.keys() - {"flow", "message"}
        if fixed:
            raise TypeError(f"a plugin may replace flow and message of a handover, not {', '.join(sorted(fixed))}")
        return self.change(**changes)


class Decline(Exception):
    """Raised by a guard: nothing is handed over, and the model is told this sentence.

    ``plugin`` is whose guard that was; it is filled in by whoever called it.
    """

    plugin = ""

    def __init__(self, sentence: str) -> None:
        if not (isinstance(sentence, str) and sentence.strip()):
            raise TypeError("Decline wants a sentence for the model")
        super().__init__(sentence)
        self.sentence = sentence
