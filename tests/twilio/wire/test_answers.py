"""What a server says, byte for byte, and what becomes of it and of its connection."""

from __future__ import annotations

import asyncio

import pytest

from router.twilio.wire.answer import Answer, AnswerMalformed, ConnectionCut
from tests.twilio.wire.kit import GET, LONGEST, open_pool, plain
from tests.twilio.wire.talker import GOOD, Line, answering, saying, talking

OK = b"HTTP/1.1 200 OK\r\n"
WHOLE = Answer(200, {}, b'{"a": 1}')
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

KEPT = {
    "a length": (GOOD, WHOLE),
    "a length of nothing": (OK + b"Content-Length: 0\r\n\r\n", Answer(200, {}, b"")),
    "chunks": (CHUNKED + b'3\r\n{"a\r\n5\r\n": 1}\r\n0\r\n\r\n', WHOLE),
    "chunks with extensions and trailers": (
        CHUNKED + b'8;x=y\r\n{"a": 1}\r\n0\r\nRetry-After: 9\r\nX: y\r\n\r\n',
        WHOLE,
    ),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", Answer(204, {}, b"")),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 8\r\n\r\n", Answer(304, {}, b"")),
    "announced twice": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n" + GOOD,
        WHOLE,
    ),
    "headers that are read": (
        b"HTTP/1.1 429 No\r\ntwilio-request-ID: RQ1\r\nRETRY-AFTER:  2 \r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n",
        Answer(429, {"Twilio-Request-Id": "RQ1", "Retry-After": "2"}, b""),
    ),
    "letters of old": (
        OK + b"Twilio-Request-Id: RQ\xfc\r\nContent-Length: 0\r\n\r\n",
        Answer(200, {"Twilio-Request-Id": "RQü"}, b""),
    ),
    "as long as is read": (OK + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000, Answer(200, {}, b"x" * LONGEST)),
}
DROPPED = {
    "until the end": (OK + b'\r\n{"a": 1}', WHOLE),
    "nothing until the end": (OK + b"\r\n", Answer(200, {}, b"")),
    "a connection that is closed": (GOOD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), WHOLE),
    "an old version": (GOOD.replace(b"1.1", b"1.0"), WHOLE),
    "an old version that is kept": (
        GOOD.replace(b"1.1", b"1.0").replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n"),
        WHOLE,
    ),
    "more behind it": (GOOD + b"x", WHOLE),
    "a second answer behind it": (GOOD + GOOD, WHOLE),
    "too long": (OK + b"Content-Length: 1001\r\n\r\n" + b"x" * 1001, Answer(200, {}, b"x" * LONGEST, is_cut=True)),
    "too long in chunks": (
        CHUNKED + (b"1f4\r\n" + b"x" * 500 + b"\r\n") * 3,
        Answer(200, {}, b"x" * 1000, is_cut=True),
    ),
    "an error that is too long": (
        b"HTTP/1.1 500 No\r\nTwilio-Request-Id: RQ1\r\nContent-Length: 9999\r\n\r\n" + b"x" * 1001,
        Answer(500, {"Twilio-Request-Id": "RQ1"}, b"x" * LONGEST, is_cut=True),
    ),
}
MALFORMED = {
    "no HTTP": b"220 mail.example ESMTP\r\n\r\n",
    "another HTTP": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
    "a length and chunks": OK + b"Content-Length: 8\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n",
    "two lengths": OK + b"Content-Length: 8\r\nContent-Length: 9\r\n\r\n",
    "a length that is none": OK + b"Content-Length: -1\r\n\r\n",
    "a chunk that is none": CHUNKED + b"zz\r\n",
    "another protocol": b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "a header without end": OK + b"X: " + b"x" * 65600,
    "too many headers": OK + b"X: y\r\n" * 130,
    "too many trailers": CHUNKED + b"0\r\n" + b"X: y\r\n" * 130,
    "a trailer without end": CHUNKED + b"0\r\nX: " + b"x" * (65536 + 8 * LONGEST),
    "nothing but announcements": b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" * 2500,
}
CUT = {
    "nothing": b"",
    "half a head": OK + b"Content-Le",
    "half a body": OK + b"Content-Length: 8\r\n\r\n{",
    "half a chunk": CHUNKED + b"8\r\n{",
    "no last chunk": CHUNKED + b'8\r\n{"a": 1}\r\n',
    "an announcement": b"HTTP/1.1 100 Continue\r\n\r\n",
    "an encoding that has no end": OK + b"Transfer-Encoding: gzip\r\n\r\nx",
}


