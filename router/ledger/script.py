"""The script of a decision: what it reads and writes, compiled to SQL once for a database and sent by its driver.

Decisions that come together are made together: their rows are read at once and kept at once, so that a busy ledger
takes few statements for many of them.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Self, cast

from sqlalchemy import bindparam, func, insert, literal_column, or_, select, true, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import DBAPIError

from router.ledger.row import State
from router.ledger.table import COLUMNS, OPEN, Words, changed_columns, handovers, row_of, values_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Dialect, Select
    from sqlalchemy.engine.default import DefaultDialect
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.sql.elements import ClauseElement

    from router.ledger.row import Row

    Process = Callable[[Any], Any] | None
    Rows = dict[str, Row]

NEWEST: Final = 200
"""So many rows of a conversation a decision sees, and the open one."""

_C: Final = handovers.c
_CONVERSATIONS: Final = bindparam("conversations", type_=ARRAY(Words))
_ASKED: Final = func.unnest(_CONVERSATIONS).table_valued("conversation", name="asked").render_derived()
_LOCK: Final = select(func.pg_advisory_xact_lock(func.hashtextextended(_ASKED.c.conversation, literal_column("0"))))
_ANSWERED: Final = _C.state.in_([literal_column(f"'{state}'") for state in (State.ACCEPTED, State.COMPLETED)])
_TELLING: Final = or_(OPEN, _ANSWERED)
"""Also where many calls came to nothing since: who answers, and what is owed."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is decided about a conversation: from its rows, the newest first, a result and the rows to keep."""

    conversation: str
    decide: Callable[[Sequence[Row]], tuple[Any, Sequence[Row]]]


class Script:
    """The script for one kind of database: that of SQLite asks by conversation, PostgreSQL's about all at once."""

    def __init__(self, dialect: Dialect) -> None:
        self._is_shared = dialect.name == "postgresql"
        # By position, which costs the drivers least.
        kind = cast("type[DefaultDialect]", type(dialect))
        self._dialect = kind(paramstyle="format" if self._is_shared else "qmark", dbapi=dialect.loaded_dbapi)
        impls = [(name, handovers.c[name].type.dialect_impl(self._dialect)) for name in COLUMNS]
        self._read = tuple((name, impl.result_processor(self._dialect, None)) for name, impl in impls)
        self._lock = self._compiled(_LOCK)
        self._newest, self._telling = (self._compiled(_rows(self._is_shared, *more)) for more in ((), (_TELLING,)))
        self._insert = self._compiled(insert(handovers), COLUMNS)
        self._updates: dict[tuple[str, ...], _Statement] = {}

    def decide(self, connection: Connection, decisions: Sequence[Decision]) -> list[tuple[Any, Sequence[Row]]]:
        """Show each decision its conversation's rows, and keep those that it gives; no other decides meanwhile.

        Raises SQLAlchemy's DBAPIError where the database fails, and what a decision raises.
        """
        with contextlib.closing(connection.connection.cursor()) as cursor, self._translated():
            found = self._rows_of(cursor, sorted({each.conversation for each in decisions}))
            left, made = dict(found), []
            for each in decisions:
                rows = left[each.conversation]
                result, given = each.decide(tuple(rows.values()))
                left[each.conversation] = _newest_first({**rows, **{row.id: row for row in given}}.values())
                made.append((result, given))
            self._keep(cursor, ((found[name].get(row.id), row) for name in left for row in left[name].values()))
        return made

    def _rows_of(self, cursor: Any, conversations: Sequence[str]) -> dict[str, Rows]:
        """Read under a lock of each. SQLite has one for all: its transactions write, from their begin on."""
        if self._is_shared:  # in the order of their names: two processes never wait for each other in a circle
            self._lock.run(cursor, [{"conversations": conversations}])
        found = self._select(cursor, self._newest, conversations)
        if long := [name for name in conversations if len(found[name]) == NEWEST]:
            for name, rows in self._select(cursor, self._telling, long).items():
                found[name] = _newest_first({**found[name], **rows}.values())
        return found

    def _select(self, cursor: Any, statement: _Statement, conversations: Sequence[str]) -> dict[str, Rows]:
        found: dict[str, list[Row]] = {name: [] for name in conversations}
        for asked in [conversations] if self._is_shared else conversations:
            statement.run(cursor, [{"conversations": asked}])
            for values in cursor.fetchall():
                row = self._row_of(values)
                found[row.conversation].append(row)
        return {name: _newest_first(rows) for name, rows in found.items()}

    def _row_of(self, values: Sequence[Any]) -> Row:
        read = zip(self._read, values, strict=True)
        return row_of({name: value if process is None else process(value) for (name, process), value in read})

    def _keep(self, cursor: Any, rows: Iterable[tuple[Row | None, Row]]) -> None:
        """Keep rows that are another way than before, or were not there.

        Rows that close come before rows that open, since a conversation has one open row at every moment.
        """
        alike: defaultdict[tuple[bool, tuple[str, ...]], list[Mapping[str, Any]]] = defaultdict(list)
        for before, row in rows:
            if before is None:
                alike[row.is_open, ()].append(values_of(row))
            elif before is not row and (columns := changed_columns(before, row)):
                alike[row.is_open, columns].append({**values_of(row, columns), "id_": row.id})
        for is_open, columns in sorted(alike):
            self._write(columns).run(cursor, alike[is_open, columns])

    def _write(self, columns: tuple[str, ...]) -> _Statement:
        """Give the statement that changes ``columns`` of a row; without any, the one that inserts a row."""
        if not columns:
            return self._insert
        if columns not in self._updates:
            named = update(handovers).where(_C.id == bindparam("id_"))
            self._updates[columns] = self._compiled(named, columns)
        return self._updates[columns]

    def _compiled(self, clause: ClauseElement, columns: Sequence[str] | None = None) -> _Statement:
        compiled = cast("SQLCompiler", clause.compile(dialect=self._dialect, column_keys=columns))
        return _Statement.of(compiled, self._dialect)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Raise the driver's errors as SQLAlchemy does, without the statement and what stands in the row."""
        try:
            yield
        except self._dialect.loaded_dbapi.Error as error:
            raise DBAPIError.instance(
                None, None, error, self._dialect.loaded_dbapi.Error, hide_parameters=True, dialect=self._dialect
            ) from error


