"""Connections to the database: how they wait, and what a commit stands for."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import Connection, Engine, NullPool, create_engine, event

from router.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from router.ledger.address import Address

Result = TypeVar("Result")

PRAGMAS: Final = ("synchronous = FULL", "temp_store = MEMORY", "journal_size_limit = 4194304", "journal_mode = WAL")
"""FULL: a commit is on the disk when it is told, so that not even a power cut loses what was removed and must be put
back. NORMAL would save one flush a commit, and could lose the last seconds."""

PAUSE: Final = 0.005
"""Seconds between two attempts to get a lock of SQLite's."""

_HASTE: Final = "haste"


class _Connection(sqlite3.Connection):
    """A connection that knows which file stood under its name right before it was opened."""

    file: tuple[int, int] | None = None


def engine_for(address: Address, seconds: float) -> Engine:
    """Make connections that wait for a lock, a statement or a server for about ``seconds``, and then fail.

    The file of SQLite is made here, readable by its owner alone; when it is gone later, it is not made anew: what is
    owed to customers stands in it. Raises LedgerError where it cannot be made.
    """
    if address.file is None:
        return _of_server(address, seconds)
    _make(address.file)
    return _of_file(address.file, seconds)


@contextlib.contextmanager
def in_haste(connection: Connection) -> Iterator[None]:
    """Let what begins in this block not wait for a lock of SQLite's: it fails at once where another has that."""
    info = connection.info
    info[_HASTE] = True
    try:
        yield
    finally:
        del info[_HASTE]


def _make(file: Path) -> None:
    try:
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))
    except OSError as error:
        if not file.is_file():
            raise LedgerError(f"it cannot be made: {error.strerror}; does its directory exist?") from None


def _of_file(file: Path, seconds: float) -> Engine:
    place = f"{file.absolute().as_uri()}?mode=rw"

    def connect() -> sqlite3.Connection:
        # Two threads have it in turns, never at once. For locks we wait ourselves: some SQLite does not wait for, and
        # not every transaction is to wait.
        found = _identity(file)
        connection = _Connection(place, uri=True, timeout=0, isolation_level=None, check_same_thread=False)
        connection.file = found
        try:
            for pragma in PRAGMAS:
                _waiting(seconds, partial(connection.execute, f"PRAGMA {pragma}"))
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    engine = create_engine("sqlite+pysqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)

    def begin(connection: Connection) -> None:
        """Take the lock to write at once, since a later upgrade could fail; never write to a file that is gone.

        By the driver, in a third of SQLAlchemy's time for it: what is raised is an error of the driver.
        """
        there: Any = connection.connection.driver_connection
        if there.file is None or there.file != _identity(file):
            raise LedgerError("the file was moved away or replaced; put it back, or start again")
        cursor = there.cursor()
        _waiting(0 if _HASTE in connection.info else seconds, lambda: cursor.execute("BEGIN IMMEDIATE"))

    event.listen(engine, "begin", begin)
    return engine


def _waiting(seconds: float, work: Callable[[], Result]) -> Result:
    """Do what needs a lock of SQLite's; where another process has that, again until ``seconds`` are over."""
    until = time.monotonic() + seconds
    while True:
        try:
            return work()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(PAUSE)


def _identity(file: Path) -> tuple[int, int] | None:
    """Say which file stands under this name now: the system lets one write on to a file that was removed."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _of_server(address: Address, seconds: float) -> Engine:
    wait = int(seconds * 1000)
    bounds = f"-c lock_timeout={wait} -c statement_timeout={2 * wait} -c idle_in_transaction_session_timeout={5 * wait}"
    return create_engine(
        address.url,
        poolclass=NullPool,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        connect_args={
            "connect_timeout": max(2, round(seconds)),  # libpq knows no shorter one
            "options": f"-c timezone=UTC {bounds}",
            "application_name": "handover-router",
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 2,
            "tcp_user_timeout": 3 * wait,
        },
    )
