from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect

from router.clock import Clock
from router.errors import LedgerError
from router.ledger.address import Address
from router.ledger.durable import DurableLedger
from router.ledger.ledger import Holder
from router.ledger.migration import NEWEST, VERSIONS, is_behind
from router.ledger.table import handovers, metadata, values_of
from tests.ledger.kit import a_row, fill, see, some_news

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
async def migrated(url: str) -> str:
    """A database that the migrations have made, and no other."""
    async with DurableLedger(url, Holder("us"), Clock()):
        return url


@pytest.fixture
def connection(migrated: str) -> Iterator[Connection]:
    engine = create_engine(Address.parse(migrated).url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def shape_of(connection: Connection) -> object:
    """Columns, keys and indexes with their conditions, as the database itself tells them."""
    if connection.dialect.name == "sqlite":
        query = "SELECT name, sql FROM sqlite_master WHERE tbl_name = 'handovers' AND name LIKE 'handovers%' ORDER BY 1"
    else:
        query = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'handovers' ORDER BY 1"
    indexes = [tuple(" ".join(each.split()) for each in row) for row in connection.exec_driver_sql(query)]
    columns = [{**each, "type": str(each["type"])} for each in inspect(connection).get_columns("handovers")]
    return indexes, columns, inspect(connection).get_pk_constraint("handovers")


async def test_the_steps_make_the_table_as_it_is_declared(connection: Connection) -> None:
    """What the migrations yield is what ``table.py`` says, in columns, indexes and their conditions."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSIONS.name, "compare_type": True})
    assert compare_metadata(context, metadata) == []
    by_steps = shape_of(connection)
    metadata.drop_all(connection)
    metadata.create_all(connection)
    assert shape_of(connection) == by_steps
    assert "duty <> ''" in str(by_steps)
    connection.rollback()


def test_the_newest_step_is_the_one_that_the_program_knows() -> None:
    """``NEWEST`` is the only head of the scripts, and versions grow in the order of the steps."""
    config = Config()
    config.set_main_option("script_location", "router.ledger:migrations")
    steps = [step.revision for step in ScriptDirectory.from_config(config).walk_revisions()]
    assert steps[0] == NEWEST
    assert steps == sorted(steps, reverse=True)
    assert len({len(step) for step in steps}) == 1


async def test_a_database_of_a_newer_program_is_left_alone(connection: Connection, migrated: str) -> None:
    """The start refuses it, and says what it found and what to do."""
    connection.execute(VERSIONS.update().values(version_num="0999"))
    connection.commit()
    ledger = DurableLedger(migrated, Holder("us"), Clock())
    with pytest.raises(
        LedgerError, match=rf"are of version 0999, and this program knows {NEWEST} at the most: run the"
    ):
        await ledger.__aenter__()


async def test_rows_outlive_a_start(migrated: str) -> None:
    """A second start finds the database current, and what was kept in it."""
    row = a_row()
    for _ in range(2):
        async with DurableLedger(migrated, Holder("us"), Clock()) as ledger:
            await fill(ledger, row)
            assert list(await ledger.decide("CH1", see)) == [row]


async def test_a_program_of_before_works_beside(connection: Connection, migrated: str) -> None:
    """It knows nothing of news: what it writes has none, and what it changes keeps those that are there."""
    connection.rollback()
    old = [column for column in handovers.c.keys() if not column.startswith("news")]  # noqa: SIM118 - the names, not the columns
    async with DurableLedger(migrated, Holder("us"), Clock()) as ledger:
        kept = a_row(1, news=(some_news(),))
        await fill(ledger, kept)
        written = {name: value for name, value in values_of(a_row(2, conversation="CH1")).items() if name in old}
        connection.execute(handovers.insert().values(written))
        connection.execute(handovers.update().where(handovers.c.id == "HO1").values(reason="changed"))
        connection.commit()
        assert list(await ledger.decide("CH1", see)) == [a_row(2, conversation="CH1"), kept.change(reason="changed")]


async def test_a_database_without_a_step_is_behind(connection: Connection) -> None:
    """A table of versions that is empty counts as none."""
    assert not is_behind(connection)
    connection.execute(VERSIONS.delete())
    assert is_behind(connection)
    connection.rollback()


def test_a_start_with_a_current_database_does_without_alembic(tmp_path: Path) -> None:
    """Alembic takes a good part of a second to import: only a database that is behind makes us do so."""
    program = f"""
import asyncio, sys
from router.clock import Clock
from router.ledger.durable import DurableLedger
from router.ledger.ledger import Holder
async def start():
    async with DurableLedger({str(tmp_path / "handovers.db")!r}, Holder("us"), Clock()):
        print(any(name.startswith("alembic") for name in sys.modules))
asyncio.run(start())
"""
    told = [subprocess.check_output([sys.executable, "-c", program], text=True).strip() for _ in range(2)]
    assert told == ["True", "False"]


def test_memory_does_without_a_database() -> None:
    """A rehearsal imports neither SQLAlchemy nor a driver."""
    program = "import sys, router.ledger.memory; print('sqlalchemy' in sys.modules, 'psycopg' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).split() == ["False", "False"]
