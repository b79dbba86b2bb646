"""One call into a plugin, whatever becomes of its task and of ours."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from router.clock import Clock
from router.hooks.attempt import Attempts
from router.hooks.threads import MOST_HUNG


def as_it_is(answer: Any) -> Any:
    return answer


async def test_a_plugin_whose_calls_never_end_is_called_no_more() -> None:
    """Sixteen that swallow their cancellation are left behind for one plugin; it is called again once one has ended."""
    attempts, gate = Attempts(Clock()), asyncio.Event()

    async def endless() -> None:
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                continue

    for _ in range(MOST_HUNG):
        made = await attempts.make("a", endless, as_it_is, 0.001)
        assert str(made.error) == "no answer within 0.001 s"
    made = await attempts.make("a", int, as_it_is, 1)
    assert str(made.error) == "not called: 16 of its calls do not end, though cancelled"
    assert (await attempts.make("b", int, as_it_is, 1)).answer == 0
    gate.set()
    for _ in range(3):
        await asyncio.sleep(0)
    assert (await attempts.make("a", int, as_it_is, 1)).answer == 0


async def test_a_call_that_can_be_cancelled_takes_no_place() -> None:
    """One that is late and ends when it is told to is gone."""
    attempts = Attempts(Clock())
    for _ in range(MOST_HUNG + 1):
        made = await attempts.make("a", asyncio.Event().wait, as_it_is, 0.001)
        assert str(made.error) == "no answer within 0.001 s"
        await asyncio.sleep(0)


async def test_our_own_cancellation_counts_beside_a_plugins() -> None:
    """A plugin that cancels the task that calls it is not felt; who stops that task at the same moment is."""

    def meddle() -> None:
        ours = asyncio.current_task()
        assert ours is not None
        ours.cancel()
        asyncio.get_running_loop().call_soon(ours.cancel)

    work = asyncio.create_task(Attempts(Clock()).make("a", meddle, as_it_is, 1))
    with pytest.raises(asyncio.CancelledError):
        await work
