"""Rows as a database's driver takes and gives them: records, whose values stand in the order of the table's columns."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, Self

from router.ledger.column_types import Words, is_fit
from router.ledger.row import Row
from router.ledger.table import FIELDS, handovers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Dialect

    from router.ledger.column_types import Process


@dataclass(frozen=True, slots=True)
class Form:
    """Some columns, two or more and one of words, as they are written for one kind of database.

    They are got from a row at once, and made fit for the driver where that is needed.
    """

    get: Callable[[Row], tuple[Any, ...]]
    words: Callable[[Sequence[Any]], Sequence[str]]
    fits_of_words: tuple[tuple[int, Process], ...]
    fits: tuple[tuple[int, Process], ...]

    @classmethod
    def of(cls, columns: Sequence[str], dialect: Dialect) -> Self:
        """Work out once what each column needs."""
        kinds = [handovers.c[name].type for name in columns]
        fits = [(number, kind.dialect_impl(dialect).bind_processor(dialect)) for number, kind in enumerate(kinds)]
        needed = [(number, fit) for number, fit in fits if fit is not None]
        words = tuple((number, fit) for number, fit in needed if isinstance(kinds[number], Words))
        others = tuple(each for each in needed if each not in words)
        return cls(attrgetter(*columns), itemgetter(*(number for number, _ in words)), words, others)

    def written(self, row: Row) -> Sequence[Any]:
        """Write what ``row`` has in these columns."""
        values = list(self.get(row))
        if not is_fit("".join(self.words(values))):  # all at once, since hardly ever one of them needs anything
            for number, fit in self.fits_of_words:
                values[number] = fit(values[number])
        for number, fit in self.fits:
            if values[number] is not None:  # which is NULL in any column
                values[number] = fit(values[number])
        return values


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the records of one kind of database."""

    columns: tuple[tuple[str, Process | None], ...]

    @classmethod
    def of(cls, dialect: Dialect) -> Self:
        """Work out once what each column needs."""
        kinds = ((name, handovers.c[name].type.dialect_impl(dialect)) for name in FIELDS)
        return cls(tuple((name, kind.result_processor(dialect, None)) for name, kind in kinds))

    def row_of(self, record: Sequence[Any]) -> Row:
        """Read a record that has all columns."""
        read = zip(self.columns, record, strict=False)  # the columns that follow tell of these
        return Row.of({name: value if process is None else process(value) for (name, process), value in read})
