"""Bring a database up to what this program knows, at start, however many processes start at once."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, MetaData, Table, Text, inspect, select, text

from router.errors import LedgerError

if TYPE_CHECKING:
    from sqlalchemy import Connection

NEWEST: Final = "0002"
"""The last step in ``migrations/versions``."""

VERSIONS: Final = Table("handovers_version", MetaData(), Column("version_num", Text))

LOCK: Final = 0x48414E444F564552
"""The number of PostgreSQL's advisory lock that a migration holds: "HANDOVER"."""

PATIENCE: Final = "SET LOCAL lock_timeout = '15s'; SET LOCAL statement_timeout = '15s'"


def is_behind(connection: Connection) -> bool:
    """Say whether steps are missing; raises LedgerError where a newer program wrote the database."""
    found = _version(connection)
    if found > NEWEST:
        raise LedgerError(
            f"its tables are of version {found}, and this program knows {NEWEST} at the most: "
            "run the newer program, or name another database in HANDOVER_DATABASE_URL"
        )
    return found < NEWEST


def prepare() -> None:
    """Import alembic, which takes a while, before a transaction is open; a start with a current database never does."""
    importlib.import_module("alembic.command")


def migrate(connection: Connection) -> None:
    """Take the steps that are missing, one process at a time; whoever comes second finds nothing to do.

    SQLite's transaction is a write from its begin on, and so is the lock.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(PATIENCE)
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    if is_behind(connection):
        command, configuration = (importlib.import_module(f"alembic.{name}") for name in ("command", "config"))
        config: Any = configuration.Config(attributes={"connection": connection})
        config.set_main_option("script_location", "router.ledger:migrations")
        command.upgrade(config, "head")


def _version(connection: Connection) -> str:
    if not inspect(connection).has_table(VERSIONS.name):
        return ""
    return connection.scalar(select(VERSIONS.c.version_num)) or ""
