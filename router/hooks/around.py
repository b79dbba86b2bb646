"""A plugin's context manager around a swap, in a task of its own: what it opens may be bound to its task."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from router.hooks.answers import surroundings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractAsyncContextManager


class Stay:
    """The time between entering a context manager and leaving it. ``start`` starts a task, and keeps it.

    However its caller fares, what was entered is left: by ``leave``, else by ``abandon``.
    """

    def __init__(self, start: Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]]) -> None:
        loop = asyncio.get_running_loop()
        self._inside: asyncio.Future[None] = loop.create_future()
        self._leaving: asyncio.Future[BaseException | None] = loop.create_future()
        self._start = start
        self._task: asyncio.Task[BaseException | None] | None = None

    @property
    def is_inside(self) -> bool:
        """It was entered."""
        return self._inside.done()

    async def enter(self, answer: Any) -> None:
        """Enter what a plugin answered; raises NoAnswer where it is no context manager, and what entering it raises."""
        self._task = self._start(self._live(surroundings(answer)))
        ends: set[asyncio.Future[Any]] = {self._task, self._inside}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self.abandon()
            raise
        if not self.is_inside:
            raise cast("BaseException", self._task.result())

    async def leave(self, error: BaseException | None) -> None:
        """Leave it, with the ``error`` that ended the block, if one did; raises what leaving it raises instead."""
        assert self._task is not None  # noqa: S101 - it was entered
        self._leaving.set_result(error)
        failure = await self._task
        if failure is not None and failure is not error:
            raise failure

    def abandon(self) -> None:
        """Cancel it where it is, so that it leaves by itself, unless it is on its way out."""
        if self._task is not None and not self._leaving.done():
            self._task.cancel()
            self._leaving.cancel()  # what swallows a cancellation while it is entered is left once it was

    async def _live(self, manager: AbstractAsyncContextManager[Any]) -> BaseException | None:
        try:
            async with manager:
                self._inside.set_result(None)
                await self._left()
        except BaseException as failure:  # noqa: BLE001 - SystemExit out of a task would stop the event loop
            return failure
        return None

    async def _left(self) -> None:
        error = await self._leaving
        if error is not None:
            raise error
