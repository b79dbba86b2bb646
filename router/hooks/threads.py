"""Plain functions that block, each in a thread of its own, so that a deadline can leave one behind."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import threading
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from router.hooks.failure import NoAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_HUNG: Final = 16
"""So many calls of one plugin may hang in their threads; then it is not called until one of them ends."""


class Threads:
    """The threads of one app's plugins. They are daemons: one that never ends does not keep the process."""

    def __init__(self) -> None:
        self._hung: Counter[str] = Counter()

    async def run(self, plugin: str, function: Callable[[], Any]) -> Any:
        """Call ``function`` in a new thread, in the context of whoever calls; give or raise what comes of it.

        Where the caller is cancelled the thread is left behind, and counts as hung until it ends. Raises NoAnswer where
        too many of ``plugin`` are.
        """
        if self._hung[plugin] >= MOST_HUNG:
            raise NoAnswer(f"not called: {MOST_HUNG} of its calls hang in their threads, and none of them has ended")
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()
        work = partial(self._work, plugin, function, loop, ended)
        threading.Thread(target=contextvars.copy_context().run, args=(work,), name=plugin, daemon=True).start()
        try:
            answer, error = await ended
        except asyncio.CancelledError:
            if ended.cancelled():  # else thread and deadline came to their end together
                self._hung[plugin] += 1
            raise
        if error is not None:
            raise error
        return await answer if inspect.isawaitable(answer) else answer

    def _work(
        self,
        plugin: str,
        function: Callable[[], Any],
        loop: asyncio.AbstractEventLoop,
        ended: asyncio.Future[tuple[Any, BaseException | None]],
    ) -> None:
        answer, error = None, None
        try:
            answer = function()
        except BaseException as raised:  # noqa: BLE001 - it is raised where the call was made
            error = raised
        with contextlib.suppress(RuntimeError):  # nobody is left to tell when the loop has closed
            loop.call_soon_threadsafe(self._tell, plugin, ended, (answer, error))

    def _tell(
        self,
        plugin: str,
        ended: asyncio.Future[tuple[Any, BaseException | None]],
        result: tuple[Any, BaseException | None],
    ) -> None:
        if ended.done():
            self._hung[plugin] -= 1
        else:
            ended.set_result(result)
