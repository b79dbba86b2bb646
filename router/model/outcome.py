"""How a call ended, and the one sentence that the model is told about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """The ends that a call can have; each has a sentence of its own (``router/model/messages.py``)."""

    HANDED_OVER = "handed_over"
    ALREADY_HANDED_OVER = "already_handed_over"
    DECLINED = "declined"
    UNKNOWN_INTENT = "unknown_intent"
    NOT_A_CONVERSATION = "not_a_conversation"
    PENDING = "pending"
    FAILED = "failed"
    DRY_RUN = "dry_run"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller gets: an outcome and its sentence. ``intent`` and ``flow`` are empty where none was found.

    ``detail`` is for the log and never told: why, in words for whoever runs the router. ``key`` is which of the route's
    sentences it is, or empty.
    """

    outcome: Outcome
    message: str
    handover_id: str
    tool: str
    intent: str = ""
    flow: str = ""
    detail: str = ""
    key: str = ""
