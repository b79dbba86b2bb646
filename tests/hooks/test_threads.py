"""Plugins that block: each call of a plain function in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest

from router import Outcome
from router.hooks.failure import NoAnswer
from router.hooks.threads import MOST_HUNG, Threads
from tests.hooks.kit import HANDOVER, LISTED, TWILIO, bench, use

if TYPE_CHECKING:
    from pathlib import Path

WHOSE: ContextVar[str] = ContextVar("whose", default="nobody's")
BLOCKING = """
import threading
from contextvars import copy_context

@hookimpl
def plugin_info():
    return {"blocking": True}

@hookimpl
def before_swap(handover):
    return handover.replace(message=threading.current_thread().name)

@hookimpl
async def add_attributes():
    return {"main": threading.current_thread() is threading.main_thread()}

@hookimpl
def after_swap():
    async def later():
        print("later", threading.current_thread() is threading.main_thread())
    return later()
"""


async def test_only_plain_functions_leave_the_event_loop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A def runs in a thread named for the plugin; an async def, and what a def gives to await, run where they did."""
    made = bench(tmp_path, a=BLOCKING)
    uses = (use("a"),)
    assert (await made.host.before_swap(HANDOVER, uses, LISTED.get, TWILIO)).message == "a"
    assert await made.host.add_attributes(HANDOVER, uses) == {"main": True}
    await made.host.after_swap(HANDOVER, Outcome.HANDED_OVER, uses, TWILIO)
    assert capsys.readouterr().out == "later True\n"
    assert made.reports == []


async def test_a_thread_has_the_context_of_its_call() -> None:
    """What a handover gathers about its requests to Twilio reaches the thread too."""
    WHOSE.set("mine")
    assert await Threads().run("a", WHOSE.get) == "mine"


async def test_a_plugin_that_hangs_again_and_again_is_called_no_more() -> None:
    """Sixteen threads at most are left behind for one plugin; others are called, and so is it once one has ended."""
    threads = Threads()
    gates = [threading.Event() for _ in range(MOST_HUNG)]
    calls = [asyncio.create_task(threads.run("a", gate.wait)) for gate in gates]
    await asyncio.sleep(0)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    with pytest.raises(NoAnswer, match="not called: 16 of its calls hang in their threads, and none of them has ended"):
        await threads.run("a", int)
    assert await threads.run("b", int) == 0
    gates[0].set()
    async with asyncio.timeout(5):
        while True:
            try:
                assert await threads.run("a", int) == 0
                break
            except NoAnswer:
                await asyncio.sleep(0.001)
    for gate in gates:
        gate.set()


async def test_a_thread_that_ends_with_its_deadline_does_not_hang() -> None:
    """The thread has ended, and its caller is cancelled before it knows: that takes no place away."""
    calls: list[asyncio.Task[int]] = []

    class Untimely(Threads):
        def _tell(self, *given: Any) -> None:
            super()._tell(*given)
            calls[-1].cancel()

    threads = Untimely()
    for _ in range(MOST_HUNG + 1):
        calls.append(asyncio.create_task(threads.run("a", int)))
        with pytest.raises(asyncio.CancelledError):
            await calls[-1]


def test_a_thread_that_ends_after_the_loop_tells_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    """The app has stopped meanwhile, and nothing is printed about it."""
    gate = threading.Event()

    async def hang() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await Threads().run("straggler", gate.wait)

    asyncio.run(hang())
    (straggler,) = [thread for thread in threading.enumerate() if thread.name == "straggler"]
    gate.set()
    straggler.join(5)
    assert not straggler.is_alive()
    assert capfd.readouterr().err == ""
