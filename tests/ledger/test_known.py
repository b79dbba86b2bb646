"""What is known of a file's conversations: whoever wrote, and whatever went wrong, a decision sees what is there."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from router.ledger import known
from router.ledger.address import Address
from router.ledger.engine import engine_for
from router.ledger.queries import forget, settle_news
from router.ledger.row import Duty
from router.ledger.script import Decision, Script
from router.ledger.table import handovers, metadata
from tests.ledger.kit import a_row, after, an_open_row, keep, see, some_news

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from router.ledger.row import Row

    Decide = Callable[[Sequence[Row]], tuple[Any, Sequence[Row]]]

CONVERSATIONS = ("CH1", "CH2")


class Broken(Exception):
    """What a transaction breaks off by."""


def break_off(_: object = None) -> tuple[None, Sequence[Row]]:
    raise Broken


class Process:
    """One that has the file open, as a writer has it; ``read`` are the statements by which it looked into the table."""

    def __init__(self, file: Path) -> None:
        self._engine = engine_for(Address.parse(str(file)), 2)
        self.script = Script(self._engine.dialect)
        self.read: list[str] = []
        self.connect()

    def connect(self) -> None:
        self.connection = self._engine.connect()
        driver: Any = self.connection.connection.driver_connection
        driver.set_trace_callback(lambda statement: self.read.append(statement) if "json_each" in statement else None)

    def close(self) -> None:
        self.connection.close()

    def decide(self, decide: Decide, conversation: str = "CH1") -> Any:
        """Decide in a transaction of its own."""
        with self.script.transaction(self.connection):
            return self.within(decide, conversation)

    def within(self, decide: Decide, conversation: str = "CH1") -> Any:
        """Decide in the transaction that is open."""
        ((result, _),) = self.script.decide(self.connection, [Decision(conversation, decide)])
        return result

    def work(self, work: Callable[[Connection], object]) -> None:
        """Do in a transaction what is no decision."""
        with self.script.transaction(self.connection):
            work(self.connection)


@contextmanager
def two_processes(file: Path) -> Iterator[tuple[Process, Process]]:
    """Two with a connection each to a new file, which has the table."""
    one, other = Process(file), Process(file)
    one.work(metadata.create_all)
    yield one, other
    one.close()
    other.close()


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Process, Process]]:
    with two_processes(tmp_path / "handovers.db") as both:
        yield both


def mark(reason: str) -> Callable[[Connection], object]:
    """Change every row behind the back of the decisions."""
    return lambda connection: connection.execute(update(handovers).values(reason=reason))


def reasons(process: Process, conversation: str = "CH1") -> list[str]:
    """Give what a decision of ``process`` sees."""
    return [row.reason for row in process.decide(see, conversation)]


def test_what_we_kept_is_not_read_again(two: tuple[Process, Process]) -> None:
    """As long as a conversation has an open row, and nobody else writes, it is looked up once; then it is as kept."""
    one, _ = two
    row = an_open_row(conversation="CH1")
    one.decide(keep(row))
    for number in range(3):
        (seen,) = one.decide(see)
        assert seen is row
        row = row.change(attempts=number)
        one.decide(keep(row))
    assert len(one.read) == 1


def test_what_another_knows_is_read_beside_what_is_known(two: tuple[Process, Process]) -> None:
    """Decisions that come together see each its own conversation, whether it is known or not."""
    one, _ = two
    known_row, read_row = an_open_row(1), an_open_row(2)
    one.decide(keep(known_row), "CH1")
    one.decide(keep(read_row.change(duty=Duty.NONE)), "CH2")
    with one.script.transaction(one.connection):
        made = one.script.decide(one.connection, [Decision(name, see) for name in ("CH2", "CH1", "CH3")])
    assert [[row.id for row in rows] for rows, _ in made] == [["HO2"], ["HO1"], []]
    assert [name in one.read[-1] for name in ("CH1", "CH2", "CH3")] == [False, True, True]


@pytest.mark.parametrize(
    "rows",
    [
        [an_open_row(conversation="CH1", duty=Duty.NONE)],
        [an_open_row(9, conversation="CH1"), *(a_row(number, conversation="CH1") for number in range(4))],
        [],
    ],
    ids=["closed", "many", "none"],
)
def test_what_is_hardly_asked_for_again_is_not_remembered(two: tuple[Process, Process], rows: list[Row]) -> None:
    """A conversation to which nothing is owed, or with a long history, is read each time."""
    one, _ = two
    one.decide(keep(*rows))
    assert len(one.decide(see)) == len(rows)
    assert len(one.read) == 2


def test_what_is_remembered_is_bounded(two: tuple[Process, Process], monkeypatch: pytest.MonkeyPatch) -> None:
    """However many conversations are open, so many are known at the most; the others are read, and right."""
    monkeypatch.setattr(known, "MOST", 2)
    one, _ = two
    for number in range(1, 10):
        one.decide(keep(an_open_row(number)), f"CH{number}")
    assert len(one.script._known._rows) <= 3
    assert [one.decide(see, f"CH{number}")[0].id for number in range(1, 10)] == [f"HO{n}" for n in range(1, 10)]


def test_what_another_process_wrote_is_seen(two: tuple[Process, Process], tmp_path: Path) -> None:
    """Another connection here, a program elsewhere: once it has committed, nothing that was known counts."""
    one, other = two
    one.decide(keep(an_open_row(conversation="CH1")))
    other.work(mark("by a connection"))
    assert reasons(one) == ["by a connection"]
    write = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit()"
    statement = "UPDATE handovers SET reason = 'by a program'"
    subprocess.run([sys.executable, "-c", write, str(tmp_path / "handovers.db"), statement], check=True)
    assert reasons(one) == ["by a program"]
    assert reasons(one) == ["by a program"]
    assert len(one.read) == 3


def test_a_row_that_another_process_opened_is_seen(two: tuple[Process, Process]) -> None:
    """A conversation that was known to have been left to others has a second row now."""
    one, other = two
    one.decide(keep(an_open_row(1, conversation="CH1")))
    other.decide(lambda rows: (None, [rows[0].change(duty=Duty.NONE), an_open_row(2, conversation="CH1")]))
    assert [row.id for row in one.decide(see)] == ["HO2", "HO1"]


@pytest.mark.parametrize("is_together", [False, True])
def test_what_our_own_connection_wrote_besides_is_seen(two: tuple[Process, Process], *, is_together: bool) -> None:
    """A claim, a lease that is extended, news that were settled: also where that shared a decision's transaction."""
    one, _ = two
    row = an_open_row(conversation="CH1", news=(some_news(),))
    with one.script.transaction(one.connection):
        one.within(keep(row))
        if is_together:
            settle_news(one.connection, "CH1", row.id, dict.fromkeys(row.news))
    if not is_together:
        one.work(lambda connection: settle_news(connection, "CH1", row.id, dict.fromkeys(row.news)))
    (seen,) = one.decide(see)
    assert seen == row.change(news=())


