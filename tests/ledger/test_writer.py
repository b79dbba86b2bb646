from __future__ import annotations

import asyncio
import threading
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from router.errors import LedgerError
from router.ledger.address import Address
from router.ledger.engine import engine_for
from router.ledger.writer import ATTEMPTS, Writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from sqlalchemy import Connection


class Gate:
    """A job that holds the thread until it is opened, so that what comes meanwhile comes together."""

    def __init__(self) -> None:
        self._reached = asyncio.Event()
        self._opened = threading.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self, _: Connection) -> None:
        self._loop.call_soon_threadsafe(self._reached.set)
        assert self._opened.wait(20)

    async def reached(self) -> None:
        await self._reached.wait()

    def open(self) -> None:
        self._opened.set()


class Together:
    """Run jobs so that they stand in one batch."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def __call__(self, *jobs: Callable[[Connection], Any], orders: str = "") -> list[Any]:
        gate = Gate()
        first = asyncio.create_task(self._writer.run(gate))
        await gate.reached()
        names = orders or " " * len(jobs)
        tasks = [asyncio.create_task(self._writer.run(job, name)) for job, name in zip(jobs, names, strict=True)]
        await asyncio.sleep(0)
        gate.open()
        await first
        return await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def a_writer(url: str, patience: float = 2.0) -> AsyncIterator[tuple[Writer, list[int]]]:
    """A writer with a table ``things`` of unique numbers, and the sizes of its transactions."""
    sizes: list[int] = []
    engine = engine_for(Address.parse(url), patience)
    writer = Writer(engine, "here", prove, patience=patience, on_commit=lambda jobs, _seconds: sizes.append(jobs))
    await writer.run(lambda connection: connection.exec_driver_sql("CREATE TABLE things (number INTEGER PRIMARY KEY)"))
    sizes.clear()
    yield writer, sizes
    await writer.close()


def prove(connection: Connection) -> None:
    connection.exec_driver_sql("INSERT INTO things VALUES (-1)")
    connection.exec_driver_sql("DELETE FROM things WHERE number = -1")


def put(number: int) -> Callable[[Connection], int]:
    def work(connection: Connection) -> int:
        connection.execute(text("INSERT INTO things VALUES (:number)"), {"number": number})
        return number

    return work


def numbers(connection: Connection) -> list[int]:
    return list(connection.execute(text("SELECT number FROM things ORDER BY 1")).scalars())


def refuse(_: Connection) -> None:
    raise ValueError("no")


def err(connection: Connection) -> None:
    connection.exec_driver_sql("SELECT * FROM nothing")


async def test_what_arrives_together_is_committed_together(url: str) -> None:
    """A hundred jobs that come while the thread is busy share one transaction, and each gets its own result."""
    async with a_writer(url) as (writer, sizes):
        assert await Together(writer)(*map(put, range(100))) == list(range(100))
        assert sizes == [1, 100]


async def test_a_transaction_holds_a_bounded_number_of_jobs(url: str) -> None:
    """More jobs than one transaction takes are spread over several."""
    async with a_writer(url) as (writer, sizes):
        assert await Together(writer)(*map(put, range(300))) == list(range(300))
        assert sizes == [1, 256, 44]


async def test_jobs_run_in_their_order(url: str) -> None:
    """Two processes that lock the same things lock them in the same order."""
    async with a_writer(url) as (writer, _):
        assert await Together(writer)(numbers, put(1), numbers, orders="cab") == [[1], 1, [1]]


@pytest.mark.parametrize(("bad", "error"), [(refuse, ValueError), (err, LedgerError), (put(1), LedgerError)])
async def test_a_job_that_fails_spoils_no_other(url: str, bad: Callable[[Connection], Any], error: type) -> None:
    """The others of its batch are committed all the same, and it alone gets its error."""
    async with a_writer(url) as (writer, sizes):
        first, failure, last = await Together(writer)(put(1), bad, put(2))
        assert (first, type(failure), last) == (1, error, 2)
        assert await writer.run(numbers) == [1, 2]
        assert sizes == [1, 2, 1]


async def test_a_job_that_others_are_in_the_way_of_is_run_again(url: str) -> None:
    """A unique value that another process has just put there may be seen by the next attempt."""
    attempts: Iterator[int] = iter([1, 1, 2])

    def put_next(connection: Connection) -> int:
        return put(next(attempts))(connection)

    async with a_writer(url) as (writer, _):
        await writer.run(put(1))
        assert await writer.run(put_next) == 2
        assert next(attempts, None) is None


async def test_a_job_is_not_run_again_for_ever(url: str) -> None:
    """After some attempts it fails, and the error shows neither the statement nor its values."""
    attempts = iter(range(1, 99))

    def put_again(connection: Connection) -> None:
        next(attempts)
        put(7654321)(connection)

    async with a_writer(url) as (writer, _):
        await writer.run(put(7654321))
        with pytest.raises(LedgerError, match=r"^here: a conversation would have two open rows") as caught:
            await writer.run(put_again)
        assert next(attempts) == ATTEMPTS + 1
        assert "7654321" not in str(caught.value)
        assert caught.value.__cause__ is None


async def test_a_job_that_was_given_up_is_not_run(url: str) -> None:
    """Who no longer waits when its turn comes has changed nothing, also where the whole batch is given up."""
    async with a_writer(url) as (writer, _):
        gate = Gate()
        first = asyncio.create_task(writer.run(gate))
        await gate.reached()
        given_up = asyncio.create_task(writer.run(put(1)))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
        gate.open()
        await first
        assert await writer.run(numbers) == []


async def test_a_job_that_is_given_up_while_it_runs_is_done(url: str) -> None:
    """Its result is nobody's, and the thread goes on."""
    async with a_writer(url) as (writer, _):
        gate = Gate()
        first = asyncio.create_task(writer.run(gate))
        await gate.reached()
        first.cancel()
        gate.open()
        assert await writer.run(put(1)) == 1


