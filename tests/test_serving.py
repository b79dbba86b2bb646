from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from router import bundled
from router.clock import Clock
from router.serving import listen, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request


async def hello(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def asked(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return await answer.text()


APP = Starlette(routes=[Route("/", hello)])


async def test_an_app_is_served_while_the_block_runs() -> None:
    """On a free port of this machine, and on none afterwards."""
    async with serving(APP) as url:
        assert await asked(url) == "hello"
        assert url.startswith("http://127.0.0.1:")
    with pytest.raises(aiohttp.ClientConnectorError):
        await asked(url)


async def test_a_port_that_was_taken_before_is_served_on() -> None:
    """The URL is known before the app is made, and it is the app's then."""
    listener, url = listen()
    async with serving(APP, listener=listener) as served:
        assert served == url
        assert await asked(url) == "hello"
    assert listener.fileno() == -1


async def test_a_taken_port_raises() -> None:
    """Two servers on one port are an OSError and no silence."""
    async with serving(APP) as url:
        port = int(url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            listen(port=port)
        with pytest.raises(OSError, match="in use"):
            async with serving(APP, port=port):
                pass
        assert await asked(url) == "hello"


async def test_an_app_that_does_not_start_raises() -> None:
    """A failing lifespan is an error here, and the port is free again."""

    @contextlib.asynccontextmanager
    async def broken(_app: Starlette) -> AsyncIterator[None]:
        if not url:
            yield
        raise RuntimeError("no database")

    listener, url = listen()
    with pytest.raises(RuntimeError, match="did not start"):
        async with serving(Starlette(lifespan=broken), listener=listener):
            pass
    assert listener.fileno() == -1


async def test_the_signals_stay_the_programs() -> None:
    """A guest in a program takes no signal handler of it, and leaves no task behind."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    tasks = asyncio.all_tasks()
    async with serving(APP):
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert asyncio.all_tasks() == tasks


async def test_an_error_in_the_block_ends_the_server() -> None:
    """The server stops however the block ends."""
    listener, url = listen()
    with pytest.raises(KeyError):
        async with serving(APP, listener=listener):
            raise KeyError
    with pytest.raises(aiohttp.ClientConnectorError):
        await asked(url)


def test_an_answer_does_not_wait_for_an_acknowledgement() -> None:
    """The listener passes TCP_NODELAY on to its connections."""
    listener, _url = listen()
    with listener, socket.create_connection(listener.getsockname()[:2]) as client:
        connection, _address = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
            assert client.fileno() >= 0


async def test_a_clock_tells_the_time_and_waits() -> None:
    """Now in UTC, seconds that only grow, and a sleep of the event loop's."""
    clock = Clock()
    assert clock.now().tzinfo is UTC
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    begun = clock.monotonic()
    await clock.sleep(0.01)
    assert 0.009 < clock.monotonic() - begun < 5
    assert abs(clock.monotonic() - time.monotonic()) < 5


def test_what_travels_with_the_package_is_there() -> None:
    """Routes, schema, plugins and flows are found beside the checkout or inside the wheel."""
    assert bundled.ROUTES.is_file()
    assert bundled.SCHEMA.is_file()
    assert list(bundled.PLUGINS.glob("*.py"))
    assert list(bundled.FLOWS.glob("*.json"))
