"""What a swap still owes when its answer is given goes on in the background, until all is as it should be."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from router.swap.repair import AT_ONCE, LOOKS, settle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from router.desk import Desk
    from router.ledger.row import Row
    from router.swap.execute import SwapFailed
    from router.swap.swap import Swap

    Part = tuple[Callable[[], Awaitable[bool]], Iterable[float]]


def of_success(swap: Swap, row: Row, desk: Desk, *, doubtful: bool) -> None:
    """Remove what should be gone: a webhook that could not be deleted, or a second one that may turn up."""
    tidy = swap.repair().tidy
    _go_on(row, desk, *((tidy, delays) for delays in (LOOKS if doubtful else LOOKS[:1])))


def of_failure(swap: Swap, failed: SwapFailed, row: Row, desk: Desk) -> None:
    """Bring the flow where nobody knows whether it is attached, else the agent back where it is, or may be, gone.

    Each is looked at again later, since a request without an answer may take effect after the repair.
    """
    repair = swap.repair(failed)
    if failed.unknown:
        _go_on(row, desk, (repair.finish, AT_ONCE), *((repair.tidy, delays) for delays in LOOKS))
    elif failed.removed:
        _go_on(row, desk, (repair.restore, AT_ONCE), *((repair.restore, delays) for delays in LOOKS))


def _go_on(row: Row, desk: Desk, *parts: Part) -> None:
    """Take one part after the other, a turn an attempt: a new call of the conversation waits for one at the most."""

    async def take_turn(attempt: Callable[[], Awaitable[bool]]) -> bool:
        async with desk.ledger.turn(row.conversation):
            return await attempt()

    async def settle_all() -> None:
        for attempt, delays in parts:
            settled = await settle(partial(take_turn, attempt), delays, desk.clock.sleep)
            log = desk.log.info if settled else desk.log.error
            log("repair", handover=row.id, conversation=row.conversation, part=attempt.__name__, settled=settled)

    desk.background.start(settle_all())
