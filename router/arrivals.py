"""Arrivals: connections that come in a crowd are let in together."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from router.whole_answers import WholeAnswers

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

AT_ONCE: Final = 256
"""So many are let in before those inside are served again."""


class Arrivals:
    """Makes uvicorn's protocol for a connection that came in by ``listener``, and lets those in that wait behind it.

    uvloop accepts one connection in a turn of its loop. Where turns are long, because many calls are under way, the
    last of a crowd would wait for as many turns as came before it, while those inside are served again and again.
    Processes that share a listener do without: the first to wake would take the whole crowd.
    """

    def __init__(self, listener: socket.socket) -> None:
        listener.settimeout(0)
        self._listener = listener
        self._coming_in: set[asyncio.Task[None]] = set()

    def __call__(self, **given: Any) -> WholeAnswers:
        """Make it of what uvicorn gives its protocols."""
        make = partial(WholeAnswers, **given)
        for connection in self._waiting():
            task = asyncio.get_running_loop().create_task(_let_in(connection, make))
            self._coming_in.add(task)
            task.add_done_callback(self._coming_in.discard)
        return make()

    def _waiting(self) -> Iterator[socket.socket]:
        with suppress(OSError):  # nobody waits, or uvloop is about to meet the same error, and knows what to do
            for _ in range(AT_ONCE):
                connection, _address = self._listener.accept()
                connection.settimeout(0)
                yield connection


async def _let_in(connection: socket.socket, make: partial[WholeAnswers]) -> None:
    with suppress(OSError):  # it has gone again
        await asyncio.get_running_loop().connect_accepted_socket(make, connection)
