"""The types of the ledger's columns: what a row has, as each database keeps it.

They give their processors themselves, and not by way of SQLAlchemy's wrappers: at fifty values a handover those took as
long as the writing. What they decorate leaves the values of both drivers as they are.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import DateTime, Dialect, Text
from sqlalchemy.types import TypeDecorator, UserDefinedType

from router.model.json_text import written

if TYPE_CHECKING:
    from collections.abc import Callable

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

    def result_processor(self, dialect: Dialect, _coltype: object) -> Process:
        """Give the program UTC, whatever zone the database speaks in."""
        return _moment_of_text if dialect.name == "sqlite" else _in_utc


class Words(TypeDecorator[str]):
    """Text. What no database keeps, NUL and halves of surrogate pairs, becomes a replacement character."""

    impl = Text
    cache_ok = True

    def bind_processor(self, _dialect: Dialect) -> Process:
        """Make a text fit to be kept."""
        return _fit


class Kept(TypeDecorator[Any]):
    """A value that ``write`` makes to text, and ``read`` of text."""

    impl = Text
    cache_ok = True

    def __init__(self, write: Callable[[Any], str], read: Callable[[str], Any]) -> None:
        super().__init__()
        self.write, self.read = write, read

    def bind_processor(self, _dialect: Dialect) -> Process:
        """Write it."""
        return self.write

    def result_processor(self, _dialect: Dialect, _coltype: object) -> Process:
        """Read it."""
        return self.read


class KeptIfAny(Kept):
    """The same, where ``nothing`` is kept as NULL."""

    cache_ok = True

    def __init__(self, write: Callable[[Any], str], read: Callable[[str], Any], nothing: Any = None) -> None:
        super().__init__(write, read)
        self.nothing = nothing

    def bind_processor(self, _dialect: Dialect) -> Process:
        """Write it, if there is anything."""
        write, nothing = self.write, self.nothing
        return lambda value: None if value == nothing else write(value)

    def result_processor(self, _dialect: Dialect, _coltype: object) -> Process:
        """Read it, if there is anything."""
        read, nothing = self.read, self.nothing
        return lambda text: nothing if text is None else read(text)
