"""One call into a plugin: bounded in time, and its failure caught whatever it is."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from router.hooks.failure import NoAnswer
from router.hooks.hold import Hold
from router.hooks.threads import MOST_HUNG

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from router.clock import Clock


class Attempt(NamedTuple):
    """How a call went: ``answer`` counts only where ``error`` is None.

    ``held`` are the seconds for which nothing else could go on, at a stretch. (A tuple: one is made for each call.)
    """

    answer: Any
    error: BaseException | None
    seconds: float
    held: float = 0.0


class Attempts:
    """Makes calls that have a deadline.

    A coroutine that is not done in time is cancelled and left behind. What holds the event loop cannot be interrupted:
    its answer counts no more when it comes late. Who had to wait for that meanwhile is not late for it. A plugin of
    which too many calls will not end is not called until one of them does.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._running: set[asyncio.Task[Any]] = set()
        self._hung: Counter[str] = Counter()

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task that may be left behind: it is kept until it ends."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def make(
        self, plugin: str, call: Callable[[], Any], accept: Callable[[Any], Any], deadline: float
    ) -> Attempt:
        """Call a function of ``plugin``, await what is awaitable, and let ``accept`` make of it what counts, or raise.

        What ``accept`` gives is awaited too, where it is a coroutine; all of it within ``deadline`` seconds. Raises
        nothing but the CancelledError of whoever awaits this: all that comes out of the plugin, SystemExit,
        KeyboardInterrupt and its own CancelledError too, is the attempt's ``error``.
        """
        if self._hung and self._hung[plugin] >= MOST_HUNG:
            return Attempt(None, NoAnswer(f"not called: {MOST_HUNG} of its calls do not end, though cancelled"), 0.0)
        ours = cast("asyncio.Task[Any]", asyncio.current_task())
        before = ours.cancelling()
        started = self._clock.monotonic()
        answer, is_awaitable, error = _tried(call)
        held = self._clock.monotonic() - started
        if error is None and not is_awaitable:
            answer, is_awaitable, error = _accepted(accept, answer)
            accept = _as_it_is
        has_cancelled = ours.cancelling() > before
        if has_cancelled:
            await _take_back(ours, before)
        if is_awaitable:
            hold = Hold(self._clock, held)
            answer, error = await self._wait(plugin, answer, accept, hold, deadline)
            held = hold.longest
        if error is None and held > deadline:
            late = f"it held the event loop for {held:.2g} s, and {deadline:.2g} s is the deadline"
            answer, error = None, NoAnswer(late)
        if error is None and has_cancelled:
            answer, error = None, NoAnswer("it cancelled the task that called it")
        return Attempt(answer, error, self._clock.monotonic() - started, held)

    def make_at_once(self, call: Callable[[], Any], accept: Callable[[Any], Any]) -> Attempt:
        """Call where no event loop runs, as ``make`` does; raises KeyboardInterrupt, which is the operator's."""
        started = self._clock.monotonic()
        answer, error = None, None
        try:
            answer = accept(answered_at_once(call))
        except KeyboardInterrupt:
            raise
        except BaseException as raised:  # noqa: BLE001 - whatever ends one plugin, SystemExit too, the others still load
            error = raised
        return Attempt(answer, error, self._clock.monotonic() - started)

    async def _wait(
        self, plugin: str, answer: Awaitable[Any], accept: Callable[[Any], Any], hold: Hold, deadline: float
    ) -> tuple[Any, BaseException | None]:
        # A task of its own tells the plugin's cancellation from ours, and can be left behind when it will not end.
        task = self.start(hold.awaited(_settled(answer, accept)))
        try:
            await asyncio.wait({task}, timeout=None if deadline == math.inf else deadline)
        finally:
            if task.cancel():
                self._hung[plugin] += 1
                task.add_done_callback(lambda _task: self._hung.subtract((plugin,)))
        result: tuple[Any, BaseException | None] = (None, NoAnswer(f"no answer within {deadline:.2g} s"))
        return task.result() if task.done() else result


def answered_at_once(call: Callable[[], Any]) -> Any:
    """Call a function, also where it is ``async def`` and has nothing to wait for; else its coroutine is closed."""
    answer = call()
    if not inspect.iscoroutine(answer):
        return answer
    try:
        answer.send(None)
    except StopIteration as done:
        return done.value
    answer.close()
    return answer


async def _take_back(ours: asyncio.Task[Any], before: int) -> None:
    """Undo a plugin's cancellations of our task, which had ``before``; raises CancelledError where others add one."""
    number = ours.cancelling() - before
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        for _ in range(number):
            ours.uncancel()
        if ours.cancelling() > before:
            raise


def _tried(call: Callable[[], Any]) -> tuple[Any, bool, BaseException | None]:
    """Call a plugin: its answer, whether that is to be awaited, and what came instead of it."""
    try:
        answer = call()
        return answer, answer is not None and inspect.isawaitable(answer), None
    except BaseException as error:  # noqa: BLE001 - a plugin's SystemExit must not end the server
        return None, False, error


def _accepted(accept: Callable[[Any], Any], answer: Any) -> tuple[Any, bool, BaseException | None]:
    """Accept what a plugin has answered, which may be a call into it too; otherwise as above."""
    try:
        accepted = accept(answer)
        return accepted, inspect.iscoroutine(accepted), None
    except BaseException as error:  # noqa: BLE001 - as above
        return None, False, error


async def _settled(answer: Awaitable[Any], accept: Callable[[Any], Any]) -> tuple[Any, BaseException | None]:
    try:
        accepted = accept(await answer)
        return await accepted if inspect.iscoroutine(accepted) else accepted, None
    except BaseException as error:  # noqa: BLE001 - SystemExit out of a task would stop the event loop
        return None, error


def _as_it_is(answer: Any) -> Any:
    return answer
