"""Why a database did not do what it was asked: one short sentence that holds no secret and nothing of a row."""

from __future__ import annotations

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError, IntegrityError

from router.errors import LedgerError

_SQLITE: Final = {
    "SQLITE_BUSY": "another process keeps it locked; end that process, or wait for it",
    "SQLITE_CONSTRAINT": "a conversation would have two open rows, or a row would be there twice",
    "SQLITE_FULL": "the disk is full; make room",
    "SQLITE_READONLY": "it may not be written; give this process the right to write the file and its directory",
    "SQLITE_CANTOPEN": "it cannot be opened; does the directory exist, and may this process read and write there?",
    "SQLITE_PERM": "this process may not open it; give it the right to read and write the file",
    "SQLITE_NOTADB": "it is no SQLite database; name another file",
    "SQLITE_CORRUPT": "it is damaged; put a copy in its place",
    "SQLITE_IOERR": "the disk does not read or write it; see what the system says about the disk",
}
_POSTGRESQL: Final = {
    "28P01": "the server refuses the password",
    "28000": "the server refuses the user",
    "3D000": "the server has no such database",
    "23505": "a conversation would have two open rows, or a row would be there twice",
    "25006": "the server takes no writes: it is a standby, or read-only",
    "42501": "the user lacks a right on the table",
    "53100": "the server's disk is full",
    "53300": "the server has no connection to spare",
    "55P03": "another transaction keeps the rows locked",
    "57014": "the server took too long",
    "57P01": "the server was shut down",
    "57P03": "the server is not ready yet",
}
_PASSING: Final = ("40001", "40P01")
"""A serialization failure and a deadlock: the same again works."""


def reason_of(error: Exception) -> str:
    """Say why, and what to do; of an unknown error only its kind."""
    if isinstance(error, LedgerError):
        return str(error)
    found = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(found, sqlite3.Error):
        name = getattr(found, "sqlite_errorname", "") or type(found).__name__
        return next((words for known, words in _SQLITE.items() if name.startswith(known)), f"SQLite says {name}")
    state = getattr(found, "sqlstate", None)
    if state:
        return _POSTGRESQL.get(state, f"the server says {state} ({type(found).__name__})")
    if isinstance(error, DBAPIError):
        return _of_no_state(str(found))
    return f"an error of the kind {type(error).__name__}"


def _of_no_state(said: str) -> str:
    """Read what libpq says of a connection that it did not get; it gives no code for that."""
    if "password" in said:
        return _POSTGRESQL["28P01"]
    if "does not exist" in said:
        return "the server knows no such user or database"
    return "the server cannot be reached, or has closed the connection"


def is_passing(error: Exception) -> bool:
    """Say whether the same may work at once: another process was faster, or in the way."""
    return isinstance(error, IntegrityError) or (
        isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _PASSING
    )
