"""Over real sockets: an answer arrives in one piece, and nothing of one is kept back."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from router.serving import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request


@contextlib.asynccontextmanager
async def connected(app: Starlette) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with serving(app) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        try:
            yield reader, writer
        finally:
            writer.close()
            await writer.wait_closed()


async def hello(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


APP = Starlette(routes=[Route("/", hello, methods=["GET", "HEAD"])])
GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


async def test_head_and_body_come_together() -> None:
    """One read finds all of an answer, for one request after the other."""
    async with connected(APP) as (reader, writer):
        for _ in range(20):
            writer.write(GET)
            answer = await asyncio.wait_for(reader.read(65536), 5)
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
            assert answer.endswith(b"\r\n\r\nhello")


async def test_requests_sent_at_once_are_answered_in_turn() -> None:
    """Nothing of one answer gets between those of another."""
    async with connected(APP) as (reader, writer):
        writer.write(3 * GET)
        heard = b""
        while heard.count(b"hello") < 3:
            heard += await asyncio.wait_for(reader.read(65536), 5)
        assert [part.endswith(b"\r\n\r\n") for part in heard.split(b"hello")] == [True, True, True, False]


async def test_a_head_without_a_body_is_not_kept_back() -> None:
    """To a HEAD there is no body at all."""
    async with connected(APP) as (reader, writer):
        writer.write(b"HEAD / HTTP/1.1\r\nHost: here\r\n\r\n")
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert b"content-length: 5\r\n" in answer


async def test_a_head_does_not_wait_for_a_body_that_is_late() -> None:
    """Who streams an answer has told its head by then; and each part comes when it is there."""
    gate = asyncio.Event()

    async def parts() -> AsyncIterator[str]:
        await gate.wait()
        yield "first"
        yield "second"

    async def stream(_request: Request) -> StreamingResponse:
        return StreamingResponse(parts())

    async with connected(Starlette(routes=[Route("/", stream)])) as (reader, writer):
        writer.write(GET)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert b"transfer-encoding: chunked" in head
        gate.set()
        assert await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 5) == b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n"


async def test_a_part_may_be_any_buffer_and_is_sent_as_it_was_when_it_was_written() -> None:
    """Who streams may give views of memory, and use one buffer again and again."""
    buffer = bytearray(3)

    async def parts() -> AsyncIterator[memoryview]:
        for letter in b"abcde":
            buffer[:] = bytes([letter] * 3)
            yield memoryview(buffer)

    async def stream(_request: Request) -> StreamingResponse:
        return StreamingResponse(parts(), headers={"Content-Length": "15"})

    async with connected(Starlette(routes=[Route("/", stream)])) as (reader, writer):
        writer.write(GET)
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert await asyncio.wait_for(reader.readexactly(15), 5) == b"aaabbbcccdddeee"


@pytest.mark.parametrize(
    "request_line", [b"no request at all\r\n\r\n", GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")]
)
async def test_what_was_written_goes_out_before_the_end(request_line: bytes) -> None:
    """An answer after which the connection closes arrives whole."""
    async with connected(APP) as (reader, writer):
        writer.write(request_line)
        answer = await asyncio.wait_for(reader.read(-1), 5)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 ")
        assert body in (b"hello", b"Invalid HTTP request received.")


async def test_a_body_may_be_waited_for_with_expect() -> None:
    """Who asks whether to go on hears so at once."""

    async def echo(request: Request) -> PlainTextResponse:
        return PlainTextResponse((await request.body()).decode())

    async with connected(Starlette(routes=[Route("/", echo, methods=["POST"])])) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hi")
        assert (await asyncio.wait_for(reader.readuntil(b"hi"), 5)).startswith(b"HTTP/1.1 200 OK\r\n")
