"""One connection, and a thread that waits for it: what arrives together goes into one transaction and one commit."""

from __future__ import annotations

import asyncio
import os
import queue
import socket
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from router.errors import LedgerError
from router.ledger.engine import in_haste
from router.ledger.pace import Pace
from router.ledger.reasons import is_passing, reason_of
from router.ledger.script import Decision, Script

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Engine

    from router.ledger.row import Row

Result = TypeVar("Result")

LARGEST: Final = 256
"""So many jobs one transaction holds at the most."""

ATTEMPTS: Final = 5
"""So often a job is run that other processes are in the way of."""

SILENCE: Final = 10
"""So many times its patience a transaction may last until its connection is cut."""

QUICK: Final = 0.02
"""Seconds that the jobs of a transaction may take in the loop's thread."""

ASIDE: Final = 1.0
"""Seconds for which the loop leaves everything to the thread, once it took longer than that."""


@dataclass(slots=True, eq=False)
class _Job:
    work: Callable[[Connection], Any] | Decision
    future: asyncio.Future[Any]
    order: str
    value: Any = None
    error: Exception | None = field(default=None, repr=False)


@dataclass(slots=True, eq=False)
class _Batch:
    """Jobs that share a transaction; ``made`` is that, where it waits for nothing but its commit."""

    jobs: Sequence[_Job]
    began: float
    made: ExitStack | None = None


class _Spoilt(Exception):
    """A job failed, and with it the transaction that it shared; ``cause`` is the job's error."""

    def __init__(self, cause: Exception) -> None:
        super().__init__()
        self.cause = cause


