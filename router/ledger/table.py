"""The table of the ledger: one row a handover. What it may hold at once, the database itself sees to."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, Index, Integer, MetaData, Table, literal_column, text

from router.ledger.column_types import Kept, KeptIfAny, Moment, Words
from router.ledger.journal import Journal
from router.ledger.news import News
from router.ledger.row import Duty, Row, State, Taken, Way
from router.model.json_text import parsed, written
from router.model.webhook import ScopedWebhook, WebhookSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import ColumnElement, FromClause


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
    if NEWS[0] in fields:
        fields += NEWS[1:]  # which tell of them
    return tuple(fields)


def row_of(values: Mapping[Any, Any]) -> Row:
    """Make a row of its columns."""
    return Row.of({name: values[name] for name in FIELDS})
