"""The script of a decision: what it reads and writes, compiled to SQL once for a database and sent by its driver.

Decisions that come together are made together: their rows are read at once and kept at once, so that a busy ledger
takes few statements for many of them.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import Text, bindparam, func, insert, literal_column, or_, select, true, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import DBAPIError

from router.ledger.column_types import Words
from router.ledger.known import Known
from router.ledger.record import Form, Reader
from router.ledger.row import State
from router.ledger.table import COLUMNS, changed_columns, handovers, owing
from router.model.json_text import parsed, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Dialect, Select
    from sqlalchemy.engine.default import DefaultDialect
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.sql.elements import ClauseElement

    from router.ledger.row import Row

    Rows = dict[str, Row]

NEWEST: Final = 200
"""So many rows of a conversation a decision sees, and the open one."""

_C: Final = handovers.c
_EACH: Final = handovers.alias("each_")
"""The table once more, where it is looked through by conversation."""

_CONVERSATIONS: Final = bindparam("conversations", type_=ARRAY(Words))
_ASKED: Final = func.unnest(_CONVERSATIONS).table_valued("value", name="asked").render_derived()
_LISTED: Final = func.json_each(bindparam("conversations", type_=Words)).table_valued("value", name="asked")
LOCK: Final = select(func.pg_advisory_xact_lock(func.hashtextextended(_ASKED.c.value, literal_column("0"))))
"""Keeps others from deciding about the ``conversations`` until the transaction ends; PostgreSQL's alone."""

_ANSWERED: Final = [literal_column(f"'{each}'", Text) for each in (State.ACCEPTED, State.COMPLETED)]
_TELLING: Final = or_(owing(_EACH), _EACH.c.state.in_(_ANSWERED))
"""Also where many calls came to nothing since: who answers, and what is owed."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is decided about a conversation: from its rows, the newest first, a result and the rows to keep."""

    conversation: str
    decide: Callable[[Sequence[Row]], tuple[Any, Sequence[Row]]]


@dataclass(frozen=True, slots=True, eq=False)
class _Write:
    """A statement, and the form of the values that it takes."""

    statement: str
    form: Form


