"""The promises, as questions about what was seen: each gives what is wrong, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from router.ledger.row import State
from router.model.outcome import Outcome
from router.model.webhook import ROOM

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Sequence

    from router.ledger.row import Row
    from tests.promise.place import Moment

TOO_EARLY: Final = "Studio, before we answered"
"""What a flow's end is called that did not wait for the answer to its hand-back."""

OTHERS: Final = "somebody else"
LOOK: Final = 5.0
"""So long, in seconds, what a handover saw may be what it goes by."""

ALWAYS: Final = frozenset({Outcome.HANDED_OVER, Outcome.ALREADY_HANDED_OVER})
DONE: Final = frozenset({State.ACCEPTED, State.COMPLETED})


@dataclass(frozen=True, slots=True)
class Told:
    """A call that wanted ``flow`` and was answered; ``seen`` is which flows were attached while it waited.

    ``is_repeat`` says that it had a token, so that an older answer may be told again. ``is_unrecorded``: it was told
    that the ledger does not work; by a commit whose answer was lost there may be a row all the same.
    """

    conversation: str
    flow: str
    outcome: str
    handover_id: str
    seen: Sequence[Sequence[str]]
    is_repeat: bool = False
    is_limited: bool = False
    is_unrecorded: bool = False


def standing(rows: Sequence[Row]) -> str:
    """Say which flow should answer by the ledger; the agent where that is empty."""
    done = [row for row in rows if row.state in DONE]
    newest = max(done, key=lambda row: row.accepted or row.created, default=None)
    return newest.flow if newest and newest.state is State.ACCEPTED else ""


def untruth(told: Told, rows: Sequence[Row]) -> str:
    """Say, once all has settled, in which way an answer was not true."""
    row = next((row for row in rows if row.id == told.handover_id), None)
    if told.outcome in ALWAYS:
        if not (told.is_repeat or any(told.flow in flows for flows in told.seen)):
            return f"was told {told.outcome}, and the flow never answered meanwhile"
        if row is None or row.state not in DONE:
            return f"was told {told.outcome}, and the row says {row and row.state}"
    elif told.outcome == Outcome.FAILED:
        if row is not None and row.state is not State.FAILED and not told.is_unrecorded:
            return f"was told 'failed', and the row says {row.state}"
    elif told.outcome != Outcome.PENDING and not told.is_limited:
        return f"was told {told.outcome}"
    return ""


def lost_flow(flow: str, history: Sequence[Moment]) -> str:
    """Say, at the moment of an answer that it answers, by whom ``flow`` was taken away, unless nobody could know.

    A run may end at any time, and a request that was given up may be done at any time.
    """
    if flow in history[-1].studios:
        return ""
    for before, moment in reversed([*pairwise(history)]):
        if flow in before.studios:
            return "" if moment.cause.startswith("Studio") or "late" in moment.cause else moment.cause
    return "nobody: it was never there"


def lonely(history: Sequence[Moment], gaps: Counter[str]) -> Iterator[str]:
    """Count from when on nobody answered where that could not be helped, and say where it could."""
    left_early, freed = False, -LOOK
    for before, moment in pairwise(history):
        if moment.cause == OTHERS and moment.places == ROOM:
            freed = moment.at
        if before.studios and not moment.studios:
            left_early = moment.cause == TOO_EARLY
        if moment.agents or moment.studios or not (before.agents or before.studios):
            continue
        if moment.places == ROOM or moment.at < freed + LOOK:
            gaps["full house"] += 1
        elif "late" in moment.cause:
            gaps["late"] += 1
        elif left_early:
            gaps["a flow that did not wait"] += 1
        else:
            yield f"nobody answered from {moment.at:.3f} on, by {moment.cause}"
