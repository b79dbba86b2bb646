"""One handover as the ledger sees it: initiated, then accepted or failed, as the bot-framework protocol words it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.model.outcome import Answer


class State(StrEnum):
    """How far a handover has come. ``accepted``: the responder is attached, and the sentence is true."""

    INITIATED = "initiated"
    ACCEPTED = "accepted"
    FAILED = "failed"


@dataclass(slots=True)
class Row:
    """A handover under way. ``answer`` is what may be told by now; None while nothing is certain."""

    id: str
    conversation: str
    state: State = State.INITIATED
    answer: Answer | None = None

    def accept(self, answer: Answer) -> None:
        """The responder is attached."""
        self.state, self.answer = State.ACCEPTED, answer

    def fail(self, answer: Answer) -> None:
        """Nothing is attached, by a guard's word or by a failure."""
        self.state, self.answer = State.FAILED, answer
