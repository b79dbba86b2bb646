from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine

from router.clock import Clock
from router.ledger.address import Address
from router.ledger.durable import DurableLedger
from router.ledger.ledger import Holder
from router.ledger.memory import MemoryLedger
from router.ledger.table import metadata
from tests.ledger.kit import NOW
from tests.postgres import postgres_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from sqlalchemy import Connection

__all__ = ["postgres_url"]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh database of each kind."""
    if request.param == "sqlite":
        return str(tmp_path / "handovers.db")
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    """A connection to a database that has the table."""
    engine = create_engine(Address.parse(url).url)
    with engine.begin() as connection:
        metadata.create_all(connection)
        yield connection
    engine.dispose()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MemoryLedger | DurableLedger]:
    """A ledger of each kind, whose holder is ``us`` and whose time stands still."""
    clock = Clock(now=lambda: NOW)
    if request.param == "memory":
        yield MemoryLedger(clock, Holder("us"))
        return
    is_file = request.param == "sqlite"
    place = str(tmp_path / "handovers.db") if is_file else str(request.getfixturevalue("postgres_url"))
    async with DurableLedger(place, Holder("us"), clock) as durable:
        yield durable