@pytest.mark.parametrize("name", KEPT)
async def test_a_whole_answer_leaves_its_connection_for_the_next(name: str) -> None:
    """However the end of an answer is told, nothing of it is left, and the next request goes the same way."""
    said, expected = KEPT[name]
    async with talking(saying(said, said)) as talker, open_pool() as pool:
        peer = plain(talker.port)
        assert [await pool.exchange(peer, GET, 5) for _ in range(2)] == [expected] * 2
    assert [line.heard for line in talker.lines] == [[GET, GET]]


@pytest.mark.parametrize("name", KEPT)
async def test_an_answer_may_come_in_drops(name: str) -> None:
    """Where the network cuts it does not matter."""
    said, expected = KEPT[name]

    async def script(line: Line) -> None:
        await line.hear()
        for place in range(len(said)):
            line.say(said[place : place + 1])
            await asyncio.sleep(0)

    async with talking(script) as talker, open_pool() as pool:
        assert await pool.exchange(plain(talker.port), GET, 5) == expected


@pytest.mark.parametrize("name", DROPPED)
async def test_an_answer_may_be_the_last_of_its_connection(name: str) -> None:
    """It is taken, its connection is closed by us or by them, and the next request goes over one of its own."""
    said, expected = DROPPED[name]

    async def script(line: Line) -> None:
        await line.hear()
        line.say(said)
        if not name.endswith("until the end"):
            await line.left()

    async with talking(script) as talker, open_pool() as pool:
        peer = plain(talker.port)
        assert [await pool.exchange(peer, GET, 5) for _ in range(2)] == [expected] * 2
    assert [line.heard for line in talker.lines] == [[GET], [GET]]


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_is_no_answer_is_an_error(name: str) -> None:
    """Nobody knows what became of the request; the connection is closed and never used again."""

    async def script(line: Line) -> None:
        await line.hear()
        line.say(MALFORMED[name])
        await line.left()

    async with talking(script) as talker, open_pool() as pool:
        for _ in range(2):
            with pytest.raises(AnswerMalformed):
                await pool.exchange(plain(talker.port), GET, 5)
        assert pool._idle == []
    assert [line.heard for line in talker.lines] == [[GET], [GET]]


@pytest.mark.parametrize("name", CUT)
async def test_an_answer_that_breaks_off_is_an_error(name: str) -> None:
    """What came of it is not taken for the whole, and nothing is asked again."""
    async with talking(saying(CUT[name])) as talker, open_pool() as pool:
        with pytest.raises(ConnectionCut):
            await pool.exchange(plain(talker.port), GET, 5)
    assert talker.heard == [GET]


@pytest.mark.parametrize("said", [b"", OK + b"\r\n{"])
async def test_a_reset_is_an_error(said: bytes) -> None:
    """It is no end, neither of an answer that has none of its own."""

    async def script(line: Line) -> None:
        await line.hear()
        line.say(said)
        await read.wait()
        line.reset()

    read = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, read.set)  # by then it has read what was said before

    async with talking(script) as talker, open_pool() as pool:
        with pytest.raises(ConnectionResetError):
            await pool.exchange(plain(talker.port), GET, 5)


async def test_an_answer_before_the_request_is_whole_is_the_last() -> None:
    """The rest of the request would be taken for the next one."""
    request = GET + b"x" * 20_000_000

    async def script(line: Line) -> None:
        await line.hear()
        line.say(GOOD)
        await line.left()

    async with talking(script) as talker, open_pool() as pool:
        peer = plain(talker.port)
        assert await pool.exchange(peer, request, 5) == WHOLE
        assert pool._idle == []
        assert await pool.exchange(peer, GET, 5) == WHOLE
    assert len(talker.lines) == 2


async def test_nothing_of_an_answer_is_kept() -> None:
    """A connection that waits holds no customer's words."""
    async with talking(answering) as talker, open_pool() as pool:
        await pool.exchange(plain(talker.port), GET, 5)
        (connection,) = pool._idle
        assert (connection._body, connection._headers, connection._answer) == ([], {}, None)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"a": "\xc3\xbc"}', {"a": "ü"}),
        (rb'{"a": "\ud83d\ude00 \ud83d"}', {"a": "\U0001f600 \ud83d"}),
        (b'{"a": 12345678901234567890123}', {"a": 12345678901234567890123}),
        (b"[1]", None),
        (b"", None),
        (b'{"a": 1}{', None),
        (b'{"a": "\xff"}', None),
        (b"[" * 100_000, None),
    ],
)
def test_an_answer_is_read_whatever_it_says(body: bytes, said: object) -> None:
    """A JSON object is, also with half of a pair that a customer's telephone cut; nothing else says anything."""
    assert Answer(200, {}, body).said == said
