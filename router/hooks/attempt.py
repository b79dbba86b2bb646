"""One call into a plugin: bounded in time, and its failure caught whatever it is."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from router.hooks.failure import NoAnswer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from router.clock import Clock


@dataclass(frozen=True, slots=True)
class Attempt:
    """How a call went: ``answer`` counts only where ``error`` is None."""

    answer: Any
    error: BaseException | None
    seconds: float


class Attempts:
    """Makes calls with one deadline, in seconds, for each.

    A coroutine that is not done in time is cancelled and left behind. A plain function cannot be interrupted: it runs
    on the event loop, and its answer counts no more when it comes late.
    """

    def __init__(self, deadline: float, clock: Clock) -> None:
        self.deadline = deadline
        self._clock = clock
        self._running: set[asyncio.Task[tuple[Any, BaseException | None]]] = set()

    async def make(self, call: Callable[[], Any], accept: Callable[[Any], Any]) -> Attempt:
        """Call, await what is awaitable, and let ``accept`` turn the answer into what counts, or raise.

        Raises nothing but the CancelledError of whoever awaits this: all that comes out of the plugin,
        SystemExit, KeyboardInterrupt and its own CancelledError too, is the attempt's ``error``.
        """
        started = self._clock.monotonic()
        answer, error = await self._ask(call, accept)
        seconds = self._clock.monotonic() - started
        if error is None and seconds > self.deadline:
            error = NoAnswer(f"the answer came after {seconds:.1f} s, the deadline is {self.deadline:g} s")
        return Attempt(answer, error, seconds)

    async def _ask(self, call: Callable[[], Any], accept: Callable[[Any], Any]) -> tuple[Any, BaseException | None]:
        try:
            answer = call()
            if not inspect.isawaitable(answer):
                return accept(answer), None
        except BaseException as error:  # noqa: BLE001 - a plugin's SystemExit must not end the server
            return None, error
        # A task of its own tells the plugin's cancellation from ours, and can be left behind when it will not end.
        task = asyncio.ensure_future(_settled(answer, accept))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            await asyncio.wait({task}, timeout=self.deadline)
        finally:
            task.cancel()
        return task.result() if task.done() else (None, NoAnswer(f"no answer within {self.deadline:g} s"))


async def _settled(answer: Awaitable[Any], accept: Callable[[Any], Any]) -> tuple[Any, BaseException | None]:
    try:
        return accept(await answer), None
    except BaseException as error:  # noqa: BLE001 - SystemExit out of a task would stop the event loop
        return None, error
