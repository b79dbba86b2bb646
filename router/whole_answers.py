"""The server's side of a connection: the head of an answer goes out together with its body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio


class WholeAnswers(HttpToolsProtocol):
    """uvicorn's protocol, which writes head and body apart: two system calls, two packets, two wakings of the peer."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        gathering = _Gathering(cast("asyncio.Transport", transport), self.loop)
        super().connection_made(cast("asyncio.Transport", gathering))


class _Gathering:
    """A transport that keeps what is written first for what is written next, until the turn of the loop ends."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._kept = b""
        self.is_closing = transport.is_closing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._kept:
            whole, self._kept = self._kept + data, b""
            self._transport.write(whole)
        else:
            self._kept = bytes(data)  # a buffer is its writer's again as soon as it is written
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._kept:
            data, self._kept = self._kept, b""
            self._transport.write(data)
