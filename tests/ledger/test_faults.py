# ruff: noqa: ASYNC240 - a test may touch a small file
from __future__ import annotations

import asyncio
import os
import resource
import shutil
import sqlite3
import stat
import tempfile
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import Connection, create_engine, make_url

from router.clock import Clock
from router.errors import LedgerError
from router.ledger import engine
from router.ledger.durable import DurableLedger
from router.ledger.engine import _waiting
from router.ledger.ledger import Filter, Holder
from router.ledger.reasons import reason_of
from router.ledger.row import State
from tests.ledger.kit import NOW, a_row, an_open_row, fill, see
from tests.postgres import execute, server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOBODY = 65534


def a_ledger(url: str) -> DurableLedger:
    return DurableLedger(url, Holder("us"), Clock(now=lambda: NOW), patience=0.2)


async def fails(ledger: DurableLedger, reason: str) -> None:
    """Neither a decision nor a probe works, for ``reason``, and the ledger tells it."""
    with pytest.raises(LedgerError, match=reason):
        await fill(ledger, a_row(8, conversation="CH1"))
    with pytest.raises(LedgerError, match=reason):
        await ledger.probe()
    (told,) = ledger.faults()
    assert reason in told


async def works(ledger: DurableLedger) -> None:
    """A decision is kept, beside what was kept before, and there is nothing left to tell."""
    await fill(ledger, a_row(9, conversation="CH1"))
    assert [row.id for row in await ledger.decide("CH1", see)] == ["HO9", "HO1"]
    assert ledger.faults() == ()


def cut_connections(url: str) -> None:
    """End all connections to the database but this one, and wait until they have ended."""
    with psycopg.connect(url, autocommit=True) as other:
        cut = other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert cut.fetchall() == [(True,)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "handovers.db"


async def test_the_file_is_its_owners_alone(file: Path) -> None:
    """What customers wrote is nobody else's to read, in the files beside the database too."""
    async with a_ledger(str(file)) as ledger:
        await fill(ledger, a_row())
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in file.parent.iterdir()}
    assert modes == {"handovers.db": 0o600, "handovers.db-wal": 0o600, "handovers.db-shm": 0o600}


async def test_a_commit_is_on_the_disk(file: Path) -> None:
    """SQLite writes ahead and flushes with each commit: not even a power cut loses what was told."""

    def settings(connection: Connection) -> list[object]:
        names = ("journal_mode", "synchronous")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    async with a_ledger(str(file)) as ledger:
        assert await ledger._writer.run(settings) == ["wal", 2]


async def test_a_locked_file(file: Path) -> None:
    """While another process keeps the file locked nothing works; afterwards everything does."""
    async with a_ledger(str(file)) as ledger:
        await fill(ledger, a_row())
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        await fails(ledger, "another process keeps it locked")
        many = await asyncio.gather(*(fill(ledger, a_row(number)) for number in range(50)), return_exceptions=True)
        assert {type(each) for each in many} == {LedgerError}
        other.execute("ROLLBACK")
        other.close()
        await works(ledger)


async def test_a_file_that_is_locked_at_the_start(file: Path) -> None:
    """A new file that another process keeps locked is waited for, and then refused with a reason."""
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(LedgerError, match=r"handovers\.db: another process keeps it locked"):
        await a_ledger(str(file)).__aenter__()
    other.close()
    async with a_ledger(str(file)) as ledger:
        await fill(ledger, a_row())
        await works(ledger)


def test_what_needs_a_lock_is_tried_again(file: Path) -> None:
    """SQLite does not wait for each lock by itself, so we do: until the time is over, or the lock is gone."""
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    connection = sqlite3.connect(file, timeout=0, isolation_level=None)
    turn_over = partial(connection.execute, "PRAGMA journal_mode = WAL")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        _waiting(0, turn_over)
    release = threading.Timer(0.05, other.rollback)
    release.start()
    assert _waiting(30, turn_over).fetchone() == ("wal",)
    release.join()
    connection.close()
    other.close()