class Script:
    """The script for one kind of database.

    SQLite gives all rows in one JSON text: at each step that it takes by itself it lets other threads have a turn, and
    to wait for ours again took longer than the steps.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.is_shared = dialect.name == "postgresql"
        # By position, which costs the drivers least.
        kind = cast("type[DefaultDialect]", type(dialect))
        self.dialect = kind(paramstyle="format" if self.is_shared else "qmark", dbapi=dialect.loaded_dbapi)
        self._reader = Reader.of(self.dialect)
        self._known = Known()
        self._lock = self._compiled(LOCK)
        rows = _of_server if self.is_shared else _of_file
        self._newest, self._telling = (self._compiled(rows(*which)) for which in ((), (_TELLING,)))
        self._insert = _Write(self._compiled(insert(handovers), COLUMNS), Form.of(COLUMNS, self.dialect))
        self._updates: dict[tuple[str, ...], _Write] = {}

    @contextlib.contextmanager
    def transaction(self, connection: Connection) -> Iterator[None]:
        """A transaction; what is decided in it is known once it is committed. Raises as ``decide`` does."""
        self._known.begin()
        with self._translated(connection), connection.begin():
            yield
        self._known.commit()

    def decide(self, connection: Connection, decisions: Sequence[Decision]) -> list[tuple[Any, Sequence[Row]]]:
        """Show each decision its conversation's rows, and keep those that it gives; no other decides meanwhile.

        Raises SQLAlchemy's DBAPIError where the database fails, and what a decision raises.
        """
        with self._translated(connection) as there, contextlib.closing(there.cursor()) as cursor:
            found = self._rows_of(cursor, sorted({each.conversation for each in decisions}))
            left, made = dict(found), []
            for each in decisions:
                rows = left[each.conversation]
                result, given = each.decide(tuple(rows.values()))
                if given:
                    left[each.conversation] = _newest_first({**rows, **{row.id: row for row in given}})
                made.append((result, given))
            self._keep(cursor, found, left)
            if not self.is_shared:
                self._known.keep(there, left)
        return made

    def _rows_of(self, cursor: Any, conversations: Sequence[str]) -> dict[str, Rows]:
        """Read under a lock of each. SQLite has one for all: its transactions write, from their begin on."""
        if self.is_shared:  # in the order of their names: two processes never wait for each other in a circle
            cursor.execute(self._lock, (conversations,))
            return self._read(cursor, conversations)
        known = self._known.take(cursor, conversations)
        unknown = [name for name in conversations if name not in known]
        return known | self._read(cursor, unknown) if unknown else known

    def _read(self, cursor: Any, conversations: Sequence[str]) -> dict[str, Rows]:
        found = self._select(cursor, self._newest, conversations)
        if long := [name for name in conversations if len(found[name]) == NEWEST]:
            for name, rows in self._select(cursor, self._telling, long).items():
                found[name] = _newest_first(found[name] | rows)
        return found

    def _select(self, cursor: Any, select_rows: str, conversations: Sequence[str]) -> dict[str, Rows]:
        cursor.execute(select_rows, (conversations if self.is_shared else written(conversations),))
        records = cursor.fetchall()
        found: dict[str, Rows] = {name: {} for name in conversations}
        for record in records if self.is_shared else parsed(records[0][0]):
            row = self._reader.row_of(record)
            found[row.conversation][row.id] = row
        return {name: _newest_first(rows) for name, rows in found.items()}

    def _keep(self, cursor: Any, found: Mapping[str, Rows], left: Mapping[str, Rows]) -> None:
        """Keep rows that are left another way than they were found, or were not there.

        Rows that close come before rows that open, since a conversation has one open row at every moment.
        """
        alike: defaultdict[tuple[bool, _Write], list[Sequence[Any]]] = defaultdict(list)
        for name, rows in left.items():
            for row in rows.values():
                before = found[name].get(row.id)
                if before is None:
                    alike[row.is_open, self._insert].append(self._insert.form.written(row))
                elif before is not row and (columns := changed_columns(before, row)):
                    write = self._updates.get(columns) or self._update(columns)
                    alike[row.is_open, write].append(write.form.written(row))
        for (_, write), values in sorted(alike.items(), key=_closing_first):
            if len(values) == 1:
                cursor.execute(write.statement, values[0])
            else:
                cursor.executemany(write.statement, values)

    def _update(self, columns: tuple[str, ...]) -> _Write:
        statement = self._compiled(update(handovers).where(_C.id == bindparam("id_")), columns)
        # The last value says which row it is.
        write = self._updates[columns] = _Write(statement, Form.of((*columns, "id"), self.dialect))
        return write

    def _compiled(self, clause: ClauseElement, columns: Sequence[str] | None = None) -> str:
        return str(clause.compile(dialect=self.dialect, column_keys=columns))

    @contextlib.contextmanager
    def _translated(self, connection: Connection) -> Iterator[Any]:
        """Give the driver's connection; raise its errors as SQLAlchemy does, without the statement and the row."""
        there = connection.connection.driver_connection
        try:
            yield there
        except self.dialect.loaded_dbapi.Error as error:
            if self.dialect.is_disconnect(error, cast("DBAPIConnection", there), None):
                connection.invalidate(error)  # else its rollback would fail, too, and that would be the error
            raise DBAPIError.instance(
                None, None, error, self.dialect.loaded_dbapi.Error, hide_parameters=True, dialect=self.dialect
            ) from error


def _of_server(*which: ColumnElement[bool]) -> Select[Any]:
    """Select the newest rows of each conversation that is asked about, and keep others from changing them."""
    newest = _newest(select(_EACH), _ASKED.c.value, *which).with_for_update().lateral("newest")
    return select(newest).select_from(_ASKED.join(newest, true()))


def _of_file(*which: ColumnElement[bool]) -> Select[Any]:
    """Select the same as one JSON text."""
    newest = _newest(select(literal_column("each_.rowid")).select_from(_EACH), _LISTED.c.value, *which)
    listed = _LISTED.join(handovers, literal_column("handovers.rowid").in_(newest.correlate(_LISTED)))
    return select(func.json_group_array(func.json_array(*_C))).select_from(listed)


def _newest(rows: Select[Any], conversation: ColumnElement[str], *which: ColumnElement[bool]) -> Select[Any]:
    newest = rows.where(_EACH.c.conversation == conversation, *which)
    # The limit as it stands: a bound one would be a value more for the driver.
    return newest.order_by(_EACH.c.created.desc(), _EACH.c.id.desc()).suffix_with(f"LIMIT {NEWEST}")


def _newest_first(rows: Rows) -> Rows:
    return {row.id: row for row in sorted(rows.values(), key=_AGE, reverse=True)} if len(rows) > 1 else rows


def _closing_first(alike: tuple[tuple[bool, _Write], object]) -> bool:
    (is_open, _), _ = alike
    return is_open


_AGE: Final = attrgetter("created", "id")
