"""Observers are told in the background what the ledger has kept for them: at least once, however often we end."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from router.errors import NotAttached
from router.model.outcome import Outcome
from router.record import handover_of, route_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from router.desk import Desk
    from router.ledger.news import News
    from router.ledger.row import Row
    from router.model.routes import PluginUse
    from router.shares import Shares

GONE: Final = "the plugin is not in use here"
WORN_OUT: Final = "no attempt came to an end"


async def tell_news(row: Row, desk: Desk, shares: Shares, on_given_up: Callable[[News], None]) -> None:
    """Tell the news of ``row``, which we have taken, side by side, and keep what came of it. Raises LedgerError.

    Where this is broken off, whoever comes next tells them.
    """
    told: Mapping[News, News | None] = {}
    try:
        told = dict(
            zip(row.news, await asyncio.gather(*(_tell(each, row, desk, shares) for each in row.news)), strict=True)
        )
    except asyncio.CancelledError:
        told = {each: each.put_back(desk.clock.now()) for each in row.news}
        raise
    finally:
        await desk.ledger.settle_news(row, told)
    for each in told.values():
        if each is not None and each.due is None:
            on_given_up(each)
            desk.log.error(
                "not told",
                handover=row.id,
                conversation=row.conversation,
                plugin=each.plugin,
                hook=each.hook,
                attempts=each.attempts,
                reason=each.reason,
            )


async def _tell(news: News, row: Row, desk: Desk, shares: Shares) -> News | None:
    """Make one attempt: None where it was heard."""
    if news.is_worn_out:
        return news.given_up(news.reason or WORN_OUT)
    uses = _uses(news, row, desk)
    if not uses:  # another process may have it, while a new version is rolled out
        return news.failed(GONE, desk.clock.now())
    given = {"handover": handover_of(row), "twilio": desk.twilio, **_given(news)}
    reason = await shares.call(news.plugin, partial(desk.plugins.tell_one, news.plugin, news.hook, given, uses))
    if reason is None:
        return news.put_off(desk.clock.now())
    return news.failed(reason, desk.clock.now()) if reason else None


def _uses(news: News, row: Row, desk: Desk) -> Sequence[PluginUse]:
    """Give the list that says how the plugin is called now: its route's, or, where that has it no more, its entry."""
    for uses in (route_of(row, desk.routes).plugins, desk.plugins.started):
        if any(call.plugin == news.plugin for call in desk.plugins.calls(news.hook, uses)):
            return uses
    return ()


def _given(news: News) -> Mapping[str, Any]:
    if news.kind:
        return {"error": NotAttached(news.text, news.kind)}
    return {"outcome": Outcome(news.outcome)} if news.outcome else {}
