"""A handover turns: its responder is attached, it failed, the agent answers again; and observers hear of that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from router.errors import NotAttached
from router.ledger.news import News
from router.ledger.row import State
from router.model.masking import fit
from router.model.outcome import Outcome
from router.record import handover_of, route_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from router.desk import Desk
    from router.ledger.row import Row
    from router.model.handover import Handover

    Decision = Callable[[Sequence[Row]], tuple[Row, Sequence[Row]]]

HOOKS: Final = {State.ACCEPTED: "after_swap", State.FAILED: "swap_failed", State.COMPLETED: "after_hand_back"}
"""By which hook observers hear that a handover has come to a state."""


@dataclass(frozen=True, slots=True)
class Turn:
    """``row`` has come to another state, as it is kept; ``error`` is why it failed, where it did."""

    row: Row
    error: Exception | None = None

    @property
    def hook(self) -> str:
        """The hook of those who hear of it."""
        return HOOKS[self.row.state]

    @property
    def outcome(self) -> Outcome:
        """What is told of one that was accepted; its call may have been told that nobody knew, or nothing."""
        was_there = self.row.outcome == Outcome.ALREADY_HANDED_OVER
        return Outcome.ALREADY_HANDED_OVER if was_there else Outcome.HANDED_OVER

    def announced(self, desk: Desk, now: datetime) -> Turn:
        """Give it with news in its row for each plugin that hears of it in the background."""
        plugins = desk.plugins.background(self.hook, route_of(self.row, desk.routes).plugins)
        if not plugins:
            return self
        news = (News(self.hook, plugin, now, now, **self._what_happened) for plugin in plugins)
        return Turn(self.row.with_news(*news), self.error)

    @property
    def _what_happened(self) -> Mapping[str, Any]:
        if self.error is not None:
            return {"kind": type(self.error).__name__, "text": fit(str(self.error))}
        return {"outcome": self.outcome} if self.row.state is State.ACCEPTED else {}


def announce(
    decision: Decision, rows: Sequence[Row], *, before: Row, error: Exception | None, desk: Desk, now: datetime
) -> tuple[tuple[Row, Sequence[Turn]], Sequence[Row]]:
    """Decide about ``rows``; those that turn by it get their news in the same breath, so that no crash loses them.

    ``before`` is our row as we know it: where the answer of a commit was lost, it turns once more. ``error`` is why it
    failed, if it did; one that failed without an error is nobody's news.
    """
    row, given = decision(rows)
    states = {each.id: each.state for each in (*rows, before)}
    turns: dict[str, Turn] = {}
    for each in given:
        if each.state is not states.get(each.id, each.state):
            has_failed = each.state is State.FAILED
            cause = (error if each.id == before.id else NotAttached(each.reason)) if has_failed else None
            if cause is not None or not has_failed:
                turns[each.id] = Turn(each, cause).announced(desk, now)
    if not turns:
        return (row, ()), given
    kept = {name: turn.row for name, turn in turns.items()}
    return (kept.get(row.id, row), (*turns.values(),)), [kept.get(each.id, each) for each in given]


async def tell(turns: Sequence[Turn], desk: Desk, known: Handover | None = None) -> None:
    """Tell the observers that do not wait for the background; ``known`` is what the call in hand knows of its own.

    Each hook has its own deadlines. Raises nothing.
    """
    for turn in turns:
        row, plugins = turn.row, desk.plugins
        handover = known if known and known.id == row.id else handover_of(row)
        uses = route_of(row, desk.routes).plugins
        if turn.error is not None:
            await plugins.swap_failed(handover, turn.error, uses, desk.twilio)
        elif row.state is State.ACCEPTED:
            await plugins.after_swap(handover, turn.outcome, uses, desk.twilio)
        else:
            await plugins.after_hand_back(handover, uses, desk.twilio)
