"""Twilio's host names, looked up in threads of our own: those of the event loop are everybody's, plugins' too."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Final

from aiohttp.abc import AbstractResolver, ResolveResult

if TYPE_CHECKING:
    from collections.abc import Sequence

THREADS: Final = 4
"""So many look-ups at the same time: the names are few, and each is kept for a while."""


class Names(AbstractResolver):
    """Looks names up as aiohttp does by itself, and waits for no thread that a plugin left hanging."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, "names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Give the addresses of ``host``; raises OSError where it has none."""
        look_up = partial(
            socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return [_result(host, port, each_family, proto, address) for each_family, _type, proto, _name, address in found]

    async def close(self) -> None:
        """Begin no more look-ups; who waits for one is not our affair any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _result(host: str, port: int, family: int, proto: int, address: Sequence[object]) -> ResolveResult:
    numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=host, host=str(address[0]), port=port, family=family, proto=proto, flags=numeric)
