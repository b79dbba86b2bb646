"""Rows of a ledger that are made by SQL: the router must take them for its own."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bench.rows import FINISHED, OWING, copy, multiply
from router.clock import Clock
from router.ledger.durable import DurableLedger
from router.ledger.ledger import Filter
from router.ledger.owner import this_process
from router.ledger.row import Duty, Row, State

if TYPE_CHECKING:
    from pathlib import Path


async def written(file: Path, *rows: Row) -> None:
    async with DurableLedger(f"sqlite:///{file}", this_process(), Clock()) as ledger:
        for row in rows:
            await ledger.decide(row.conversation, lambda _there, row=row: (None, [row]))  # type: ignore[misc]  # bound at once


def finished() -> Row:
    now = Clock().now()
    return Row("HO1", "CH1", "IS1", now, state=State.ACCEPTED, updated=now, accepted=now, finished=now)


async def test_finished_rows_spread_over_the_retention(tmp_path: Path) -> None:
    """A tenth of them is older than ninety days and may be forgotten; the others are read like any row."""
    await written(tmp_path / "source", finished())
    copy(tmp_path / "source", tmp_path / "target")
    multiply(tmp_path / "target", 200, FINISHED)
    clock = Clock()
    async with DurableLedger(f"sqlite:///{tmp_path / 'target'}", this_process(), clock) as ledger:
        assert await ledger.forget(clock.now() - timedelta(days=90, minutes=-1)) == 20
        rows = await ledger.history(Filter(limit=1000))
    assert len(rows) == 181
    assert {row.duty for row in rows} == {Duty.NONE}


async def test_owing_rows_are_open_until_tomorrow(tmp_path: Path) -> None:
    """Each is of a conversation of its own, and is due when the day has passed."""
    now = Clock().now()
    hand = dataclasses.replace(
        finished(), id="HO2", conversation="CH2", duty=Duty.SETTLE, owed=now, due=now, finished=None
    )
    await written(tmp_path / "source", finished(), hand)
    copy(tmp_path / "source", tmp_path / "target")
    multiply(tmp_path / "target", 20, OWING)
    clock = Clock()
    async with DurableLedger(f"sqlite:///{tmp_path / 'target'}", this_process(), clock) as ledger:
        assert await ledger.claim(clock.now(), 50) == []
        assert len(await ledger.claim(clock.now() + timedelta(days=1, minutes=1), 50)) == 20


async def test_no_finished_row_is_a_mistake(tmp_path: Path) -> None:
    """There is nothing to copy then, and a measurement of nothing is none."""
    await written(tmp_path / "source")
    copy(tmp_path / "source", tmp_path / "target")
    with pytest.raises(RuntimeError, match="0 of 3 rows"):
        multiply(tmp_path / "target", 3, FINISHED)
