"""Whatever servers and callers do, no request gets another one's answer, and nothing is left over."""

from __future__ import annotations

import asyncio
import random

import pytest

from router.twilio.wire.answer import NotSent
from router.twilio.wire.request import head_of, request_of
from tests.twilio.wire.kit import open_pool, plain
from tests.twilio.wire.talker import Line, talking

HEAD = head_of({"Host": "localhost"})
REQUESTS = 600


async def misbehave(line: Line, chance: random.Random) -> None:
    """Answer with the name of the request, well most of the time."""
    while True:
        name = (await line.hear()).split()[1]
        whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(name), name)
        match chance.randrange(12):
            case 0:
                line.say(whole[:-2])
                return
            case 1:
                line.say(whole + whole)
            case 2:
                line.say(whole + b"x")
            case 3:
                await asyncio.sleep(chance.random() / 20)
                line.say(whole)
            case 4:
                line.say(whole.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                return
            case 5:
                line.say(whole)
                return
            case _:
                half = len(whole) // 2
                line.say(whole[:half])
                await asyncio.sleep(0)
                line.say(whole[half:])


@pytest.mark.parametrize("seed", range(3))
async def test_no_request_gets_the_answer_of_another(seed: int) -> None:
    """Answers are cut, doubled and late, callers lose patience and leave: each gets its own, or an error."""
    chance = random.Random(seed)
    ends: dict[str, int] = {}

    async def ask(number: int) -> None:
        request = request_of("GET", f"/{number:05}", HEAD, None)
        patience = 0.02 if chance.randrange(5) == 0 else 5.0
        task = asyncio.create_task(pool.exchange(peer, request, patience))
        if chance.randrange(8) == 0:
            asyncio.get_running_loop().call_later(chance.random() / 500, task.cancel)
        (end,) = await asyncio.gather(task, return_exceptions=True)
        if not isinstance(end, BaseException):
            assert end.body == b"/%05d" % number
        else:
            assert isinstance(end, NotSent | OSError | asyncio.CancelledError)
        ends[type(end).__name__] = ends.get(type(end).__name__, 0) + 1

    async with talking(lambda line: misbehave(line, chance)) as talker, open_pool(most=8) as pool:
        peer = plain(talker.port)
        numbers = iter(range(REQUESTS))

        async def caller() -> None:
            for number in numbers:
                await ask(number)

        await asyncio.gather(*(caller() for _ in range(24)))
        assert pool._places.inside == 0
        assert len(pool._idle) <= 8
    assert (pool._open, pool._idle) == (set(), [])
    assert sum(ends.values()) == REQUESTS
    assert ends["Answer"] > REQUESTS / 2
    assert ends["ConnectionCut"] > REQUESTS / 50
