"""An app on a real port inside a running event loop: the demo, the sandbox and the tests serve with it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import uvicorn

from router.whole_answers import WholeAnswers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


class _GuestServer(uvicorn.Server):
    """A server that leaves the signals to the program that it is a guest of."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str = "127.0.0.1", port: int = 0) -> tuple[socket.socket, str]:
    """Take a port, a free one for 0, and give its base URL, which some apps must know before they are made.

    Raises OSError where the port is taken or the host is not ours.
    """
    is_v6 = ":" in host
    listener = socket.create_server((host, port), family=socket.AF_INET6 if is_v6 else socket.AF_INET)
    # asyncio does this only for sockets that it makes itself; without it each answer waits for a delayed ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener, f"http://{f'[{host}]' if is_v6 else host}:{listener.getsockname()[1]}"


@contextlib.asynccontextmanager
async def serving(
    app: Any, *, host: str = "127.0.0.1", port: int = 0, listener: socket.socket | None = None
) -> AsyncIterator[str]:
    """Serve ``app`` while the block runs and give its base URL; on ``listener`` where one is given.

    Raises OSError where the port is taken, and RuntimeError where the app failed to start.
    """
    if listener is None:
        listener, _ = listen(host, port)
    server = _GuestServer(
        uvicorn.Config(
            app, http=WholeAnswers, log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=5
        )
    )
    task = asyncio.create_task(_serve(server, listener))
    try:
        while not server.started:
            if task.done():
                raise RuntimeError("the app did not start; its own log says why")
            await asyncio.sleep(0.005)
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


async def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    # Where its app does not start, uvicorn would end the whole program.
    with contextlib.suppress(SystemExit):
        await server.serve(sockets=[listener])
