"""Looking at the configuration's files every few seconds: a change is taken when it has come to rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from router.clock import Clock
    from router.web.reload import Reloader


async def watch(reloader: Reloader, every: float, clock: Clock) -> None:
    """Look every so many seconds, for ever; reload when a change stood for two looks.

    The contents count, not times or names, so that links which are swapped and files which are rewritten by a checkout
    are seen for what they are; the second look lets whoever writes several files come to an end.
    """
    pending = ""
    while True:
        await clock.sleep(every)
        found = await reloader.apart(reloader.watch.look)
        if found == reloader.watch.digest:
            pending = ""
        elif found != pending:
            pending = found
        else:
            pending = ""
            await _attend(reloader, "poll")


async def heed(told: asyncio.Event, reloader: Reloader) -> None:
    """Reload whenever ``told`` is set, for ever; who is told several times meanwhile reloads once more."""
    while True:
        await told.wait()
        told.clear()
        await _attend(reloader, "SIGHUP")


async def _attend(reloader: Reloader, by: str) -> None:
    """Reload for somebody who waits for no receipt; a fault of our own is told, and ends nothing."""
    try:
        await reloader.reload(by)
    except Exception:
        reloader.live.desk.log.exception("fault", during="reload")
