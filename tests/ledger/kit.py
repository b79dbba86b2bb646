"""Rows and decisions for the tests of the ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from router.ledger.news import News
from router.ledger.row import Duty, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from router.ledger.durable import DurableLedger
    from router.ledger.memory import MemoryLedger

AnyLedger: TypeAlias = "MemoryLedger | DurableLedger"

NOW: Final = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
"""Where the clocks of these tests stand."""


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def a_row(number: int = 1, **fields: Any) -> Row:
    """A row by its number; ``created`` grows with it."""
    given: dict[str, Any] = {"conversation": f"CH{number}", "service": "IS1", "created": after(number)} | fields
    return Row(id=f"HO{number}", **given)


def an_open_row(number: int = 1, **fields: Any) -> Row:
    return a_row(number, **{"duty": Duty.TIDY, "due": NOW} | fields)


def some_news(plugin: str = "notify", **fields: Any) -> News:
    """News of an accepted handover, due now."""
    given: dict[str, Any] = {"hook": "after_swap", "since": NOW, "due": NOW} | fields
    return News(plugin=plugin, **given)


def keep(*rows: Row) -> Callable[[Sequence[Row]], tuple[None, Sequence[Row]]]:
    """Decide to keep ``rows``, whatever is there."""
    return lambda _: (None, rows)


def see(rows: Sequence[Row]) -> tuple[Sequence[Row], Sequence[Row]]:
    """Decide nothing, and tell what is there."""
    return rows, ()


async def fill(ledger: AnyLedger, *rows: Row) -> None:
    for row in rows:
        await ledger.decide(row.conversation, keep(row))
