# ruff: noqa: ASYNC240 - a test may move a small file
"""Which thread makes a decision: the loop's where nothing is to be waited for, the ledger's in all other cases."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from router.clock import Clock
from router.ledger.durable import DurableLedger
from router.ledger.ledger import Holder
from router.ledger.writer import QUICK
from tests.ledger.kit import NOW, a_row, fill, keep, see

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from router.ledger.row import Row


@asynccontextmanager
async def a_ledger(url: str) -> AsyncIterator[DurableLedger]:
    async with DurableLedger(url, Holder("us"), Clock(now=lambda: NOW), patience=5) as ledger:
        yield ledger


def here() -> str:
    """Name this thread, which is the loop's."""
    return threading.current_thread().name


def whose(_: Sequence[Row]) -> tuple[str, Sequence[Row]]:
    """Tell which thread decides."""
    return threading.current_thread().name, ()


def ponder(rows: Sequence[Row]) -> tuple[str, Sequence[Row]]:
    """Tell it too, but take long."""
    time.sleep(2 * QUICK)
    return whose(rows)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "handovers.db"


async def test_a_file_is_decided_about_in_the_loop(file: Path) -> None:
    """SQLite answers at once, so no other thread need have Python's lock; only the commit waits, in its thread."""
    async with a_ledger(str(file)) as ledger:
        assert await ledger.decide("CH1", whose) == here()


async def test_a_server_is_waited_for_in_the_thread(postgres_url: str) -> None:
    """PostgreSQL answers when it does."""
    async with a_ledger(postgres_url) as ledger:
        assert await ledger.decide("CH1", whose) == "ledger"


async def test_a_lock_holds_up_the_thread_and_not_the_loop(file: Path) -> None:
    """While another process writes the loop goes on, else it could not end that here; decided is when it has ended."""
    async with a_ledger(str(file)) as ledger:
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        decided = asyncio.create_task(ledger.decide("CH1", whose))
        await asyncio.sleep(0.05)
        assert not decided.done()
        other.execute("ROLLBACK")
        assert await decided == "ledger"
        assert await ledger.decide("CH1", whose) == here()
        other.close()


async def test_a_slow_file_holds_up_the_loop_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After that it is the thread's for a while, and then the loop tries again."""
    monkeypatch.setattr("router.ledger.writer.ASIDE", 0.2)
    async with a_ledger(str(file)) as ledger:
        assert await ledger.decide("CH1", ponder) == here()
        assert await ledger.decide("CH1", ponder) == "ledger"
        assert await ledger.decide("CH1", whose) == "ledger"
        await asyncio.sleep(0.2)
        assert await ledger.decide("CH1", whose) == here()


async def test_a_decision_that_fails_spoils_no_other(url: str) -> None:
    """Those that came with it are kept all the same, and it alone gets its error."""

    def refuse(_: Sequence[Row]) -> tuple[None, Sequence[Row]]:
        raise ValueError("no")

    async with a_ledger(url) as ledger:
        decisions = (("CH1", keep(a_row(1))), ("CH2", refuse), ("CH3", keep(a_row(3))))
        made = await asyncio.gather(*(ledger.decide(*each) for each in decisions), return_exceptions=True)
        assert [type(each) for each in made] == [type(None), ValueError, type(None)]
        kept = [await ledger.decide(name, see) for name in ("CH1", "CH2", "CH3")]
        assert [[row.id for row in rows] for rows in kept] == [["HO1"], [], ["HO3"]]


async def test_what_fails_is_decided_about_in_the_thread_until_it_works(file: Path) -> None:
    """A file that is gone fails in the thread; put back, the first commit there makes the loop trust it again."""
    away = file.with_name("away")
    async with a_ledger(str(file)) as ledger:
        await fill(ledger, a_row())
        file.rename(away)
        with pytest.raises(Exception, match="moved away"):
            await ledger.decide("CH1", whose)
        away.rename(file)
        assert await ledger.decide("CH1", whose) == "ledger"
        assert await ledger.decide("CH1", whose) == here()
