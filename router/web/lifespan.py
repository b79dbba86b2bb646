"""The app's life: connections and plugins are ready before the first call, and stay until the last has ended."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from router.errors import ConfigError, LedgerError
from router.web.starting import start_plugins
from router.web.watcher import heed, watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request as WebRequest
    from starlette.types import Message, Receive, Scope, Send

    from router.config import Loaded
    from router.desk import Desk
    from router.ledger.durable import DurableLedger
    from router.rounds import Rounds
    from router.twilio.gateway import TwilioGateway
    from router.web.endpoints import Tools
    from router.web.reload import Reloader
    from router.workshop import Workshop

PATIENCE: Final = 10.0
"""Seconds that work in flight gets at a shutdown, beyond the deadline of a call."""


@contextlib.asynccontextmanager
async def running(
    gateway: TwilioGateway,
    ledger: DurableLedger,
    rounds: Rounds,
    reloader: Reloader,
    begun: Loaded,
    workshop: Workshop,
    app: App,
    *,
    poll: float,
    heeds_hup: bool,
) -> AsyncIterator[None]:
    """Open the connections and start the plugins; at the end let the work in flight end, and only then close them."""
    desk = reloader.live.desk
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(gateway)
        try:
            await stack.enter_async_context(ledger)
            await start_plugins(begun, desk.twilio)
        except (ConfigError, LedgerError) as error:
            _tell_refusal(error, desk)
            app.is_refused = True
            raise
        await reloader.keep(begun)
        async with _watching(reloader, poll, heeds_hup=heeds_hup), _making(rounds, desk):
            yield
            workshop.close()
        await _stop_plugins(reloader.live.desk)


@contextlib.asynccontextmanager
async def _making(rounds: Rounds, desk: Desk) -> AsyncIterator[None]:
    """Make the rounds while the block runs; then let the calls in flight end, and make one more for what they owe."""
    making = asyncio.create_task(rounds.run())
    yield
    rounds.stop()
    left = await desk.background.drain(desk.deadline + PATIENCE)
    if left:
        desk.log.error("stopped with work in flight", left=left)
    with contextlib.suppress(TimeoutError, LedgerError):
        async with asyncio.timeout(PATIENCE):
            await making
            await rounds.make()


async def _stop_plugins(desk: Desk) -> None:
    """Stop the plugins; all of them together get no longer than one, and who uses them still is not waited for."""
    try:
        async with asyncio.timeout(PATIENCE):
            await desk.plugins.stop(desk.twilio)
    except TimeoutError:
        desk.log.error("stopped before its plugins", seconds=PATIENCE)


def _tell_refusal(error: ConfigError | LedgerError, desk: Desk) -> None:
    """Tell why the app does not start: the user's mistake needs no traceback."""
    if isinstance(error, LedgerError):
        desk.log.error("ledger", reason=str(error))
        return
    for each in error.diagnostics:
        desk.log.error("config", diagnostic=str(each))


@contextlib.asynccontextmanager
async def _watching(reloader: Reloader, poll: float, *, heeds_hup: bool) -> AsyncIterator[None]:
    """Reload while the block runs: when the files change, and on SIGHUP."""
    loop = asyncio.get_running_loop()
    watchers = [loop.create_task(watch(reloader, poll, reloader.live.desk.clock))] if poll else []
    if heeds_hup:
        told = asyncio.Event()
        watchers.append(loop.create_task(heed(told, reloader)))
        loop.add_signal_handler(signal.SIGHUP, told.set)
    yield
    if heeds_hup:
        loop.remove_signal_handler(signal.SIGHUP)
    for watcher in watchers:
        watcher.cancel()
    await asyncio.gather(*watchers, return_exceptions=True)


class App(Starlette):
    """The app. A start that the configuration's faults refuse is told by the log, without a traceback."""

    is_refused = False

    def __init__(self, tools: Tools, **given: Any) -> None:
        super().__init__(exception_handlers={ClientDisconnect: _hung_up}, **given)
        self._tools = tools

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or start and stop; a tool is found by its path alone, before any pattern is tried."""
        if scope["type"] == "http" and self._tools.have(scope["path"]):
            await self._tools(scope, receive, send)
        elif scope["type"] == "lifespan":
            await super().__call__(scope, receive, self._telling(send))
        else:
            await super().__call__(scope, receive, send)

    def _telling(self, send: Send) -> Send:
        async def tell(message: Message) -> None:
            if self.is_refused and message["type"] == "lifespan.startup.failed":
                message = {**message, "message": ""}
            await send(message)

        return tell


async def _hung_up(_request: WebRequest, _error: Exception) -> Response:
    """Answer whoever left while a plugin read its body: nobody reads it, and the plugin has not failed."""
    return Response(status_code=400)
