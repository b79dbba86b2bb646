from __future__ import annotations

import asyncio

import pytest

from router.swap.background import Background


async def test_work_is_kept_until_it_ends() -> None:
    """Work is counted while it goes on, gives its result, and is let go afterwards."""
    background = Background(lambda _error: None)

    async def work() -> str:
        await asyncio.sleep(0)
        return "done"

    task = background.start(work())
    assert len(background) == 1
    assert await task == "done"
    assert len(background) == 0


async def test_work_that_breaks_is_reported() -> None:
    """An exception that nobody waits for is told, and once."""
    told: list[BaseException] = []
    background = Background(told.append)

    async def work() -> None:
        raise RuntimeError("it broke")

    background.start(work())
    assert await background.drain(1) == 0
    assert [str(error) for error in told] == ["it broke"]


async def test_draining_waits_also_for_work_that_work_started() -> None:
    """A repair that begins while the app stops gets the same patience as the handover that owes it."""
    background, told = Background(lambda _error: None), list[str]()

    async def repair() -> None:
        await asyncio.sleep(0.02)
        told.append("repaired")

    async def work() -> None:
        await asyncio.sleep(0.02)
        background.start(repair())

    background.start(work())
    assert await background.drain(2) == 0
    assert told == ["repaired"]


async def test_draining_has_an_end() -> None:
    """What goes on after the patience is over is cancelled and counted, and cancelling is no fault to report."""
    told: list[BaseException] = []
    background = Background(told.append)
    tasks = [background.start(asyncio.sleep(30)) for _ in range(2)]
    assert await background.drain(0.02) == 2
    assert all(task.cancelled() for task in tasks)
    assert (len(background), told) == (0, [])


async def test_what_cannot_take_its_leave_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that is ended would let its row go; where the ledger hangs the process ends all the same."""
    monkeypatch.setattr("router.swap.background.PARTING", 0.02)
    background, works = Background(lambda _error: None), asyncio.Event()

    async def leave() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await works.wait()

    work = background.start(leave())
    async with asyncio.timeout(5):
        assert await background.drain(0.02) == 1
    assert not work.done()
    works.set()
    await asyncio.wait({work})
    assert work.cancelled()


@pytest.mark.parametrize("patience", [0, 1])
async def test_draining_nothing_takes_no_time(patience: float) -> None:
    """Without work there is nothing to wait for."""
    async with asyncio.timeout(0.5):
        assert await Background(lambda _error: None).drain(patience) == 0
