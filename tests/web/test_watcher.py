"""Changes of the files that nobody reports: seen by looking, and taken when they have come to rest."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from router.clock import Clock
from router.web.watcher import watch
from router.workshop import Workshop
from tests.web.kit import REFUNDS, ROUTES, running_router

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from router.web.reload import Reloader
    from tests.web.kit import Router

NEW = ROUTES + "  /tools/new: {flow: refunds}\n"


def reloader_of(router: Router) -> Reloader:
    reloader: Reloader = router.app.state.reloader
    return reloader


class Looks:
    """A clock whose sleep ends when the test says so: each ``look`` lets the watcher look once."""

    def __init__(self) -> None:
        self._asleep = asyncio.Event()
        self._wake = asyncio.Event()
        self.clock = Clock(sleep=self._sleep)
        self.pauses: set[float] = set()

    async def _sleep(self, seconds: float) -> None:
        self.pauses.add(seconds)
        self._asleep.set()
        await self._wake.wait()
        self._wake.clear()

    async def look(self) -> None:
        async with asyncio.timeout(5):
            await self._asleep.wait()
            self._asleep.clear()
            self._wake.set()
            await self._asleep.wait()


async def test_a_change_is_taken_at_the_second_look(tmp_path: Path) -> None:
    """One look sees it, the next one sees it at rest; whoever writes for longer than that is waited for."""
    async with running_router(tmp_path) as router:
        looks, reloader = Looks(), reloader_of(router)
        task = asyncio.create_task(watch(reloader, 2.0, looks.clock))
        await looks.look()
        router.routes.write_text(NEW[:-10])
        await looks.look()
        router.routes.write_text(NEW)
        await looks.look()
        assert "/tools/new" not in reloader.live.desk.routes.tools
        await looks.look()
        assert "/tools/new" in reloader.live.desk.routes.tools
        await looks.look()
        await looks.look()
        assert [entry["event"] for entry in router.entries] == ["reloaded"]
        assert router.entries[0]["by"] == "poll"
        assert looks.pauses == {2.0}
        task.cancel()


async def test_what_is_put_back_in_time_was_no_change(tmp_path: Path) -> None:
    """A file that is removed and written anew between two looks, as a checkout does, reloads nothing."""
    async with running_router(tmp_path) as router:
        looks, reloader = Looks(), reloader_of(router)
        task = asyncio.create_task(watch(reloader, 2.0, looks.clock))
        router.routes.unlink()
        await looks.look()
        router.routes.write_text(ROUTES)
        for _ in range(3):
            await looks.look()
        assert router.entries == []
        task.cancel()


async def test_a_refused_file_is_tried_once(tmp_path: Path) -> None:
    """A broken file is told once, not at every look; its repair is taken."""
    async with running_router(tmp_path) as router:
        looks, reloader = Looks(), reloader_of(router)
        task = asyncio.create_task(watch(reloader, 2.0, looks.clock))
        router.routes.write_text("tools: [")
        for _ in range(6):
            await looks.look()
        assert [entry["event"] for entry in router.entries] == ["reload refused"]
        router.routes.write_text(ROUTES)
        for _ in range(3):
            await looks.look()
        assert reloader.live.troubles == ()
        task.cancel()


async def test_a_fault_of_our_own_does_not_end_the_looking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is logged with its traceback, and the next change is taken."""
    async with running_router(tmp_path) as router:
        router.allow_faults = True
        looks, reloader = Looks(), reloader_of(router)
        task = asyncio.create_task(watch(reloader, 2.0, looks.clock))
        with monkeypatch.context() as patch:
            patch.setattr(Workshop, "try_apart", lambda *_: 1 / 0)
            router.routes.write_text(ROUTES + "# one\n")
            for _ in range(3):
                await looks.look()
        assert [(entry["event"], entry["during"]) for entry in router.entries] == [("fault", "reload")]
        router.routes.write_text(NEW)
        for _ in range(3):
            await looks.look()
        assert "/tools/new" in reloader.live.desk.routes.tools
        task.cancel()


async def test_the_server_looks_by_itself(tmp_path: Path) -> None:
    """A changed file goes live without a word to the server."""
    async with running_router(tmp_path, HANDOVER_POLL="0.05") as router:
        router.routes.write_text(NEW)
        async with asyncio.timeout(5):
            while (await router.call("/tools/new")).status == 404:
                await asyncio.sleep(0.02)
        assert router.flows == [REFUNDS]
