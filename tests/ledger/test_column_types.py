"""What the columns make fit for a database, and read as it was."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from router.ledger.table import handovers, row_of, values_of
from tests.ledger.kit import NOW, a_row

if TYPE_CHECKING:
    from sqlalchemy import Connection


def test_what_no_database_keeps_is_replaced(connection: Connection) -> None:
    """A model may send NUL or half a surrogate pair; its handover is kept all the same."""
    connection.execute(insert(handovers), values_of(a_row(message="a\0b\ud800ä", reason="a\0b")))
    kept = row_of(connection.execute(select(handovers)).mappings().one())
    assert (kept.message, kept.reason) == ("a\ufffdb?ä", "a\ufffdb")


def test_times_of_any_zone_are_kept_in_utc(connection: Connection) -> None:
    """A time that comes with another zone is the same moment afterwards."""
    there = NOW.astimezone(timezone(timedelta(hours=5)))
    connection.execute(insert(handovers), values_of(a_row(created=there)))
    (created,) = connection.execute(select(handovers.c.created)).one()
    assert created == NOW
    assert created.tzinfo is UTC
