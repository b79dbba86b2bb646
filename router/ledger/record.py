"""Rows as a database's driver takes and gives them: records, whose values stand in the order of the table's columns."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from router.ledger.table import COLUMNS, handovers, row_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Dialect

    from router.ledger.row import Row

    Process = Callable[[Any], Any] | None

MOST: Final = 10_000
"""So many rows are remembered."""

_PLACES: Final = {name: place for place, name in enumerate(COLUMNS)}
_ID: Final = _PLACES["id"]


class Records:
    """Writes and reads the records of one database, for one connection.

    A handover's row comes back a few times while it is open, mostly as we kept it ourselves. So open rows are
    remembered with their records, and one whose record is still the same is not read anew.
    """

    def __init__(self, dialect: Dialect) -> None:
        kinds = [(name, handovers.c[name].type.dialect_impl(dialect)) for name in COLUMNS]
        self._write = {name: _writing(name, kind.bind_processor(dialect)) for name, kind in kinds}
        self._read = [(name, kind.result_processor(dialect, None)) for name, kind in kinds]
        self._known: dict[str, tuple[tuple[Any, ...], Row]] = {}

    def row_of(self, record: tuple[Any, ...]) -> Row:
        """Read a record."""
        known = self._known.get(record[_ID])
        if known is not None and known[0] == record:
            return known[1]
        read = zip(self._read, record, strict=True)
        row = row_of({name: value if process is None else process(value) for (name, process), value in read})
        self._remember(record, row)
        return row

    def written(self, row: Row, columns: Sequence[str] = COLUMNS) -> list[Any]:
        """Write what ``row``, which is kept by that, has in ``columns``; elsewhere it is as it was before."""
        values = [self._write[name](row) for name in columns]
        if columns is COLUMNS:
            self._remember(tuple(values), row)
        elif known := self._known.get(row.id):
            record = list(known[0])
            for name, value in zip(columns, values, strict=True):
                record[_PLACES[name]] = value
            self._remember(tuple(record), row)
        return values

    def _remember(self, record: tuple[Any, ...], row: Row) -> None:
        if len(self._known) >= MOST:
            self._known.clear()
        if row.is_open:
            self._known[row.id] = (record, row)
        else:
            self._known.pop(row.id, None)


def _writing(name: str, process: Process) -> Callable[[Row], Any]:
    get = attrgetter(name)
    return get if process is None else lambda row: process(get(row))
