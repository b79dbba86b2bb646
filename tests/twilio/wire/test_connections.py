"""When a connection is used again, and when it must not be."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import closing

import pytest

from router.twilio.wire.answer import ConnectionCut, NotSent
from router.twilio.wire.connection import Connection
from router.twilio.wire.pool import FRESH
from tests.twilio.wire.kit import GET, LONGEST, SOON, open_pool, plain
from tests.twilio.wire.talker import GOOD, Line, answering, talking


@pytest.mark.parametrize("unasked", [b"x", GOOD, b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"])
async def test_what_is_said_unasked_is_no_answer(unasked: bytes) -> None:
    """The connection is dropped at once, so that no request gets an answer that is not its own."""
    dropped = asyncio.Event()

    async def script(line: Line) -> None:
        await line.hear()
        line.say(GOOD)
        if len(talker.lines) == 1:
            line.say(b"")
            await told.wait()
            line.say(unasked)
        await line.left()
        dropped.set()

    told = asyncio.Event()
    async with talking(script) as talker, open_pool() as pool:
        peer = plain(talker.port)
        await pool.exchange(peer, GET, 5)
        told.set()
        await asyncio.wait_for(dropped.wait(), 5)
        assert pool._idle == []
        assert (await pool.exchange(peer, GET, 5)).status == 200
    assert [line.heard for line in talker.lines] == [[GET], [GET]]


async def test_a_connection_that_the_peer_closed_is_dropped_at_once() -> None:
    """Nobody sends a request into it, and nobody's file stays open for it."""

    async def script(line: Line) -> None:
        await line.hear()
        line.say(GOOD)
        await told.wait()

    told = asyncio.Event()
    async with talking(script) as talker, open_pool() as pool:
        peer = plain(talker.port)
        await pool.exchange(peer, GET, 5)
        (connection,) = pool._idle
        assert connection.is_ready
        told.set()
        await asyncio.wait_for(pool._is_empty.wait(), 5)
        assert (pool._idle, connection.is_ready) == ([], False)
        assert (await pool.exchange(peer, GET, 5)).status == 200


def serve_two(listener: socket.socket, close: threading.Event, closed: threading.Event) -> None:
    """Answer one request, close when told to, and answer one more on the next connection."""
    for _ in range(2):
        line, _ = listener.accept()
        with line:
            line.recv(65536)
            line.sendall(GOOD)
            close.wait(5)
        closed.set()


async def test_an_end_that_the_loop_has_not_seen_is_seen_before_anything_is_sent() -> None:
    """A loop that was busy while the peer closed does not turn a request into one of which nobody knows the end."""
    close, closed = threading.Event(), threading.Event()
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.settimeout(5)
        server = threading.Thread(target=serve_two, args=(listener, close, closed), daemon=True)
        server.start()
        async with open_pool() as pool:
            peer = plain(listener.getsockname()[1])
            await pool.exchange(peer, GET, 5)
            close.set()
            assert closed.wait(5)  # the loop stands still meanwhile, as it is meant to
            time.sleep(FRESH)  # noqa: ASYNC251 - see above
            assert (await pool.exchange(peer, GET, 5)).status == 200
        server.join()


def serve_once_each(listener: socket.socket, connections: int, closed: threading.Semaphore) -> None:
    """Answer one request on each connection, and close it without a word."""
    for _ in range(connections):
        line, _ = listener.accept()
        with line:
            line.recv(65536)
            line.sendall(GOOD)
        closed.release()


async def test_a_peer_that_closes_without_a_word_is_looked_at_from_then_on() -> None:
    """One request is lost to it, and not every second one."""
    closed = threading.Semaphore(0)
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.settimeout(5)
        server = threading.Thread(target=serve_once_each, args=(listener, 4, closed), daemon=True)
        server.start()
        async with open_pool(fresh=60.0) as pool:
            peer = plain(listener.getsockname()[1])
            await pool.exchange(peer, GET, 5)
            assert closed.acquire(timeout=5)  # the loop stands still meanwhile, and does not see the end
            with pytest.raises(ConnectionError):
                await pool.exchange(peer, GET, 5)
            for _ in range(3):
                assert (await pool.exchange(peer, GET, 5)).status == 200
                assert closed.acquire(timeout=5)
        server.join()