async def test_a_database_that_fails_is_not_asked_for_each_job(url: str) -> None:
    """Once its patience is over, the rest of a batch gets the error that the last one got."""

    def slow(connection: Connection) -> None:
        time.sleep(0.05)
        err(connection)

    async with a_writer(url, patience=0.04) as (writer, _):
        failures = await Together(writer)(slow, put(1), put(2))
        assert [type(each) for each in failures] == [LedgerError] * 3
        assert len({str(each) for each in failures}) == 1
        assert await writer.run(numbers) == []


async def test_after_a_failure_health_wants_a_write(url: str) -> None:
    """The fault stands until a transaction was committed that has written."""
    async with a_writer(url) as (writer, _):
        with pytest.raises(LedgerError):
            await writer.run(err)
        assert writer.fault.startswith("here: ")
        assert await writer.run(numbers) == []
        assert writer.fault == ""


async def test_a_closed_writer_has_done_what_it_was_asked(url: str) -> None:
    """What came before the end is committed, what comes after it is refused; to close twice does no harm."""
    async with a_writer(url) as (writer, _):
        jobs = [asyncio.create_task(writer.run(put(number))) for number in range(5)]
        await asyncio.sleep(0)
        await writer.close()
        await writer.close()
        assert await asyncio.gather(*jobs) == list(range(5))
        writer._thread.join(5)
        assert not writer._thread.is_alive()
        with pytest.raises(LedgerError, match="the ledger is closed"):
            await writer.run(numbers)


async def test_the_end_does_not_wait_for_ever(tmp_path: object) -> None:
    """A thread that hangs in a job is left behind once patience is over."""
    async with a_writer(f"{tmp_path}/handovers.db", patience=0.01) as (writer, _):
        gate = Gate()
        job = asyncio.create_task(writer.run(gate))
        await gate.reached()
        await writer.close()
        assert not job.done()
        gate.open()
        await job


async def test_a_silent_server_is_given_up(postgres_url: str) -> None:
    """A server that says nothing in the middle of a transaction is cut off; the next one works."""

    def sleep(connection: Connection) -> None:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SELECT pg_sleep(30)")

    async with a_writer(postgres_url, patience=0.05) as (writer, _), asyncio.timeout(10):
        with pytest.raises(LedgerError, match="cannot be reached, or has closed the connection"):
            await writer.run(sleep)
        assert await writer.run(put(1)) == 1


async def test_a_slow_file_is_left_alone(tmp_path: object) -> None:
    """SQLite has no server to cut off: what takes long is waited for."""

    def think(connection: Connection) -> int:
        time.sleep(0.2)
        return put(1)(connection)

    async with a_writer(f"{tmp_path}/handovers.db", patience=0.01) as (writer, _):
        assert await writer.run(think) == 1
