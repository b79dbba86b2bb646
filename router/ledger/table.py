"""The table of the ledger: one row a handover. What it may hold at once, the database itself sees to."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, DateTime, Dialect, Index, Integer, MetaData, Table, Text, literal_column, text
from sqlalchemy.types import TypeDecorator, UserDefinedType

from router.ledger.news import News
from router.ledger.row import Duty, Journal, Row, State, Taken, Way
from router.model.json_text import parsed, written
from router.model.webhook import ScopedWebhook, WebhookSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sqlalchemy import ColumnElement, FromClause
    from sqlalchemy.types import TypeEngine

    Process = Callable[[Any], Any]


class _Text(UserDefinedType[str]):
    """What SQLite keeps under the name of a time: it has no type for times, and looks at no name of a type."""

    cache_ok = True

    def get_col_spec(self, **_options: Any) -> str:
        return "DATETIME"


@lru_cache(maxsize=256)
def _text_of_moment(moment: datetime | None) -> str | None:
    """Write a time for SQLite; a decision has the same one in several columns, where it costs next to nothing."""
    if moment is None:
        return None
    text = written(moment.astimezone(UTC))  # as "2026-01-31T17:30:00.123456Z": ``isoformat`` takes three times as long
    day, time = text[1:11], text[12:-2]
    return f"{day} {time}" if moment.microsecond else f"{day} {time}.000000"


def _moment_of_text(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(f"{text}+00:00")


def _in_utc(moment: datetime | None) -> datetime | None:
    return moment if moment is None or moment.tzinfo is UTC else moment.astimezone(UTC)


def is_fit(text: str) -> bool:
    """Say that any database keeps ``text`` as it is: NUL is not in it, and no half of a surrogate pair."""
    try:
        return "\0" not in text and (text.isascii() or bool(text.encode()))
    except UnicodeEncodeError:
        return False


def _fit(text: str | None) -> str | None:
    if text is None or is_fit(text):
        return text
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


# The types below give their processors themselves, and not by way of SQLAlchemy's wrappers: at fifty values a handover
# those took as long as the writing. What they decorate leaves the values of both drivers as they are.


class Moment(TypeDecorator[datetime]):
    """A time in UTC. SQLite keeps it as text without a zone, whose order is the order of time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Write SQLite's text here: SQLAlchemy's own way of it takes four times as long."""
        return dialect.type_descriptor(_Text() if dialect.name == "sqlite" else self.impl_instance)

    def bind_processor(self, dialect: Dialect) -> Process:
        """Give the database UTC."""
        return _text_of_moment if dialect.name == "sqlite" else _in_utc

    def result_processor(self, dialect: Dialect, coltype: object) -> Process:  # noqa: ARG002 - a time whatever they call it
        """Give the program UTC, whatever zone the database speaks in."""
        return _moment_of_text if dialect.name == "sqlite" else _in_utc


class Words(TypeDecorator[str]):
    """Text. What no database keeps, NUL and halves of surrogate pairs, becomes a replacement character."""

    impl = Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Process:  # noqa: ARG002 - all take the same
        """Make a text fit to be kept."""
        return _fit


class Kept(TypeDecorator[Any]):
    """A value that ``write`` makes to text, and ``read`` of text."""

    impl = Text
    cache_ok = True

    def __init__(self, write: Callable[[Any], str], read: Callable[[str], Any]) -> None:
        super().__init__()
        self.write, self.read = write, read

    def bind_processor(self, dialect: Dialect) -> Process:  # noqa: ARG002 - all take the same
        """Write it."""
        return self.write

    def result_processor(self, dialect: Dialect, coltype: object) -> Process:  # noqa: ARG002 - text everywhere
        """Read it."""
        return self.read


class KeptIfAny(Kept):
    """The same, where ``nothing`` is kept as NULL."""

    cache_ok = True

    def __init__(self, write: Callable[[Any], str], read: Callable[[str], Any], nothing: Any = None) -> None:
        super().__init__(write, read)
        self.nothing = nothing

    def bind_processor(self, dialect: Dialect) -> Process:  # noqa: ARG002 - see above
        """Write it, if there is anything."""
        write, nothing = self.write, self.nothing
        return lambda value: None if value == nothing else write(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Process:  # noqa: ARG002 - see above
        """Read it, if there is anything."""
        read, nothing = self.read, self.nothing
        return lambda text: nothing if text is None else read(text)


@lru_cache(maxsize=256)
def _journal(text: str) -> Journal:
    """Read a journal; most have nothing in them yet, and are the same."""
    read = parsed(text)
    return Journal(
        present=tuple(map(_webhook, read["present"])),
        removed=tuple(map(_webhook, read["removed"])),
        doubts=tuple(read["doubts"]),
        replaced=tuple(read["replaced"]),
        since=datetime.fromisoformat(read["since"]) if read["since"] else None,
        runs=_runs(read.get("runs", ())),  # a row that an earlier version wrote has none of these four
        is_asked_back=read.get("is_asked_back", False),
        begun=tuple(read.get("begun", ())),
        has_returned=read.get("has_returned", False),
    )


def _webhook(read: dict[str, Any]) -> ScopedWebhook:
    spec = read["spec"]
    lists = {name: tuple(spec[name]) for name in ("filters", "triggers")}
    return ScopedWebhook(read["sid"], WebhookSpec(**spec | lists))


def _taken(text: str) -> Taken:
    read = parsed(text)
    return Taken(**read | {"duty": Duty(read["duty"])})


def _way(text: str) -> Way:
    read = parsed(text)
    return Way(**read | {"since": datetime.fromisoformat(read["since"]), "runs": _runs(read["runs"])})


def _runs(read: Iterable[Iterable[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((flow, sid) for flow, sid in read)


def _requests(text: str) -> tuple[str, ...]:
    return tuple(parsed(text))


def _all_news(text: str) -> tuple[News, ...]:
    return tuple(map(_news, parsed(text)))


def _news(read: dict[str, Any]) -> News:
    due = datetime.fromisoformat(read["due"]) if read["due"] else None
    return News(**read | {"since": datetime.fromisoformat(read["since"]), "due": due})


metadata: Final = MetaData()

handovers: Final = Table(
    "handovers",
    metadata,
    Column("id", Words, primary_key=True),
    *(Column(name, Words, nullable=False) for name in ("conversation", "service")),
    Column("created", Moment, nullable=False),
    *(Column(name, Words, nullable=False) for name in ("tool", "intent", "flow", "caller", "identity")),
    *(Column(name, Words, nullable=False) for name in ("key", "token", "success")),
    Column("state", Kept(str, State), nullable=False),
    *(Column(name, Words, nullable=False) for name in ("outcome", "reason", "message")),
    Column("duty", Kept(str, Duty), nullable=False),
    *(Column(name, Moment) for name in ("owed", "due")),
    *(Column(name, Integer, nullable=False) for name in ("attempts", "looks")),
    Column("owner", Words, nullable=False),
    Column("lease", Moment),
    Column("journal", Kept(written, _journal), nullable=False),
    Column("taken", KeptIfAny(written, _taken)),
    Column("way", KeptIfAny(written, _way)),
    Column("requests", Kept(written, _requests), nullable=False),
    *(Column(name, Moment) for name in ("updated", "accepted", "finished")),
    Column("news", KeptIfAny(written, _all_news, nothing=())),
    *(Column(name, Moment) for name in ("news_due", "news_since")),
)


def owing(rows: FromClause) -> ColumnElement[bool]:
    """Say that something is owed. By a literal: an index with this condition is of no use to one that binds it."""
    return rows.c.duty != literal_column("''")


OPEN: Final = owing(handovers)

_OPEN: Final = text("duty <> ''")
_UNTOLD: Final = text("news_due IS NOT NULL")

Index(
    "handovers_lock", handovers.c.conversation, unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN
)  # one open row a conversation
Index("handovers_conversation", handovers.c.conversation, handovers.c.created)
Index("handovers_due", handovers.c.due, sqlite_where=_OPEN, postgresql_where=_OPEN)
Index("handovers_created", handovers.c.created)
Index("handovers_news", handovers.c.news_due, sqlite_where=_UNTOLD, postgresql_where=_UNTOLD)

COLUMNS: Final = tuple(column.name for column in handovers.columns)
FIELDS: Final = tuple(each.name for each in dataclasses.fields(Row))
"""The columns that a row is made of: they come first, and the others tell of them."""
NEWS: Final = ("news", "news_due", "news_since")


def values_of(row: Row, columns: Iterable[str] = COLUMNS) -> dict[str, Any]:
    """Give a row, or what it has in some ``columns``, by column."""
    return {name: getattr(row, name) for name in columns}


def changed_columns(before: Row, row: Row) -> tuple[str, ...]:
    """Name the columns in which ``row`` stands otherwise than ``before`` did, in the table's order."""
    was = vars(before)
    fields = [name for name, value in vars(row).items() if value is not was[name] and value != was[name]]
    return (*fields, *NEWS[1:]) if fields and fields[-1] == NEWS[0] else tuple(fields)


def row_of(values: Mapping[Any, Any]) -> Row:
    """Make a row of its columns."""
    return Row.of({name: values[name] for name in FIELDS})
