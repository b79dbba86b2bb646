"""Drives a server: so many calls in flight, each on a connection of its own that is kept alive, and their latencies.

A hand-written client, since a library's would take more CPU than what it measures, and would be measured with it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class Driven:
    """What came of a drive: the latencies in seconds in order, and how long it all took."""

    took: list[float]
    seconds: float

    def percentile(self, share: float) -> float:
        """Give the latency that ``share`` of the calls kept below."""
        return self.took[min(len(self.took) - 1, int(len(self.took) * share))]


@dataclass(slots=True)
class _Drive:
    """The calls that are left, what the others took, and how many connections are still at work."""

    calls: Iterator[bytes]
    expected: bytes
    busy: int
    done: asyncio.Future[None]
    took: list[float] = field(default_factory=list)

    def leave(self) -> None:
        self.busy -= 1
        if not self.busy and not self.done.done():
            self.done.set_result(None)

    def fail(self, trouble: str) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError(trouble))


class _Caller(asyncio.Protocol):
    """One connection: the next call goes out when the last one was answered."""

    def __init__(self, drive: _Drive) -> None:
        self._drive = drive
        self._received = b""
        self._began = 0.0
        self._has_left = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        if not blank or len(body) < _length(head):
            return
        self._drive.took.append(time.perf_counter() - self._began)
        self._received = b""
        if body == self._drive.expected:
            self._next()
        else:
            self._drive.fail(f"{head.decode(errors='replace')}\n{body.decode(errors='replace')}")

    def connection_lost(self, error: Exception | None) -> None:
        if not self._has_left:
            self._drive.fail(f"a connection was lost: {error}")

    def _next(self) -> None:
        call = next(self._drive.calls, None)
        if call is None:
            self._has_left = True
            self._transport.close()
            self._drive.leave()
        else:
            self._began = time.perf_counter()
            self._transport.write(call)


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])


async def drive(url: str, calls: Iterable[bytes], width: int, expected: bytes, spread: float = 0) -> Driven:
    """Send ``calls``, whole requests, ``width`` at a time, the first ones over ``spread`` seconds.

    Customers do not keep step, as calls would that began together and then wait for the same trips. Raises RuntimeError
    where an answer is not ``expected``.
    """
    where, loop = urlsplit(url), asyncio.get_running_loop()
    under_way = _Drive(iter(calls), expected, width, loop.create_future())
    began = time.perf_counter()
    for _ in range(width):
        await loop.create_connection(lambda: _Caller(under_way), where.hostname or "", where.port or 80)
        await asyncio.sleep(spread / width)
    await under_way.done
    seconds = time.perf_counter() - began
    return Driven(sorted(under_way.took), seconds)
