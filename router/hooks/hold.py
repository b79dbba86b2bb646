"""For how long a plugin holds the event loop: meanwhile no other call goes on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from router.clock import Clock


class Hold:
    """Measures steps by ``clock``; ``longest`` is the longest of them, in seconds, and of those that were before."""

    def __init__(self, clock: Clock, longest: float) -> None:
        self.longest = longest
        self._clock = clock

    def measured(self, step: Callable[[], Any]) -> Any:
        """Take a step."""
        started = self._clock.monotonic()
        try:
            return step()
        finally:
            self.longest = max(self.longest, self._clock.monotonic() - started)

    async def awaited(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Await ``work``, and measure each of its steps."""
        return await _Steps(self, work)


class _Steps:
    def __init__(self, hold: Hold, work: Coroutine[Any, Any, Any]) -> None:
        self._hold = hold
        self._work = work

    def __await__(self) -> Generator[Any, Any, Any]:
        step = partial(self._work.send, None)
        while True:
            try:
                waited = self._hold.measured(step)
            except StopIteration as done:
                return done.value
            try:
                value = yield waited
            except BaseException as thrown:  # noqa: BLE001 - it is meant for the work, like a cancellation
                step = partial(self._work.throw, thrown)
            else:
                step = partial(self._work.send, value)