class Writer:
    """The connection and its thread. ``engine`` makes the connections, ``label`` names the database in errors.

    What may wait, for a lock, a server or the disk, the thread does. Decisions in SQLite wait for nothing before their
    commit, so the loop makes them itself: two threads that pass Python's lock to and fro for each row take a quarter
    longer than one. Where it does wait after all, or anything fails, they are left to the thread from their begin on.

    ``proof`` is a write that leaves nothing behind: it joins the first transaction after a failure, so that a mere read
    does not pass for health. ``patience`` bounds, in seconds, how long the jobs of a spoilt batch are tried one by one.
    ``on_commit`` is told, in the loop, how many jobs a transaction held and how many seconds it took.
    """

    def __init__(
        self,
        engine: Engine,
        label: str,
        proof: Callable[[Connection], object],
        *,
        patience: float = 2.0,
        on_commit: Callable[[int, float], None] | None = None,
    ) -> None:
        self._engine = engine
        self._label = label
        self._proof = proof
        self._script = Script(engine.dialect)
        self._patience = patience
        self._on_commit = on_commit
        self._waiting: list[_Job] = []
        self._batches: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._pace = Pace()
        self._held = 0
        self._is_busy = False
        self._aside_until = 0.0
        self._connection: Connection | None = None
        self._is_closed = False
        self._began: float | None = None
        self.fault = ""
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        self._thread = threading.Thread(target=self._serve, name="ledger", daemon=True)
        self._thread.start()
        self._timer = self._loop.call_later(patience, self._watch)

    async def run(self, work: Callable[[Connection], Result], order: str = "") -> Result:
        """Run ``work`` in a transaction, and give its result once that is committed.

        ``work`` may be run more than once, and must depend on the connection alone. The jobs of a transaction run by
        ``order``: processes that lock the same things in the same order do not wait for each other in a circle.
        Raises LedgerError where the database fails, and what ``work`` raises itself.
        """
        result: Result = await self._ask(work, order)
        return result

    def decide(self, decision: Decision) -> asyncio.Future[tuple[Any, Sequence[Row]]]:
        """Make a decision as ``run`` runs work, together with those that come with it, in the conversations' order."""
        return self._ask(decision, decision.conversation)

    def _ask(self, work: Callable[[Connection], Any] | Decision, order: str) -> asyncio.Future[Any]:
        if self._is_closed:
            raise LedgerError(f"{self._label}: the ledger is closed")
        job = _Job(work, self._loop.create_future(), order)
        self._waiting.append(job)
        self._stir()
        return job.future

    async def close(self) -> None:
        """End the thread once it has done what was asked; waits for it for a bounded time."""
        self._is_closed = True
        self._stir()
        await asyncio.wait({self._ended}, timeout=SILENCE * self._patience)
        self._timer.cancel()

    def _stir(self) -> None:
        """Take up what waits, once this turn of the loop is over or a little later, unless a batch is under way."""
        if self._is_busy:
            return
        if self._waiting:
            self._is_busy = True
            self._loop.call_later(self._pace.pause(self._held), self._take_up)
        elif self._is_closed:
            self._is_busy = True
            self._batches.put(None)

    def _take_up(self) -> None:
        taken, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
        jobs = sorted((job for job in taken if not job.future.done()), key=_order)
        batch = _Batch(jobs, time.monotonic())
        if self._connection is not None and self._is_quick(batch):
            with suppress(Exception), in_haste(self._connection):  # whatever it is, the thread sees to it
                batch.made = self._made(jobs)
            now = time.monotonic()
            if now - batch.began > QUICK:
                self._aside_until = now + ASIDE
        self._batches.put(batch)

    def _is_quick(self, batch: _Batch) -> bool:
        """Say whether a batch waits for nothing before its commit, as far as anybody can tell."""
        is_usual = batch.began >= self._aside_until and not self.fault and not self._script.is_shared
        return is_usual and bool(batch.jobs) and all(map(_is_decision, batch.jobs))

    def _serve(self) -> None:
        while (batch := self._batches.get()) is not None:
            done = self._settle(batch)
            self._loop.call_soon_threadsafe(self._tell, batch, done, time.monotonic() - batch.began)
        self._disconnect()
        self._loop.call_soon_threadsafe(self._ended.set_result, None)

    def _settle(self, batch: _Batch) -> int:
        """Give each job a value or an error; says how many are committed."""
        jobs = batch.jobs
        try:
            if batch.made is not None or len(jobs) > 1:
                self._commit(jobs, batch.made)
            else:
                self._one_by_one(jobs)
        except _Spoilt:
            self._one_by_one(jobs)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            self._fail(jobs, error)
        return sum(job.error is None for job in jobs)

    def _one_by_one(self, jobs: Sequence[_Job]) -> None:
        """Run each alone, so that one that fails spoils no other; a database that fails is not asked for ever."""
        until = time.monotonic() + self._patience
        for number, job in enumerate(jobs):
            error = self._alone(job)
            if error is not None and _is_of_database(error) and time.monotonic() > until:
                self._fail(jobs[number:], error)
                return

    def _alone(self, job: _Job) -> Exception | None:
        """Run one job until it is committed or has failed for good; gives the failure."""
        error: Exception | None = None
        for _ in range(ATTEMPTS):
            error = self._failure_of(job)
            if error is None or not is_passing(error):
                break
        if error is not None:
            self._fail([job], error)
        return error

    def _failure_of(self, job: _Job) -> Exception | None:
        try:
            self._commit([job])
        except _Spoilt as spoilt:
            return spoilt.cause
        except Exception as error:  # noqa: BLE001 - whatever it is, the one who waits must hear of it
            return error
        return None

    def _commit(self, jobs: Sequence[_Job], made: ExitStack | None = None) -> None:
        """Commit jobs, which were ``made`` in a transaction or are run in one now.

        Raises _Spoilt where one of them fails, else what the database raised.
        """
        self._began = time.monotonic()
        try:
            (made or self._made(jobs)).close()
        except Exception as error:
            self._heed(error)
            raise
        finally:
            self._began = None
        self.fault = ""
        for job in jobs:
            job.error = None

    def _made(self, jobs: Sequence[_Job]) -> ExitStack:
        """Run jobs in a transaction, which is left waiting for its commit; raises as ``_commit`` does."""
        connection = self._connected()
        with ExitStack() as transaction:
            transaction.enter_context(self._script.transaction(connection))
            if self.fault:
                self._proof(connection)
            for _, alike in groupby(jobs, key=_is_decision):
                self._attempt(connection, list(alike))
            return transaction.pop_all()

    def _attempt(self, connection: Connection, jobs: list[_Job]) -> None:
        """Run jobs that are all decisions, which are made together, or all other work; raises _Spoilt."""
        works: list[Any] = [job.work for job in jobs]
        is_decision = isinstance(works[0], Decision)
        try:
            made = self._script.decide(connection, works) if is_decision else [work(connection) for work in works]
        except Exception as error:
            raise _Spoilt(error) from error
        for job, value in zip(jobs, made, strict=True):
            job.value = value

    def _heed(self, error: Exception) -> None:
        """Part with a connection that failed."""
        cause = error.cause if isinstance(error, _Spoilt) else error
        if _is_of_database(cause) and not is_passing(cause):
            self._disconnect()

    def _fail(self, jobs: Sequence[_Job], error: Exception) -> None:
        """Give the jobs their error: what a job raised itself as it is, the database's as a LedgerError."""
        if _is_of_database(error):
            self.fault = f"{self._label}: {reason_of(error)}"
        for job in jobs:
            job.error = LedgerError(self.fault) if _is_of_database(error) else error

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.invalidate()
            connection.close()

    def _watch(self) -> None:
        """Cut a connection whose server has fallen silent in the middle of a transaction; looks now and then."""
        if self._began is not None and time.monotonic() - self._began > SILENCE * self._patience:
            self._cut()
        self._timer = self._loop.call_later(self._patience, self._watch)

    def _cut(self) -> None:
        """Shut the socket from outside; the thread that waits on it wakes with an error. SQLite has none."""
        connection = self._connection
        number = getattr(connection and connection.connection.dbapi_connection, "fileno", int)()
        if number:
            with suppress(OSError), socket.socket(fileno=os.dup(number)) as line:
                line.shutdown(socket.SHUT_RDWR)

    def _tell(self, batch: _Batch, done: int, seconds: float) -> None:
        for job in batch.jobs:
            if job.future.done():
                continue
            if job.error is None:
                job.future.set_result(job.value)
            else:
                job.future.set_exception(job.error)
        if done and self._on_commit is not None:
            self._on_commit(done, seconds)
        self._is_busy, self._held = False, len(batch.jobs)
        self._stir()


def _is_of_database(error: Exception) -> bool:
    return isinstance(error, SQLAlchemyError | LedgerError)


def _order(job: _Job) -> str:
    return job.order


def _is_decision(job: _Job) -> bool:
    return isinstance(job.work, Decision)
