"""What is known of conversations to which something is owed, so that SQLite need not be asked about them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from router.ledger.row import Row

    Rows = dict[str, Row]

MOST: Final = 4_000
"""So many conversations are known."""

FEW: Final = 4
"""So many rows one of them has at the most: there are hardly ever more, and memory is bounded by that."""


class Known:
    """The rows of conversations as we have kept them, for as long as nobody else has written to the file.

    A handover decides about its conversation a few times in a row, and mostly nobody else does so meanwhile. Whether
    somebody has, SQLite itself says: its ``data_version`` is another once another connection has committed anything,
    since by the same sign it gives up its own copies of pages; its count of changes is another once this connection
    wrote what was no decision. Both are asked within a transaction that writes, so nobody else does before its end.

    What is taken is known no more until it was kept again and the transaction with it: whatever goes wrong in between,
    and however, leads to a look into the file.
    """

    def __init__(self) -> None:
        self._rows: dict[str, Rows] = {}
        self._kept: dict[str, Rows] = {}
        self._connection: sqlite3.Connection | None = None
        self._version = 0
        self._changes = 0

    def take(self, cursor: sqlite3.Cursor, conversations: Iterable[str]) -> dict[str, Rows]:
        """Give the rows of those of ``conversations`` that are known, in a transaction that has begun."""
        connection = cursor.connection
        ((version,),) = cursor.execute("PRAGMA data_version").fetchall()
        if not self._is_alone(connection) or version != self._version:
            self._rows.clear()
            self._kept.clear()
            self._connection, self._version = connection, version
        for name in conversations:  # a second time in this transaction, which may yet break off
            self._kept.pop(name, None)
        return {name: self._rows.pop(name) for name in conversations if name in self._rows}

    def keep(self, connection: sqlite3.Connection, conversations: Mapping[str, Rows]) -> None:
        """Note how ``conversations``, which were all taken or read, are left by what was just written."""
        self._changes = connection.total_changes
        for name, rows in conversations.items():
            if len(rows) <= FEW and any(row.is_open for row in rows.values()):
                self._kept[name] = rows

    def begin(self) -> None:
        """Forget what a transaction has kept that was never committed."""
        self._kept.clear()

    def commit(self) -> None:
        """Know what was kept: the transaction is committed."""
        if self._kept and self._is_alone(self._connection):
            if len(self._rows) > MOST:
                self._rows.clear()
            self._rows |= self._kept

    def _is_alone(self, connection: sqlite3.Connection | None) -> bool:
        """Say whether what this connection wrote last were decisions."""
        return connection is not None and connection is self._connection and connection.total_changes == self._changes
