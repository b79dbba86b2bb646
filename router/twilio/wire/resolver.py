"""Host names, looked up in threads of our own: those of the event loop are everybody's, plugins' too."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aiohappyeyeballs import AddrInfoType

THREADS: Final = 4
"""So many look-ups at the same time: the names are few, and each is kept for a while."""

FRESH: Final = 10.0
"""Seconds that the addresses of a name are kept for."""

_NUMERIC: Final = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class Resolver:
    """Looks each name up once for all who ask at the same time, and waits for no thread that a plugin left hanging."""

    def __init__(self, fresh: float = FRESH) -> None:
        self._fresh = fresh
        self._threads = ThreadPoolExecutor(THREADS, "resolver")
        self._found: dict[tuple[str, int], tuple[asyncio.Future[list[AddrInfoType]], float]] = {}

    async def look_up(self, host: str, port: int) -> list[AddrInfoType]:
        """Give the addresses of ``host``, each with ``port``; raises OSError where it has none."""
        try:
            return _addresses(host, port, _NUMERIC)
        except socket.gaierror:
            pass  # a name, and not an address
        loop, key = asyncio.get_running_loop(), (host, port)
        found, until = self._found.get(key, (None, 0.0))
        if found is None or until < loop.time():
            found = loop.run_in_executor(self._threads, partial(_addresses, host, port, socket.AI_ADDRCONFIG))
            self._found[key] = found, loop.time() + self._fresh
        try:
            return await asyncio.shield(found)
        except OSError:
            self._found.pop(key, None)
            raise

    def close(self) -> None:
        """Begin no more look-ups; who waits for one is not our affair any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _addresses(host: str, port: int, flags: int) -> list[AddrInfoType]:
    # As bytes: Python would put a text into the form for other alphabets first, and raise UnicodeError.
    return list(socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM, flags=flags))