@dataclass(frozen=True, slots=True)
class _Statement:
    """SQL as the driver takes it, and its values in their order: by which name, how made fit, and what by default."""

    sql: str
    binds: tuple[tuple[str, Process, Any], ...]

    @classmethod
    def of(cls, compiled: SQLCompiler, dialect: Dialect) -> Self:
        binds = ((name, compiled.binds[name]) for name in compiled.positiontup or ())
        fit = ((name, each.type.dialect_impl(dialect).bind_processor(dialect), each.value) for name, each in binds)
        return cls(str(compiled), tuple(fit))

    def run(self, cursor: Any, given: Sequence[Mapping[str, Any]]) -> None:
        values = [
            [each.get(name, usual) if fit is None else fit(each.get(name, usual)) for name, fit, usual in self.binds]
            for each in given
        ]
        if len(values) == 1:
            cursor.execute(self.sql, values[0])
        else:
            cursor.executemany(self.sql, values)


def _rows(is_shared: bool, *which: ColumnElement[bool]) -> Select[Any]:  # noqa: FBT001 - the one thing that differs
    """Select the newest rows of the conversations that are asked about, and keep others from changing them."""
    asked = _ASKED.c.conversation if is_shared else bindparam("conversations", type_=Words)
    newest = (
        select(handovers)
        .where(_C.conversation == asked, *which)
        .order_by(_C.created.desc(), _C.id.desc())
        .limit(NEWEST)
        .with_for_update()
    )
    if not is_shared:
        return newest
    each = newest.lateral("newest")
    return select(each).select_from(_ASKED.join(each, true()))


def _newest_first(rows: Iterable[Row]) -> Rows:
    return {row.id: row for row in sorted(rows, key=_AGE, reverse=True)}


_AGE: Final = attrgetter("created", "id")
