"""Rows as a database's driver takes and gives them: records, whose values stand in the order of the table's columns."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Self

from router.ledger.table import COLUMNS, handovers, row_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Dialect

    from router.ledger.row import Row

MOST: Final = 10_000
"""So many rows are remembered."""

_PLACES: Final = {name: place for place, name in enumerate(COLUMNS)}
_ID: Final = _PLACES["id"]


@dataclass(frozen=True, slots=True)
class _Form:
    """Some columns as they are written: got from a row at once, and made fit for the driver where that is needed."""

    get: Callable[[Row], tuple[Any, ...]]
    fits: tuple[tuple[int, Callable[[Any], Any]], ...]
    places: tuple[int, ...]

    @classmethod
    def of(cls, columns: Sequence[str], dialect: Dialect) -> Self:
        kinds = (handovers.c[name].type.dialect_impl(dialect) for name in columns)
        fits = [(number, kind.bind_processor(dialect)) for number, kind in enumerate(kinds)]
        needed = tuple((number, fit) for number, fit in fits if fit is not None)
        return cls(attrgetter(*columns), needed, tuple(_PLACES[name] for name in columns))


class Records:
    """Writes and reads the records of one database, for one connection.

    A handover's row comes back a few times while it is open, mostly as we kept it ourselves. So open rows are
    remembered with their records, and one whose record is still the same is not read anew.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        kinds = [(name, handovers.c[name].type.dialect_impl(dialect)) for name in COLUMNS]
        self._read = [(name, kind.result_processor(dialect, None)) for name, kind in kinds]
        self._forms: dict[Sequence[str], _Form] = {}
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

    def written(self, row: Row, columns: Sequence[str] = COLUMNS) -> Sequence[Any]:
        """Write what ``row`` has in ``columns``, two or more; as it is kept by that, the others are as before."""
        form = self._forms.get(columns)
        if form is None:
            form = self._forms[columns] = _Form.of(columns, self._dialect)
        values = list(form.get(row))
        for number, fit in form.fits:
            values[number] = fit(values[number])
        if columns is COLUMNS:
            self._remember(tuple(values), row)
        elif known := self._known.get(row.id):
            record = list(known[0])
            for place, value in zip(form.places, values, strict=True):
                record[place] = value
            self._remember(tuple(record), row)
        return values

    def _remember(self, record: tuple[Any, ...], row: Row) -> None:
        if len(self._known) >= MOST:
            self._known.clear()
        if row.is_open:
            self._known[row.id] = (record, row)
        else:
            self._known.pop(row.id, None)