async def test_no_answer_in_time_is_a_time_out() -> None:
    """A trickle is no answer either; the connection is closed, and what comes late reaches nobody."""
    left = asyncio.Event()

    async def script(line: Line) -> None:
        await line.hear()
        if len(talker.lines) == 1:
            line.say(GOOD[:20])
            await line.left()
            left.set()
        line.say(GOOD)
        await line.left()

    started = time.monotonic()
    async with talking(script) as talker, open_pool() as pool:
        peer = plain(talker.port)
        with pytest.raises(TimeoutError):
            await pool.exchange(peer, GET, SOON)
        assert SOON / 2 < time.monotonic() - started < 4
        await asyncio.wait_for(left.wait(), 5)
        assert (await pool.exchange(peer, GET, 5)).body == b'{"a": 1}'
    assert [line.heard for line in talker.lines] == [[GET], [GET]]


async def test_a_caller_that_leaves_closes_the_connection_at_once() -> None:
    """Its answer reaches nobody else, and its place in the pool is free for the next."""
    heard, left = asyncio.Event(), asyncio.Event()

    async def script(line: Line) -> None:
        await line.hear()
        if len(talker.lines) == 1:
            heard.set()
            await line.left()
            left.set()
        line.say(GOOD)
        await line.left()

    async with talking(script) as talker, open_pool(most=1) as pool:
        peer = plain(talker.port)
        request = asyncio.create_task(pool.exchange(peer, GET, 5))
        await heard.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        await asyncio.wait_for(left.wait(), 5)
        assert (await pool.exchange(peer, GET, 5)).status == 200
    assert [line.heard for line in talker.lines] == [[GET], [GET]]


@pytest.mark.parametrize("is_answered_first", [True, False])
async def test_a_caller_may_leave_just_when_the_answer_comes(*, is_answered_first: bool) -> None:
    """Whichever is seen first, the caller has left, and the connection is closed."""
    heard, left = asyncio.Event(), asyncio.Event()

    async def script(line: Line) -> None:
        await line.hear()
        heard.set()
        await line.left()
        left.set()

    async with talking(script) as talker, open_pool() as pool:
        request = asyncio.create_task(pool.exchange(plain(talker.port), GET, 5))
        await heard.wait()
        (connection,) = pool._open
        if is_answered_first:
            connection.data_received(GOOD)
            request.cancel()
        else:
            request.cancel()
            connection.data_received(GOOD)
        with pytest.raises(asyncio.CancelledError):
            await request
        await asyncio.wait_for(left.wait(), 5)
        assert (pool._idle, pool._places.inside) == ([], 0)


async def test_an_end_of_any_kind_is_one_of_the_networks() -> None:
    """Whatever an event loop says of it, who waits can tell it from an answer and from a mistake of ours."""
    async with talking(answering) as talker, open_pool() as pool:
        peer = plain(talker.port)
        await pool.exchange(peer, GET, 5)
        (connection,) = pool._idle
        request = asyncio.create_task(pool.exchange(peer, GET, 5))
        await asyncio.sleep(0)
        connection.connection_lost(RuntimeError("the loop is at a loss"))
        with pytest.raises(ConnectionCut):
            await request


async def test_nobody_listens() -> None:
    """It is known that nothing was sent, and why."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    async with open_pool() as pool:
        with pytest.raises(NotSent) as caught:
            await pool.exchange(plain(port), GET, 5)
    assert caught.value.what == f"no connection to 127.0.0.1:{port}"
    assert "127.0.0.1" in caught.value.why


async def test_an_end_before_the_beginning_harms_nobody() -> None:
    """A handshake that fails tells a connection of its end that never heard of its beginning."""
    lost: list[Connection] = []
    connection = Connection(plain(1), LONGEST, lost.append)
    connection.data_received(b"x")
    connection.connection_lost(None)
    assert (connection.is_ready, lost) == (False, [connection])


async def test_connections_are_kept_for_as_long_as_they_are_used() -> None:
    """One after the other, a hundred requests take one connection."""
    async with talking(answering) as talker, open_pool() as pool:
        peer = plain(talker.port)
        for _ in range(100):
            await pool.exchange(peer, GET, 5)
    assert [len(line.heard) for line in talker.lines] == [100]
