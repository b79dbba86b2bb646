"""A process held to a share of a core: stopped when it has used that up, and continued when it has some again.

That is what a control group's quota does, without the rights that one needs; so a machine of two cores can show what
several small ones would do.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING, Final

from bench.processes import cpu_seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LOOK: Final = 0.002
"""Seconds between two looks at what it has used."""

SAVED: Final = 0.005
"""Seconds of CPU that it may have saved up at the most, while it had nothing to do."""


@contextlib.asynccontextmanager
async def held_to(pid: int, share: float) -> AsyncIterator[None]:
    """Hold a process to ``share`` of a core while the block runs."""
    holding = asyncio.create_task(_hold(pid, share))
    try:
        yield
    finally:
        holding.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await holding
        os.kill(pid, signal.SIGCONT)


async def _hold(pid: int, share: float) -> None:
    credit, is_stopped = 0.0, False
    when, used = time.monotonic(), cpu_seconds(pid)
    while True:
        await asyncio.sleep(LOOK)
        now, so_far = time.monotonic(), cpu_seconds(pid)
        credit = min(SAVED, credit + share * (now - when) - (so_far - used))
        when, used = now, so_far
        if (credit < 0) is not is_stopped:
            is_stopped = credit < 0
            os.kill(pid, signal.SIGSTOP if is_stopped else signal.SIGCONT)