def test_rows_that_were_forgotten_are_gone(two: tuple[Process, Process]) -> None:
    """Old rows are dropped by the same connection: a conversation has them no more."""
    one, _ = two
    one.decide(keep(an_open_row(2, conversation="CH1"), a_row(1, conversation="CH1")))
    one.work(lambda connection: forget(connection, after(60)))
    assert [row.id for row in one.decide(see)] == ["HO2"]


def test_what_was_read_only_is_known_as_well(two: tuple[Process, Process]) -> None:
    """Who only looked has read what is there: it is as good as what we kept."""
    one, other = two
    other.decide(keep(an_open_row(conversation="CH1")))
    assert [len(one.decide(see)) for _ in range(3)] == [1, 1, 1]
    assert len(one.read) == 1


def test_what_was_not_committed_is_not_known(two: tuple[Process, Process]) -> None:
    """A transaction that broke off has kept nothing, also where the next one, about another conversation, is kept."""
    one, _ = two
    one.decide(keep(an_open_row(1)), "CH1")

    def lose(_: Connection) -> None:
        one.within(keep(an_open_row(1, reason="lost")), "CH1")
        break_off()

    with pytest.raises(Broken):
        one.work(lose)
    one.decide(keep(an_open_row(2)), "CH2")
    assert reasons(one, "CH1") == [""]


