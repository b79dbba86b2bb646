"""The line before Twilio: so many handovers at the same time, so many calls that wait, and not one more."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from router.turnstile import Turnstile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractAsyncContextManager


class Withdrawn(Exception):
    """A call waited until its deadline and did not begin; its caller was told so."""


class Line:
    """Bounds what one process has in flight: ``places`` handovers that talk with Twilio, ``queue`` calls in all."""

    def __init__(self, places: int = 100, queue: int = 1000) -> None:
        self._places = Turnstile(places)
        self._queue = queue
        self._calls: set[object] = set()

    @property
    def is_full(self) -> bool:
        """One more call would only wait: better to say so at once."""
        return len(self._calls) >= self._queue

    def join(self, work: asyncio.Task[None]) -> None:
        """Count ``work`` as a call in flight from now on, until it leaves or has ended."""
        self._calls.add(work)
        work.add_done_callback(self._calls.discard)

    def leave(self) -> None:
        """Count the task that asks for it no more: what it still has to do concerns neither Twilio nor its caller."""
        self._calls.discard(asyncio.current_task())

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        """Count a call as one in flight while the block runs."""
        call = object()
        self._calls.add(call)
        try:
            yield
        finally:
            self._calls.discard(call)

    def place(self, patience: float) -> AbstractAsyncContextManager[None]:
        """Have a place while the block runs; raises Withdrawn where none gets free within ``patience`` seconds."""
        return _Place(self._places, patience)


class _Place:
    """One of the places, for a block; a class, as a generator for each handover takes three times as long."""

    __slots__ = ("_patience", "_places")

    def __init__(self, places: Turnstile, patience: float) -> None:
        self._places = places
        self._patience = patience

    async def __aenter__(self) -> None:
        if self._places.passes():  # who need not wait needs no clock either
            return
        try:
            async with asyncio.timeout(self._patience):
                await self._places.wait()
        except TimeoutError:
            raise Withdrawn from None

    async def __aexit__(self, *_how: object) -> None:
        self._places.leave()
