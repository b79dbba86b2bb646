"""Rows of a ledger, many at once: one that a router wrote, copied by SQL under other names and times."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TIME: Final = "strftime('%Y-%m-%d %H:%M:%f000', 'now', {})"
"""How SQLAlchemy writes a time into SQLite; ``{}`` is what is added to now."""

_SOON: Final = "'4 minutes'"

_COPIED: Final = {"id": "printf('HO%032x', i)"}

FINISHED: Final[Mapping[str, str]] = _COPIED | {
    "conversation": "printf('CHFF%030x', i / 3)",
    **dict.fromkeys(("created", "updated", "accepted", "finished"), _TIME.format("printf('-%d days', i % 100)")),
}
"""Three handovers a conversation, over the last hundred days: a tenth is older than the retention allows."""

OWING: Final[Mapping[str, str]] = _COPIED | {
    "conversation": "printf('CHFF%030x', i)",
    "duty": "'tidy'",
    "owed": _TIME.format("'0 days'"),
    "due": _TIME.format(_SOON),
    "finished": "NULL",
}
"""A conversation each, with something to be done in minutes: what is put off for longer passes for due."""


def copy(source: Path, target: Path) -> None:
    """Copy the ledger of a router that still runs, less what that one has in hand."""
    with (
        contextlib.closing(sqlite3.connect(source)) as one,
        contextlib.closing(sqlite3.connect(target)) as other,
        other,
    ):
        one.backup(other)
        other.execute("DELETE FROM handovers WHERE duty <> ''")


def multiply(file: Path, count: int, values: Mapping[str, str]) -> None:
    """Add ``count`` copies of a finished row, with ``values``, expressions over its number ``i``, by column.

    Raises RuntimeError where no row is finished.
    """
    with contextlib.closing(sqlite3.connect(file)) as ledger, ledger:
        columns = [name for _, name, *_ in ledger.execute("PRAGMA table_info(handovers)")]
        taken = ", ".join(values.get(name, f"one.{name}") for name in columns)
        added = ledger.execute(
            f"INSERT INTO handovers ({', '.join(columns)}) "  # noqa: S608 - our own names
            "WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < ?), "
            "one AS (SELECT * FROM handovers WHERE duty = '' LIMIT 1) "
            f"SELECT {taken} FROM numbers, one WHERE i <= ?",
            (count, count),
        ).rowcount
    if added != count:
        raise RuntimeError(f"{added} of {count} rows were added to {file}")


def postpone(file: Path) -> None:
    """Put off again what is to be done in minutes."""
    with contextlib.closing(sqlite3.connect(file)) as ledger, ledger:
        soon, now = _TIME.format(_SOON), _TIME.format("'0 days'")
        ours = f"owed IS NOT NULL AND due > {now} AND conversation LIKE 'CHFF%'"
        ledger.execute(f"UPDATE handovers SET due = {soon} WHERE {ours}")  # noqa: S608 - our own names