def test_a_decision_that_breaks_off_has_kept_nothing(two: tuple[Process, Process]) -> None:
    """It takes along what was decided before it in its transaction."""
    one, _ = two
    one.decide(keep(an_open_row(1)), "CH1")
    decisions = [Decision("CH1", keep(an_open_row(1, reason="lost"))), Decision("CH2", break_off)]
    with pytest.raises(Broken), one.script.transaction(one.connection):
        one.script.decide(one.connection, decisions)
    assert reasons(one, "CH1") == [""]


def test_what_is_decided_twice_in_a_transaction_is_known_as_it_was_left(two: tuple[Process, Process]) -> None:
    """The first time it was still open, the second time it is closed, and so it is afterwards."""
    one, _ = two
    with one.script.transaction(one.connection):
        one.within(keep(an_open_row(conversation="CH1")))
        one.within(lambda rows: (None, [rows[0].change(duty=Duty.NONE)]))
    assert [row.duty for row in one.decide(see)] == [Duty.NONE]


def test_a_new_connection_knows_nothing(two: tuple[Process, Process]) -> None:
    """What was written while we had none is seen: its counts begin anew, and may be the same as before."""
    one, other = two
    one.decide(keep(an_open_row(conversation="CH1")))
    one.close()
    other.work(mark("meanwhile"))
    one.connect()
    assert reasons(one) == ["meanwhile"]


def test_a_commit_on_another_connection_is_not_taken_for_ours(two: tuple[Process, Process]) -> None:
    """A transaction in which nothing was decided confirms nothing."""
    one, _ = two
    one.decide(keep(an_open_row(conversation="CH1")))
    one.work(mark("by us"))
    one.work(lambda _: None)
    assert reasons(one) == ["by us"]


step = st.tuples(
    st.sampled_from([0, 1]),
    st.sampled_from(CONVERSATIONS),
    st.sampled_from(["keep", "close", "see", "break off", "work", "keep and work", "work and keep", "connect"]),
)


@settings(max_examples=60)
@given(steps=st.lists(step, max_size=25))
def test_whatever_happens_a_decision_sees_what_was_committed(
    steps: list[tuple[int, str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Two processes decide, break off, write besides and connect anew, in any order: each sees the last commit."""
    with two_processes(tmp_path_factory.mktemp("known") / "handovers.db") as both:
        committed: dict[str, list[Row]] = {name: [] for name in CONVERSATIONS}
        for number, (which, name, what) in enumerate(steps):
            process, row = both[which], an_open_row(conversation=name, reason=str(number)).change(id=f"HO of {name}")
            try:
                with process.script.transaction(process.connection):
                    expected = {each: list(rows) for each, rows in committed.items()}
                    if what == "work and keep":
                        expected = _worked(process.connection, expected, number)
                    if what != "work":
                        assert list(process.within(see, name)) == expected[name]
                    if "keep" in what or what in ("close", "break off"):
                        row = row.change(duty=Duty.NONE) if what == "close" else row
                        process.within(keep(row), name)
                        expected[name] = [row]
                    if what in ("work", "keep and work"):
                        expected = _worked(process.connection, expected, number)
                    if what == "break off":
                        break_off()
                committed = expected
            except Broken:
                pass
            if what == "connect":
                process.close()
                process.connect()
        for process in both:
            assert {each: list(process.decide(see, each)) for each in CONVERSATIONS} == committed


def _worked(connection: Connection, rows: dict[str, list[Row]], number: int) -> dict[str, list[Row]]:
    connection.execute(update(handovers).values(attempts=number))
    return {name: [row.change(attempts=number) for row in each] for name, each in rows.items()}
