"""A server that says just the bytes that it is told to say, and remembers what it heard."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable

Script: TypeAlias = "Callable[[Line], Awaitable[None]]"
"""What the server does with a connection; it is closed afterwards."""


@dataclass(slots=True)
class Line:
    """A connection as the server has it; ``heard`` are the requests that came over it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    heard: list[bytes] = field(default_factory=list)

    async def hear(self) -> bytes:
        """Read one request; raises IncompleteReadError where the client has left."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        _, found, length = head.partition(b"Content-Length: ")
        body = await self.reader.readexactly(int(length.split(b"\r\n")[0])) if found else b""
        self.heard.append(head + body)
        return head + body

    def say(self, said: bytes) -> None:
        """Send bytes; raises ConnectionResetError where the client has left, as either loop tells in another way."""
        if self.writer.is_closing():
            raise ConnectionResetError
        self.writer.write(said)

    async def left(self) -> None:
        """Wait until the client has closed it."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass

    def reset(self) -> None:
        """Break it off, without an end."""
        at_once = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self.writer.transport.abort()


@dataclass(slots=True)
class Talker:
    """Does ``script`` with each connection; ``lines`` are all of them, in their order."""

    script: Script
    port: int = 0
    lines: list[Line] = field(default_factory=list)

    @property
    def heard(self) -> list[bytes]:
        return [request for line in self.lines for request in line.heard]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(reader, writer)
        self.lines.append(line)
        try:
            await self.script(line)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has left, as it may
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def talking(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Talker]:
    """Let a server do ``script`` on a port of its own."""
    talker = Talker(script)
    server = await asyncio.start_server(talker.handle, "127.0.0.1", 0, ssl=tls)
    talker.port = server.sockets[0].getsockname()[1]
    try:
        yield talker
    finally:
        server.close()
        for line in talker.lines:
            line.writer.transport.abort()
        await server.wait_closed()


def saying(*answers: bytes) -> Script:
    """Say one answer a request, and then close."""

    async def script(line: Line) -> None:
        for answer in answers:
            await line.hear()
            line.say(answer)

    return script


async def answering(line: Line) -> None:
    """Answer each request well, for as long as the client likes."""
    while True:
        await line.hear()
        line.say(GOOD)


GOOD = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{"a": 1}'
