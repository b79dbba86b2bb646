"""The connections that are open: so many at the most, lent to one request at a time, and kept for the next."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from router.turnstile import Turnstile
from router.twilio.wire.answer import NotSent
from router.twilio.wire.connection import Connection

if TYPE_CHECKING:
    from router.twilio.wire.answer import Answer
    from router.twilio.wire.dialler import Dialler
    from router.twilio.wire.peer import Peer

IDLE: Final = 15.0
"""Seconds that a connection is kept for without a request."""

FRESH: Final = 0.05
"""Seconds for which a connection is lent again without a look at it: a peer keeps it for longer than that.

A look lets other threads have a turn, which takes much longer than the look. Under load there would be three of them a
handover, and each connection is back at once.
"""

WARY: Final = 60.0
"""Seconds for which each is looked at again after one was cut: some peers close after each answer, and say nothing."""


class Pool:
    """Lends connections: the one that was used last goes first, and who waits for one gets it in turn.

    There are ``most`` of them; ``patience`` is how many seconds one may take to come, ``longest`` how many bytes of an
    answer's body are read. It is made and used inside the event loop.
    """

    def __init__(
        self,
        dialler: Dialler,
        *,
        most: int,
        patience: float,
        longest: int,
        idle: float = IDLE,
        fresh: float = FRESH,
    ) -> None:
        self._dialler = dialler
        self._most = most
        self._patience = patience
        self._longest = longest
        self._idle_for = idle
        self._fresh_for = fresh
        self._wary_until = 0.0
        self._loop = asyncio.get_running_loop()
        self._places = Turnstile(most)
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self._is_open = True
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    async def exchange(self, peer: Peer, request: bytes, seconds: float) -> Answer:
        """Send ``request`` to ``peer`` once, and give its answer, within ``seconds`` for all.

        Raises NotSent where no connection came about, and an OSError where there is no answer: then nobody knows what
        became of the request.
        """
        until = self._loop.time() + seconds
        is_through = self._places.passes()
        connection = self._kept(peer) if is_through else None
        if connection is None:
            connection = await self._come_by(peer, is_through=is_through)
        try:
            return await connection.exchange(request, until)
        except ConnectionError:
            self._wary_until = time.monotonic() + WARY
            raise
        finally:
            self._give_back(connection)

    async def close(self) -> None:
        """Close all connections, whatever is under way on them."""
        self._is_open = False
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in tuple(self._open):
            connection.abort()
        await self._is_empty.wait()

    async def _come_by(self, peer: Peer, *, is_through: bool) -> Connection:
        try:
            async with asyncio.timeout(self._patience):
                if not is_through:
                    await self._places.wait()
                try:
                    return self._kept(peer) or await self._dial(peer)
                except BaseException:
                    self._places.leave()
                    raise
        except TimeoutError as error:
            raise NotSent("no connection to Twilio in time") from error

    async def _dial(self, peer: Peer) -> Connection:
        while self._idle and self._places.inside + len(self._idle) > self._most:
            self._idle.pop(0).abort()
        connection = await self._dialler.dial(peer, partial(Connection, peer, self._longest, self._forget))
        if not (self._is_open and connection.is_ready):
            connection.abort()
            raise NotSent(f"no connection to {peer.host}:{peer.port}", "it was closed at once")
        self._open.add(connection)
        self._is_empty.clear()
        return connection

    def _kept(self, peer: Peer) -> Connection | None:
        now = time.monotonic()
        fresh = now - self._fresh_for if now >= self._wary_until else now
        for place in range(len(self._idle) - 1, -1, -1):
            if self._idle[place].peer is peer:
                connection = self._idle.pop(place)
                if connection.is_ready and (connection.idle_since > fresh or connection.is_quiet):
                    return connection
                connection.abort()
        return None

    def _give_back(self, connection: Connection) -> None:
        self._places.leave()
        if connection.is_ready and self._is_open:
            connection.idle_since = time.monotonic()
            self._idle.append(connection)
            if self._sweep is None:
                self._sweep = self._loop.call_later(self._idle_for, self._drop_idle)

    def _drop_idle(self) -> None:
        since = time.monotonic() - self._idle_for
        while self._idle and self._idle[0].idle_since <= since:
            self._idle.pop(0).abort()
        left = self._idle[0].idle_since - since if self._idle else None
        self._sweep = None if left is None else self._loop.call_later(left, self._drop_idle)

    def _forget(self, connection: Connection) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if not self._open:
            self._is_empty.set()
