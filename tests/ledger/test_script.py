"""The script of decisions: what one process keeps another one reads, and what is remembered is never in its way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError

from router.ledger.row import Duty
from router.ledger.script import Decision, Script
from router.ledger.table import handovers, values_of
from tests.ledger.kit import a_row, after, an_open_row, keep, see
from tests.ledger.test_table import rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from router.ledger.row import Row


def seen(connection: Connection, conversation: str, script: Script | None = None) -> Sequence[Row]:
    """Give the rows of a conversation as ``script`` reads them; by default one that has read nothing before."""
    script = script or Script(connection.dialect)
    ((result, _),) = script.decide(connection, [Decision(conversation, see)])
    return list(result)


def test_another_process_reads_what_was_kept(connection: Connection) -> None:
    """Any row, as it comes and as it is changed to: who has read nothing before reads the same."""
    script = Script(connection.dialect)

    @settings(max_examples=50)
    @given(rows, rows)
    def hold(row: Row, other: Row) -> None:
        changed = other.change(id=row.id, conversation=row.conversation)
        with connection.begin_nested() as savepoint:
            for each in (row, changed):
                script.decide(connection, [Decision(row.conversation, keep(each))])
                assert seen(connection, row.conversation) == [each]
            savepoint.rollback()

    hold()


@pytest.mark.parametrize(
    ("said", "kept"), [("a\0b", "a\ufffdb"), ("a\ud800ä", "a?ä"), ("ä+…", "ä+…")], ids=["NUL", "half a pair", "fit"]
)
def test_a_decision_keeps_what_a_database_can_keep(connection: Connection, said: str, kept: str) -> None:
    """NUL and halves of surrogate pairs are replaced, as a row comes and as it is changed; other texts stay."""
    row = a_row(conversation="CH1", message=said, identity="ä")
    for each in (row, row.change(reason=said, message="ö")):
        Script(connection.dialect).decide(connection, [Decision("CH1", keep(each))])
        (there,) = seen(connection, "CH1")
        assert (there.message, there.identity) == (kept if each is row else "ö", "ä")
    assert there.reason == kept


def test_decisions_that_come_together_see_each_other(connection: Connection) -> None:
    """The second about a conversation sees what the first gave; those about others go on beside them."""

    def follow(found: Sequence[Row]) -> tuple[Any, Sequence[Row]]:
        closed = [row.change(duty=Duty.NONE, due=None) for row in found]
        return [row.id for row in found], [an_open_row(len(found) + 1, conversation="CH1"), *closed]

    script = Script(connection.dialect)
    about = [Decision("CH1", follow), Decision("CH2", keep(a_row(9, conversation="CH2"))), Decision("CH1", follow)]
    assert [result for result, _ in script.decide(connection, about)] == [[], None, ["HO1"]]
    assert [(row.id, row.duty) for row in seen(connection, "CH1")] == [("HO2", Duty.TIDY), ("HO1", Duty.NONE)]
    assert [row.id for row in seen(connection, "CH2")] == ["HO9"]


def test_what_others_changed_is_read_anew(connection: Connection) -> None:
    """An open row is remembered as it was kept; where another process has changed it since, that counts."""
    script = Script(connection.dialect)
    script.decide(connection, [Decision("CH1", keep(an_open_row(conversation="CH1")))])
    script.decide(connection, [Decision("CH1", keep(an_open_row(conversation="CH1", attempts=2)))])
    connection.execute(update(handovers).values(owner="other", updated=after(5)))
    (row,) = seen(connection, "CH1", script)
    assert (row.owner, row.updated, row.attempts) == ("other", after(5), 2)


def test_what_was_not_committed_is_not_believed(connection: Connection) -> None:
    """A transaction that was rolled back has kept nothing, whatever is remembered of it."""
    script = Script(connection.dialect)
    script.decide(connection, [Decision("CH1", keep(an_open_row(conversation="CH1")))])
    with connection.begin_nested() as savepoint:
        script.decide(connection, [Decision("CH1", keep(an_open_row(conversation="CH1", reason="lost")))])
        savepoint.rollback()
    assert [row.reason for row in seen(connection, "CH1", script)] == [""]


def test_the_database_holds_a_script_to_one_open_row(connection: Connection) -> None:
    """Where rows came from elsewhere meanwhile, the driver's error comes out as SQLAlchemy's, without the row."""
    connection.execute(insert(handovers), values_of(an_open_row(1, conversation="CH1")))
    second = Decision("CH1", keep(an_open_row(2, conversation="CH1", message="of a customer")))
    with pytest.raises(IntegrityError) as raised, connection.begin_nested():
        Script(connection.dialect).decide(connection, [second])
    assert "of a customer" not in str(raised.value)
