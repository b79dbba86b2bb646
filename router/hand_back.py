"""The way back: a flow, or a person, gives a conversation back to the agent."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from router.ledger.decisions import Held, ask_back
from router.ledger.ledger import PAUSE
from router.ledger.row import Row, State, Way

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.clock import Clock
    from router.ledger.ledger import Ledger


async def hand_back(conversation: str, ledger: Ledger, clock: Clock, execution: str = "") -> Row | None:
    """Note that ``conversation`` goes back to the agent, and give the row that sees to it; None where there is none.

    It happens in the background, by whichever server comes first: Studio puts its webhook back when an execution ends
    (docs/twilio.md, PUT-BACK), so ``execution`` must have ended before the flow can go. Raises LedgerError.
    """
    way = Way(since=clock.now(), execution=execution)
    while True:
        found = await ledger.decide(conversation, partial(ask_back, way=way, now=clock.now()))
        if not isinstance(found, Held):
            return found
        await ledger.wait(conversation, PAUSE)


async def going_back(conversation: str, ledger: Ledger, clock: Clock, execution: str = "") -> Row | None:
    """Give the row that a hand-back would set on its way, and change nothing; None where there is none to set.

    Raises LedgerError.
    """
    way = Way(since=clock.now(), execution=execution)

    def look(rows: Sequence[Row]) -> tuple[Row | Held | None, Sequence[Row]]:
        found, _changes = ask_back(rows, way, clock.now())
        if isinstance(found, Row):
            found = next(row for row in rows if row.id == found.id)
            found = found if found.way is None and found.state is not State.COMPLETED else None
        return found, ()

    while True:
        found = await ledger.decide(conversation, look)
        if not isinstance(found, Held):
            return found
        await ledger.wait(conversation, PAUSE)


async def is_paved(row: Row, ledger: Ledger, clock: Clock, patience: float) -> bool:
    """Wait until the agent answers again beside the flow, ``patience`` seconds at the most, and say whether it does.

    Whoever answers a flow's own request should do so first: when the execution ends, Studio removes its webhook, and
    the customer must not be left with nobody. Raises LedgerError.
    """
    until = clock.monotonic() + patience
    while not _is_there(row) and clock.monotonic() < until:
        await ledger.wait(row.conversation, min(PAUSE, until - clock.monotonic()))
        row = await ledger.decide(row.conversation, partial(_look_up, row=row))
    return _is_there(row)


def _is_there(row: Row) -> bool:
    return row.state is State.COMPLETED or (row.way is not None and row.way.is_paved)


def _look_up(rows: Sequence[Row], row: Row) -> tuple[Row, Sequence[Row]]:
    """Find the row as it is now; where it came to nothing, the one that was asked in its place."""
    found = next((each for each in rows if each.id == row.id), row)
    if found.state is State.FAILED:
        found = next((each for each in rows if each.way is not None), found)
    return found, ()
