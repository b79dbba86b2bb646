"""Over real sockets and on the loop that serves: a crowd is let in at once, and whoever is let in is answered."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Final

import pytest
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from uvicorn.server import ServerState

from router import arrivals
from router.arrivals import Arrivals
from router.serving import listen

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    from starlette.requests import Request

CALL: Final = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
PATIENCE: Final = 5


async def whence(request: Request) -> PlainTextResponse:
    assert request.client is not None
    return PlainTextResponse(f"from {request.client.port}")


APP: Final = Starlette(routes=[Route("/", whence)])


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[None, None, None]], None]:
    """Run a test on a loop of either kind."""

    def on_the_loop(test: Coroutine[None, None, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(test)

    return on_the_loop


@contextlib.contextmanager
def crowd(size: int) -> Iterator[tuple[socket.socket, Sequence[socket.socket]]]:
    """Let so many wait before a listener, each with its call said already."""
    listener, _url = listen()
    with contextlib.ExitStack() as stack:
        stack.enter_context(listener)
        callers = [stack.enter_context(socket.create_connection(listener.getsockname())) for _ in range(size)]
        for caller in callers:
            caller.settimeout(PATIENCE)
            caller.sendall(CALL)
        yield listener, callers


def accept(listener: socket.socket, come: Arrivals) -> asyncio.Protocol:
    """Do as the loop does: accept one, and ask for its protocol; the connection itself is left alone."""
    first, _address = listener.accept()
    first.close()
    return come(config=uvicorn.Config(APP, log_config=None), server_state=ServerState(), app_state={}, _loop=None)


async def heard(caller: socket.socket) -> bytes:
    return await asyncio.to_thread(caller.recv, 65536)


def test_those_behind_the_first_are_let_in_with_it(run: Callable[[Coroutine[None, None, None]], None]) -> None:
    """One connection is accepted, and all that wait behind it are answered, each known by its address."""

    async def test() -> None:
        with crowd(20) as (listener, (_first, *others)):
            accept(listener, Arrivals(listener))
            for caller in others:
                answer = await heard(caller)
                assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
                assert answer.endswith(f"from {caller.getsockname()[1]}".encode())

    run(test())


def test_a_crowd_is_let_in_by_parts(
    run: Callable[[Coroutine[None, None, None]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many wait, those inside are served again after so many; the others wait on for the next turn."""
    monkeypatch.setattr(arrivals, "AT_ONCE", 3)

    async def test() -> None:
        with crowd(6) as (listener, callers):
            accept(listener, Arrivals(listener))
            for caller in callers[1:4]:
                assert b"200 OK" in await heard(caller)
            left = [listener.accept()[0] for _ in callers[4:]]
            for each in left:
                each.close()
            with pytest.raises(BlockingIOError):
                listener.accept()

    run(test())


def test_who_has_gone_again_keeps_nobody_out(run: Callable[[Coroutine[None, None, None]], None]) -> None:
    """A connection that was reset while it waited is no error, and those behind it are answered."""

    async def test() -> None:
        with crowd(5) as (listener, (_first, gone, *others)):
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            gone.close()
            accept(listener, Arrivals(listener))
            for caller in others:
                assert b"200 OK" in await heard(caller)

    run(test())


def test_nobody_behind_the_first_is_no_error(run: Callable[[Coroutine[None, None, None]], None]) -> None:
    """Most connections come alone; and at the end the listener is closed before the last protocol is made."""

    async def test() -> None:
        with crowd(1) as (listener, _callers):
            come = Arrivals(listener)
            assert isinstance(accept(listener, come), asyncio.Protocol)
            listener.close()
            given = {"config": uvicorn.Config(APP, log_config=None), "server_state": ServerState(), "app_state": {}}
            assert isinstance(come(**given), asyncio.Protocol)

    run(test())
