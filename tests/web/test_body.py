"""How a body is waited for."""

from __future__ import annotations

import asyncio
import time
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from router.callers.request import Request
from router.errors import BadRequest
from router.web.body import read_request

if TYPE_CHECKING:
    from starlette.types import Message

SCOPE = {
    "type": "http",
    "method": "POST",
    "path": "/t",
    "raw_path": b"/t",
    "query_string": b"a=b",
    "headers": [(b"x-twice", b"1"), (b"X-Twice", b" 2 "), (b"x-name", "ü".encode())],
}


async def never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError("it came")


async def test_a_body_may_come_in_parts() -> None:
    """It is whole when the last part is there; headers are found by their lower-case names, values in their order."""
    parts = [b"one ", b"", b"two"]

    async def receive() -> Message:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    request = await read_request(SCOPE, receive, 5)
    assert request.body == b"one two"
    assert dict(request.headers) == {"x-twice": ["1", "2"], "x-name": ["ü"]}


async def test_a_request_has_all_that_one_has() -> None:
    """It is made without a look at its fields, so that none must be forgotten, and none is unknown."""

    async def receive() -> Message:
        return {"type": "http.request"}

    request = await read_request(SCOPE, receive, 5)
    assert list(vars(request)) == [field.name for field in fields(Request)]


async def test_a_body_that_does_not_arrive_is_a_bad_request() -> None:
    """Whoever waited for it goes on as if nothing had been cancelled."""
    with pytest.raises(BadRequest, match=r"did not arrive within 0\.01 s"):
        await read_request(SCOPE, never, 0.01)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_who_leaves_while_it_is_waited_for_is_gone() -> None:
    """The cancellation of the one who waits is one."""
    reading = asyncio.create_task(read_request(SCOPE, never, 5))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_who_leaves_when_the_patience_ends_is_gone() -> None:
    """Also where both come in the same turn of the loop."""
    reading = asyncio.create_task(read_request(SCOPE, never, 0.01))
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_later(0.01, reading.cancel)
    time.sleep(0.05)  # noqa: ASYNC251 - so that both are due at once
    with pytest.raises(asyncio.CancelledError):
        await reading
