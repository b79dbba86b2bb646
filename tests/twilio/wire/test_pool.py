"""Who gets which connection, how many there are, and when they go."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from router.twilio.wire.answer import ConnectionCut, NotSent
from router.twilio.wire.request import head_of, request_of
from tests.twilio.wire.kit import GET, SOON, open_pool, plain
from tests.twilio.wire.talker import GOOD, Line, answering, talking

if TYPE_CHECKING:
    from tests.twilio.wire.talker import Script


def numbered(number: int) -> bytes:
    return request_of("GET", f"/{number}", head_of({"Host": "localhost"}), None)


def holding(gate: asyncio.Event) -> Script:
    """Answer each request well, once the gate is open."""

    async def script(line: Line) -> None:
        while True:
            await line.hear()
            await gate.wait()
            line.say(GOOD)

    return script


async def until_heard(lines: list[Line], count: int) -> None:
    async with asyncio.timeout(5):
        while sum(len(line.heard) for line in lines) < count:
            await asyncio.sleep(0.001)


async def test_so_many_and_no_more_are_open_and_the_rest_wait_in_turn() -> None:
    """Who came first is served first, also before one who comes when a connection has just become free."""
    gate = asyncio.Event()
    async with talking(holding(gate)) as talker, open_pool(most=2) as pool:
        peer = plain(talker.port)
        first = [asyncio.create_task(pool.exchange(peer, numbered(n), 5)) for n in range(2)]
        await until_heard(talker.lines, 2)
        rest = [asyncio.create_task(pool.exchange(peer, numbered(n), 5)) for n in range(2, 8)]
        await asyncio.sleep(0)
        gate.set()
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        late = asyncio.create_task(pool.exchange(peer, numbered(8), 5))
        await asyncio.gather(*first, *rest, late)
    assert len(talker.lines) == 2
    for line in talker.lines:
        assert line.heard == sorted(line.heard)
    last = max(talker.heard)
    assert (last, talker.lines[0].heard[-1] == last or talker.lines[1].heard[-1] == last) == (numbered(8), True)


async def test_who_has_had_a_turn_goes_behind_those_who_wait() -> None:
    """Nobody keeps a connection by asking again at once."""
    async with talking(answering) as talker, open_pool(most=1) as pool:
        peer = plain(talker.port)

        async def ask_twice(first: int) -> None:
            for number in (first, first + 2):
                await pool.exchange(peer, numbered(number), 5)

        await asyncio.gather(ask_twice(0), ask_twice(1))
    assert [line.heard for line in talker.lines] == [[numbered(number) for number in range(4)]]


async def test_the_connection_that_was_used_last_goes_first() -> None:
    """The others grow old, and go."""
    gate = asyncio.Event()
    async with talking(holding(gate)) as talker, open_pool() as pool:
        peer = plain(talker.port)
        crowd = [asyncio.create_task(pool.exchange(peer, GET, 5)) for _ in range(3)]
        await until_heard(talker.lines, 3)
        gate.set()
        await asyncio.gather(*crowd)
        last = pool._idle[-1]
        await pool.exchange(peer, GET, 5)
        assert pool._idle[-1] is last
    assert sorted(len(line.heard) for line in talker.lines) == [1, 1, 2]


async def test_who_waits_too_long_has_sent_nothing() -> None:
    """Patience is for the place in the pool and for the connection together."""
    gate = asyncio.Event()
    async with talking(holding(gate)) as talker, open_pool(most=1, patience=SOON) as pool:
        peer = plain(talker.port)
        first = asyncio.create_task(pool.exchange(peer, GET, 5))
        await until_heard(talker.lines, 1)
        with pytest.raises(NotSent) as caught:
            await pool.exchange(peer, GET, 5)
        assert (caught.value.what, caught.value.why) == ("no connection to Twilio in time", "")
        gate.set()
        assert (await first).status == 200
        assert (await pool.exchange(peer, GET, 5)).status == 200
    assert talker.heard == [GET, GET]


async def test_who_leaves_while_waiting_takes_no_place() -> None:
    """The one behind is served all the same."""
    gate = asyncio.Event()
    async with talking(holding(gate)) as talker, open_pool(most=1) as pool:
        peer = plain(talker.port)
        crowd = [asyncio.create_task(pool.exchange(peer, numbered(n), 5)) for n in range(4)]
        await until_heard(talker.lines, 1)
        crowd[1].cancel()
        await asyncio.wait(crowd[1:2])
        gate.set()
        crowd[2].cancel()
        await asyncio.wait(crowd)
        assert [task.cancelled() for task in crowd] == [False, True, True, False]
        assert pool._places.inside == 0
    assert talker.heard == [numbered(0), numbered(3)]


async def test_a_connection_that_nobody_uses_is_closed() -> None:
    """The older one goes first, the younger one when its own time has come."""
    left: list[int] = []

    async def script(line: Line) -> None:
        place = len(talker.lines)
        await gate.wait()
        await line.hear()
        line.say(GOOD)
        await line.left()
        left.append(place)

    gate = asyncio.Event()
    async with talking(script) as talker, open_pool(idle=SOON) as pool:
        peer = plain(talker.port)
        crowd = [asyncio.create_task(pool.exchange(peer, GET, 5)) for _ in range(2)]
        async with asyncio.timeout(5):
            while len(talker.lines) < 2:
                await asyncio.sleep(0.001)
        gate.set()
        await asyncio.gather(*crowd)
        older, younger = pool._idle
        younger.idle_since += SOON
        pool._drop_idle()
        assert (older.is_ready, younger.is_ready, pool._idle) == (True, True, [older, younger])
        await asyncio.wait_for(pool._is_empty.wait(), 5)
        assert time.monotonic() >= younger.idle_since + SOON
        assert pool._sweep is None
        async with asyncio.timeout(5):
            while len(left) < 2:
                await asyncio.sleep(0.001)


async def test_an_idle_connection_makes_room_for_another_host() -> None:
    """What is kept counts with what is used: never are more open than the limit says."""
    async with talking(answering) as one, talking(answering) as other, open_pool(most=2) as pool:
        here, there = plain(one.port), plain(other.port)
        await asyncio.gather(*(pool.exchange(here, GET, 5) for _ in range(2)))
        await pool.exchange(there, GET, 5)
        assert [connection.peer for connection in pool._idle] == [here, there]
        await pool.exchange(here, GET, 5)
        assert [connection.peer for connection in pool._idle] == [there, here]
    assert (len(one.lines), len(other.lines)) == (2, 1)


async def test_closing_ends_what_is_under_way() -> None:
    """A request that was sent has an end that nobody knows; the pool leaves no file open."""
    async with talking(holding(asyncio.Event())) as talker, open_pool() as pool:
        request = asyncio.create_task(pool.exchange(plain(talker.port), GET, 5))
        await until_heard(talker.lines, 1)
        await pool.close()
        with pytest.raises(ConnectionCut):
            await request
        assert (pool._open, pool._idle) == (set(), [])


async def test_what_waits_for_a_connection_when_the_pool_closes_has_sent_nothing() -> None:
    """A connection that comes about too late is closed again."""
    gate = asyncio.Event()
    async with talking(holding(gate)) as talker, open_pool(most=1) as pool:
        peer = plain(talker.port)
        crowd = [asyncio.create_task(pool.exchange(peer, GET, 5)) for _ in range(2)]
        await until_heard(talker.lines, 1)
        await pool.close()
        sent, waited = await asyncio.gather(*crowd, return_exceptions=True)
        assert isinstance(sent, ConnectionCut)
        assert isinstance(waited, NotSent)
        assert (waited.what, waited.why) == (f"no connection to 127.0.0.1:{talker.port}", "it was closed at once")
        assert (pool._open, pool._idle) == (set(), [])
    assert talker.heard == [GET]


async def test_an_answer_that_comes_while_the_pool_closes_leaves_no_connection() -> None:
    """It is given, and its connection is not kept."""
    async with talking(answering) as talker, open_pool() as pool:
        peer = plain(talker.port)
        await pool.exchange(peer, GET, 5)
        (connection,) = pool._idle
        request = asyncio.create_task(pool.exchange(peer, GET, 5))
        async with asyncio.timeout(5):
            while not (connection._answer and connection._answer.done()):
                await asyncio.sleep(0)
        pool._is_open = False
        assert (await request).status == 200
        assert pool._idle == []
