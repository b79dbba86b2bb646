from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from router.ledger.journal import Journal
from router.ledger.news import News
from router.ledger.row import Duty, Row, State, Taken, Way
from router.ledger.table import handovers, row_of, values_of
from router.model.webhook import ScopedWebhook, WebhookSpec

if TYPE_CHECKING:
    from sqlalchemy import Connection

words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
anything = st.text(st.characters(), max_size=20)  # what stands in JSON may hold NUL and halves of surrogate pairs
times = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
several = st.lists(anything, max_size=3).map(tuple)
webhooks = st.builds(
    ScopedWebhook,
    anything,
    st.builds(WebhookSpec, target=anything, url=anything, filters=several, triggers=several, flow=anything),
)
journals = st.builds(
    Journal,
    present=st.lists(webhooks, max_size=2).map(tuple),
    removed=st.lists(webhooks, max_size=2).map(tuple),
    doubts=several,
)
BY_TYPE = {
    "str": words,
    "int": st.integers(0, 2**31 - 1),
    "datetime": times,
    "datetime | None": st.none() | times,
    "State": st.sampled_from(State),
    "Duty": st.sampled_from(Duty),
    "Journal": journals,
    "Taken | None": st.none() | st.builds(Taken, id=anything, duty=st.sampled_from(Duty)),
    "Way | None": st.none()
    | st.builds(
        Way,
        since=times,
        execution=anything,
        is_paved=st.booleans(),
        runs=st.lists(st.tuples(anything, anything)).map(tuple),
    ),
    "tuple[str, ...]": several,
    "tuple[News, ...]": st.lists(
        st.builds(
            News,
            *(anything, anything),
            since=times,
            due=st.none() | times,
            attempts=st.integers(0, 20),
            **dict.fromkeys(("reason", "outcome", "kind", "text"), anything),
        ),
        max_size=3,
    ).map(tuple),
}
rows = st.builds(Row, **{each.name: BY_TYPE[str(each.type)] for each in dataclasses.fields(Row)})


def test_each_field_of_a_row_has_its_column() -> None:
    """No field is forgotten, and no column is left over but those that tell when news are due."""
    fields = [each.name for each in dataclasses.fields(Row)]
    assert [column.name for column in handovers.columns] == [*fields, "news_due", "news_since"]


def test_what_is_due_is_found_by_an_index(connection: Connection) -> None:
    """Whoever looks for news, and there are none, reads nothing: the index has only the rows that have some."""
    if connection.dialect.name == "sqlite":
        query = "EXPLAIN QUERY PLAN SELECT id FROM handovers WHERE news_due <= '2026' ORDER BY news_due LIMIT 9"
    else:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        query = "EXPLAIN SELECT id FROM handovers WHERE news_due <= now() ORDER BY news_due LIMIT 9"
    plan = " ".join(str(step) for step in connection.exec_driver_sql(query).all())
    assert "handovers_news" in plan
    assert "SORT" not in plan.upper()
    assert "TEMP B-TREE" not in plan


def test_any_row_comes_back_as_it_was(connection: Connection) -> None:
    """Whatever stands in a row: the database gives back an equal one."""

    @settings(max_examples=50)
    @given(rows)
    def hold(row: Row) -> None:
        with connection.begin_nested() as savepoint:
            connection.execute(insert(handovers), values_of(row))
            assert row_of(connection.execute(select(handovers)).mappings().one()) == row
            savepoint.rollback()

    hold()