async def test_a_full_database(file: Path) -> None:
    """Where no page is left the decision fails and says so, and what was there stays."""

    def fill_up(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")

    async with a_ledger(str(file)) as ledger:
        await fill(ledger, a_row())
        await ledger._writer.run(fill_up)
        with pytest.raises(LedgerError, match="the disk is full; make room"):
            await fill(ledger, a_row(8, conversation="CH1", message="x" * 10_000))
        await works(ledger)


@contextmanager
def no_room() -> Iterator[None]:
    """Let no file of this process grow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_takes_no_more(file: Path) -> None:
    """As long as nothing can be written the fault stands, although one could still read."""
    async with a_ledger(str(file)) as ledger:
        await fill(ledger, a_row())
        with no_room():
            await fails(ledger, "the disk does not read or write it")
            with pytest.raises(LedgerError):
                await ledger.history(Filter())
            assert ledger.faults()
        await works(ledger)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Give up root's right to do anything, for a while."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


async def test_a_file_that_may_not_be_written() -> None:
    """A start with it works, since one can read, but no write does; once it may be written, the same ledger goes on."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "handovers.db")
        async with a_ledger(str(file)) as ledger:
            await fill(ledger, a_row())
        file.chmod(0o444)
        Path(directory).chmod(0o777)
        with as_nobody():
            ledger = await a_ledger(str(file)).__aenter__()
            await fails(ledger, "it may not be written; give this process the right")
        file.chmod(0o644)
        await works(ledger)
        await ledger.__aexit__(None, None, None)


async def test_a_file_that_is_replaced_while_it_is_opened(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written to it where it went, since others write to what stands in its place; opened anew, so do we."""
    async with a_ledger(str(file)) as ledger:
        await fill(ledger, a_row())
    copy = Path(shutil.copy(file, file.with_name("copy")))
    settings = iter(engine.PRAGMAS)

    def replace_after_the_last(seconds: float, work: Callable[[], object]) -> object:
        done = _waiting(seconds, work)
        if next(settings, "") == engine.PRAGMAS[-1]:
            file.rename(file.with_name("away"))
            copy.rename(file)
        return done

    monkeypatch.setattr(engine, "_waiting", replace_after_the_last)
    with pytest.raises(LedgerError, match="the file was moved away or replaced"):
        await a_ledger(str(file)).__aenter__()
    async with a_ledger(str(file)) as ledger:
        await works(ledger)


async def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    """The start says that the file cannot be made, and asks for its directory."""
    place = tmp_path / "nowhere" / "handovers.db"
    with pytest.raises(LedgerError, match=r"handovers\.db: it cannot be made: No such file or directory; does its dir"):
        await a_ledger(str(place)).__aenter__()


async def test_a_file_of_another_kind(file: Path) -> None:
    """A file that is no database is left as it is."""
    file.write_text("not a database" * 100)
    with pytest.raises(LedgerError, match="it is no SQLite database; name another file"):
        await a_ledger(str(file)).__aenter__()
    assert file.read_text() == "not a database" * 100


async def test_a_file_that_is_gone(file: Path) -> None:
    """No write goes to a file that was moved away, and no empty one takes its place; put back, it serves again."""
    away = file.with_name("away")
    async with a_ledger(str(file)) as ledger:
        await fill(ledger, a_row())
        file.rename(away)
        with pytest.raises(LedgerError, match="the file was moved away or replaced; put it back"):
            await fill(ledger, a_row(8, conversation="CH1"))
        await fails(ledger, "it cannot be opened; does the directory exist")
        assert not file.exists()
        away.rename(file)
        await works(ledger)


async def test_a_server_that_stops_and_starts(postgres_url: str) -> None:
    """While PostgreSQL is down nothing works; when it is up again, the same ledger goes on."""
    async with a_ledger(postgres_url) as ledger:
        await fill(ledger, a_row())
        server().stop()
        try:
            with pytest.raises(LedgerError, match=r"the server was shut down|cannot be reached"):
                await fill(ledger, a_row(8, conversation="CH1"))
            await fails(ledger, "the server cannot be reached")
        finally:
            server().ensure_postgres_running()
        await works(ledger)


async def test_a_connection_that_was_cut_costs_nobody_who_comes_with_others(postgres_url: str) -> None:
    """Decisions that come together find their connection dead: each is made by itself, on a new one."""
    async with a_ledger(postgres_url) as ledger:
        await fill(ledger, a_row())
        cut_connections(postgres_url)
        seen = await asyncio.gather(*(ledger.decide(name, see) for name in ("CH1", "CH2", "CH1")))
        assert [len(rows) for rows in seen] == [1, 0, 1]
        assert ledger.faults() == ()


async def test_a_connection_that_was_cut_is_told_by_the_servers_reason(postgres_url: str) -> None:
    """A decision that comes alone hears why the server cut the connection, and not that it cannot be taken back."""
    async with a_ledger(postgres_url) as ledger:
        await fill(ledger, a_row())
        cut_connections(postgres_url)
        with pytest.raises(LedgerError, match="the server was shut down"):
            await ledger.decide("CH1", see)
        await works(ledger)


async def test_a_row_that_another_transaction_keeps(postgres_url: str) -> None:
    """PostgreSQL's locks are waited for as long as patience lasts; other conversations go on meanwhile."""
    async with a_ledger(postgres_url) as ledger:
        await fill(ledger, a_row())
        with psycopg.connect(postgres_url) as other:
            other.execute("SELECT * FROM handovers FOR UPDATE")
            with pytest.raises(LedgerError, match="another transaction keeps the rows locked"):
                await fill(ledger, a_row(8, conversation="CH1"))
            await fill(ledger, an_open_row(2))
        await works(ledger)


async def test_a_server_that_nobody_answers_at() -> None:
    """The start says that the server cannot be reached, and shows neither user nor password."""
    with pytest.raises(LedgerError, match="the server cannot be reached") as caught:
        await a_ledger("postgresql://me:s3cret@127.0.0.1:1/handovers").__aenter__()
    assert str(caught.value).startswith("postgresql://127.0.0.1:1/handovers: ")


@pytest.mark.parametrize("part", ["database", "username"])
async def test_a_name_that_the_server_does_not_know(postgres_url: str, part: str) -> None:
    """A database or a user that is not there is told apart from a server that is not there."""
    known = make_url(postgres_url)
    url = known.set(database="nobody") if part == "database" else known.set(username="nobody")
    with pytest.raises(LedgerError, match="the server knows no such user or database"):
        await a_ledger(url.render_as_string(hide_password=False)).__aenter__()


async def test_a_password_that_is_wrong(postgres_url: str) -> None:
    """The reason is told without the password, and without the user."""
    reason = reason_of(RuntimeError("s3cret"))
    assert reason == "an error of the kind RuntimeError"
    hba = Path(str(server().pgdata), "pg_hba.conf")
    before = hba.read_text()
    execute("CREATE ROLE guarded LOGIN PASSWORD 'right'")
    hba.write_text("local all guarded scram-sha-256\n" + before)
    execute("SELECT pg_reload_conf()")
    try:
        url = make_url(postgres_url).set(username="guarded", password="s3cret")
        with pytest.raises(LedgerError, match="the server refuses the password") as caught:
            await a_ledger(url.render_as_string(hide_password=False)).__aenter__()
        assert "s3cret" not in str(caught.value)
    finally:
        hba.write_text(before)
        execute("SELECT pg_reload_conf()")
        execute("DROP ROLE guarded")


@pytest.mark.parametrize(
    ("code", "reason"), [("53100", "the server's disk is full"), ("P0001", "the server says P0001 (RaiseException)")]
)
def test_a_reason_is_read_from_the_servers_code(postgres_url: str, code: str, reason: str) -> None:
    """A known code has words of ours, an unknown one is told; the server's own words may hold rows and never are."""
    url = make_url(postgres_url).set(drivername="postgresql+psycopg")
    raising = f"DO $$ BEGIN RAISE EXCEPTION 'a row' USING ERRCODE = '{code}'; END $$"
    engine = create_engine(url)
    with engine.connect() as connection, pytest.raises(Exception, match="a row") as caught:
        connection.exec_driver_sql(raising)
    engine.dispose()
    assert reason_of(caught.value) == reason


def test_an_unknown_reason_of_sqlite_is_told_by_its_name() -> None:
    """SQLite's own words, which may hold a statement, are not shown."""
    with pytest.raises(sqlite3.Error) as caught:
        sqlite3.connect(":memory:").execute("SELECT * FROM customers")
    assert reason_of(caught.value) == "SQLite says SQLITE_ERROR"
    assert reason_of(sqlite3.ProgrammingError("customers")) == "SQLite says ProgrammingError"


async def test_many_rows_are_forgotten_in_portions(file: Path) -> None:
    """Old rows are dropped to the last, in more than one transaction, so that nobody waits long for their turn."""
    commits: list[int] = []
    ledger = DurableLedger(str(file), Holder("us"), Clock(), on_commit=lambda jobs, _seconds: commits.append(jobs))
    async with ledger:
        rows = [a_row(number, conversation="CH1") for number in range(1001)]
        await ledger.decide("CH1", lambda _: (None, rows))
        commits.clear()
        assert await ledger.forget(rows[-1].created) == 1000
        assert commits == [1] * 11
        assert [row.id for row in await ledger.history(Filter())] == ["HO1000"]


async def test_a_decision_sees_the_open_row_however_old(url: str) -> None:
    """Of a conversation with a long history the newest rows are shown, and the open one with them."""
    async with a_ledger(url) as ledger:
        rows = [an_open_row(0, conversation="CH1"), *(a_row(number, conversation="CH1") for number in range(1, 230))]
        await ledger.decide("CH1", lambda _: (None, rows))
        seen = await ledger.decide("CH1", see)
        assert len(seen) == 201
        assert (seen[0].id, seen[199].id, seen[200].id) == ("HO229", "HO30", "HO0")


async def test_a_decision_sees_who_answers_however_many_calls_came_to_nothing(url: str) -> None:
    """Two hundred refusals since do not hide the handover that a hand-back, or the next call, must know of."""
    async with a_ledger(url) as ledger:
        told = a_row(0, conversation="CH1", state=State.ACCEPTED)
        refused = (a_row(number, conversation="CH1", state=State.FAILED) for number in range(1, 230))
        await ledger.decide("CH1", lambda _: (None, [told, *refused]))
        seen = await ledger.decide("CH1", see)
        assert [row.id for row in seen[199:]] == ["HO30", "HO0"]


async def test_the_heart_beats_on_after_a_fault(file: Path) -> None:
    """With nothing in hand it asks nothing; a beat that fails is told by the faults, and the next extends the lease."""
    beats: list[float] = []
    commits: list[int] = []
    other = sqlite3.connect(file, isolation_level=None)

    async def sleep(seconds: float) -> None:
        beats.append(seconds)
        if len(beats) == 2:
            assert commits == []
            await fill(ledger, an_open_row(owner="us", lease=NOW))
            other.execute("BEGIN IMMEDIATE")
        elif len(beats) == 3:
            assert ledger.faults()
            other.execute("ROLLBACK")
        elif len(beats) > 3:
            await ledger.wait("CH2", 30)

    clock = Clock(now=lambda: NOW, sleep=sleep)
    ledger = DurableLedger(
        str(file),
        Holder("us"),
        clock,
        patience=0.1,
        on_commit=lambda jobs, _seconds: commits.append(jobs),
    )
    async with ledger:
        commits.clear()
        while len(beats) < 4:
            await ledger.wait("CH2", 0.01)
        (row,) = await ledger.history(Filter())
        assert row.lease is not None
        assert row.lease > NOW
    other.close()
