"""What the ledger asks of its table: each is a function of a connection whose transaction is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, bindparam, case, delete, func, insert, or_, select, update

from router.ledger.column_types import Moment
from router.ledger.ledger import NARROWING, Figures
from router.ledger.news import settle, take
from router.ledger.row import FARTHEST, URGENT, Row, State
from router.ledger.script import LOCK
from router.ledger.table import NEWS, OPEN, handovers, row_of, values_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from router.ledger.ledger import Filter, Holder
    from router.ledger.news import News

PORTION: Final = 100
"""So many rows are dropped in one transaction."""

_COLUMNS: Final = handovers.c

_INSERT: Final = insert(handovers)
_UPDATE: Final = update(handovers).where(_COLUMNS.id == bindparam("id_"))


def owners(connection: Connection) -> Sequence[str]:
    """Name the processes that have, or had, an open row in hand."""
    return connection.scalars(select(_COLUMNS.owner).where(OPEN, _COLUMNS.owner != "").distinct()).all()


def claim(
    connection: Connection,
    now: datetime,
    most: int,
    holder: Holder,
    lease: datetime,
    is_gone: Callable[[str], bool],
    held: Collection[str] = (),
) -> Sequence[Row]:
    """Give to ``holder``, until ``lease``, at most ``most`` rows that are due and that nobody has in hand.

    It has those that are ``held``, also where their lease is over.
    """
    gone = [name for name in owners(connection) if is_gone(name)]
    due = (
        select(handovers)
        .where(OPEN, _is_due(now), _is_free(now, gone))
        .where(_COLUMNS.id.not_in(sorted(held)))
        .order_by(case((_COLUMNS.duty.in_([str(duty) for duty in sorted(URGENT)]), 0), else_=1), _COLUMNS.due)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    found = [row_of(each) for each in connection.execute(due).mappings()]
    if found:
        taken = update(handovers).where(_COLUMNS.id.in_([row.id for row in found]))
        connection.execute(taken.values(owner=holder.name, lease=lease))
    return [row.change(owner=holder.name, lease=lease) for row in found]


def claim_news(connection: Connection, now: datetime, most: int, held: Collection[str] = ()) -> Sequence[Row]:
    """Take the news that are due of at most ``most`` rows: each row with those alone, so that nobody else tells them.

    Of rows that are ``held`` nothing is taken: whoever asks tells of them already.
    """
    due = (
        select(handovers)
        .where(_COLUMNS.news_due <= now, _COLUMNS.id.not_in(sorted(held)))
        .order_by(_COLUMNS.news_due)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    claimed = []
    for row in [row_of(each) for each in connection.execute(due).mappings()]:
        taken, news = take(row.news, now)
        connection.execute(_UPDATE, values_of(row.change(news=news), NEWS) | {"id_": row.id})
        claimed.append(row.change(news=taken))
    return claimed


def settle_news(connection: Connection, conversation: str, row_id: str, told: Mapping[News, News | None]) -> None:
    """Keep what came of news that were taken; where the row is gone, there is nobody to keep it for.

    Under the lock of its conversation, as a decision: decisions that come together take all their locks before any row.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(LOCK, {"conversations": [conversation]})
    one = select(handovers).where(_COLUMNS.id == row_id).with_for_update()
    for row in [row_of(each) for each in connection.execute(one).mappings()]:
        connection.execute(_UPDATE, values_of(row.change(news=settle(row.news, told)), NEWS) | {"id_": row.id})


def next_news(connection: Connection, held: Collection[str]) -> datetime | None:
    """Say when the next news are due, but for those of rows that are ``held``."""
    due = func.min(_COLUMNS.news_due, type_=Moment())
    found: datetime | None = connection.scalar(
        select(due).where(_COLUMNS.news_due.is_not(None), _COLUMNS.id.not_in(sorted(held)))
    )
    return found


def next_due(
    connection: Connection,
    now: datetime,
    holder: Holder,
    is_gone: Callable[[str], bool],
) -> datetime | None:
    """Say when the next row is both due and in nobody's hand: another's lease ends, our own goes on."""
    gone = [name for name in owners(connection) if is_gone(name)]
    due = func.coalesce(_COLUMNS.due, _COLUMNS.created)
    free = case((or_(_is_free(now, gone), _COLUMNS.lease <= due), due), else_=_COLUMNS.lease)
    is_ours = and_(_COLUMNS.owner == holder.name, _COLUMNS.lease > now)
    found: datetime | None = connection.scalar(select(func.min(free, type_=Moment())).where(OPEN, ~is_ours))
    return found


def _is_due(now: datetime) -> ColumnElement[bool]:
    due = _COLUMNS.due
    return or_(due.is_(None), due <= now, due > now + FARTHEST)


def _is_free(now: datetime, gone: Collection[str]) -> ColumnElement[bool]:
    lease = _COLUMNS.lease
    is_over = or_(lease.is_(None), lease <= now, lease > now + FARTHEST)
    return or_(_COLUMNS.owner == "", is_over, _COLUMNS.owner.in_(list(gone)))


def extend(connection: Connection, ids: Collection[str], holder: Holder, lease: datetime) -> Collection[str]:
    """Keep rows in hand until ``lease``; says which of them still are."""
    ours = update(handovers).where(_COLUMNS.id.in_(sorted(ids)), _COLUMNS.owner == holder.name, OPEN)
    return set(connection.scalars(ours.values(lease=lease).returning(_COLUMNS.id)))


def history(connection: Connection, wanted: Filter) -> Sequence[Row]:
    """Read what is ``wanted``, the newest first."""
    query = select(handovers).order_by(_COLUMNS.created.desc(), _COLUMNS.id.desc()).limit(wanted.limit)
    for name in NARROWING:
        if value := getattr(wanted, name):
            query = query.where(_COLUMNS[name] == value)
    if wanted.since is not None:
        query = query.where(_COLUMNS.created >= wanted.since)
    if wanted.open:
        query = query.where(OPEN)
    return [row_of(found) for found in connection.execute(query).mappings()]


def figures(connection: Connection) -> Figures:
    """Count the open rows, and those of which plugins are still to be told."""
    oldest = func.min(func.coalesce(_COLUMNS.owed, _COLUMNS.created), type_=Moment()).filter(
        _COLUMNS.state != str(State.COMPLETED)
    )
    counted = select(_COLUMNS.duty, func.count(), oldest).where(OPEN).group_by(_COLUMNS.duty)
    found = connection.execute(counted).all()
    untold = select(func.count(), func.min(_COLUMNS.news_since, type_=Moment())).where(_COLUMNS.news_due.is_not(None))
    news, since = connection.execute(untold).one()
    return Figures(
        {duty: count for duty, count, _ in found},
        min((begun for *_, begun in found if begun), default=None),
        news,
        since,
    )


def forget(connection: Connection, before: datetime) -> int:
    """Drop a portion of the rows that were finished before a time and owe nothing to anybody; says how many."""
    finished = func.coalesce(_COLUMNS.finished, _COLUMNS.created)
    is_done = and_(~OPEN, _COLUMNS.news_due.is_(None))
    old = select(_COLUMNS.id).where(is_done, _COLUMNS.created < before, finished < before).limit(PORTION)
    return connection.execute(delete(handovers).where(_COLUMNS.id.in_(old))).rowcount


def prove(connection: Connection, row: Row) -> None:
    """Show that one can write: ``row`` comes and goes in this transaction, and nobody sees it."""
    connection.execute(_INSERT, values_of(row))
    connection.execute(delete(handovers).where(_COLUMNS.id == row.id))
