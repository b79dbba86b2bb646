"""The app: one configuration, one gateway, one ledger, put together once and shared with no other app."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.requests import Request as WebRequest
from starlette.responses import Response
from starlette.routing import Match, Route

from router.clock import Clock
from router.config import load
from router.desk import Desk
from router.hooks.host import PluginHost
from router.ledger.memory import MemoryLedger
from router.swap.background import Background
from router.twilio.gateway import Credentials, TwilioGateway
from router.twilio.signatures import SignatureCheck
from router.web.access import usable_methods
from router.web.endpoints import Operations, Tools
from router.web.metrics import Metrics
from router.web.reload import Live, Reloader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from starlette.types import Receive, Scope, Send
    from structlog.typing import FilteringBoundLogger

    from router.hooks.discovery import FoundPlugin
    from router.hooks.failure import PluginReport
    from router.settings import Settings

PATIENCE: Final = 10.0
"""Seconds that work in flight gets at a shutdown, beyond the deadline of a call."""


def create_app(
    settings: Settings, environ: Mapping[str, str], log: FilteringBoundLogger, *, clock: Clock | None = None
) -> Starlette:
    """Make the app that ``settings`` describe; ``environ`` is what ``${env:…}`` in the file may name.

    Raises ConfigError where the file has faults and SettingsError where something is missing; nothing is started then.
    """
    clock = clock or Clock()
    metrics = Metrics()
    read_files = partial(load, settings.config, environ=environ, make_host=_host_maker(clock, metrics, log))
    loaded = read_files()
    for warning in loaded.warnings:
        log.warning("config", diagnostic=str(warning))
    methods = usable_methods(loaded.routes, settings)
    gateway = _gateway(settings, clock, metrics)
    desk = Desk(
        routes=loaded.routes,
        plugins=loaded.plugins,
        gateway=gateway,
        ledger=MemoryLedger(),
        background=Background(lambda error: log.error("background work broke", exc_info=error)),
        log=log,
        deadline=settings.deadline,
        clock=clock,
    )
    reloader = Reloader(Live(desk, loaded.digest, methods), read_files, settings)
    tools = Tools(reloader, SignatureCheck(settings.auth_tokens), settings.public_url, metrics)
    operations = Operations(reloader, settings.admin_token, metrics)
    return Starlette(
        lifespan=partial(_running, gateway, desk),
        routes=_paths(tools, operations),
        exception_handlers={ClientDisconnect: _hung_up},
    )


def _paths(tools: Tools, operations: Operations) -> list[Route]:
    return [
        _OwnRoute("/healthz", operations.healthz),
        _OwnRoute("/readyz", operations.readyz),
        _OwnRoute("/metrics", operations.metrics),
        _OwnRoute("/-/reload", operations.reload, methods=["POST"]),
        Route("/{path:path}", _EveryMethod(tools)),
    ]


async def _hung_up(_request: WebRequest, _error: Exception) -> Response:
    """Answer a caller that left in the middle of its request: nobody reads it, and nothing is wrong with us."""
    return Response(status_code=400)


class _OwnRoute(Route):
    """A path that is never a tool's: what comes with another method is answered with 405 here."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        return (Match.FULL if match is Match.PARTIAL else match), child


@contextlib.asynccontextmanager
async def _running(gateway: TwilioGateway, desk: Desk, _app: Starlette) -> AsyncIterator[None]:
    """Open the connections; at the end let the work in flight end, and only then close them."""
    async with gateway:
        yield
        left = await desk.background.drain(desk.deadline + PATIENCE)
        if left:
            desk.log.error("stopped with work in flight", left=left)


def _gateway(settings: Settings, clock: Clock, metrics: Metrics) -> TwilioGateway:
    credentials = Credentials(
        account_sid=settings.account_sid,
        auth_token=settings.auth_token,
        api_key=settings.api_key,
        api_secret=settings.api_secret,
        edge=settings.edge,
        region=settings.region,
    )
    return TwilioGateway(credentials, base_url=settings.twilio_url, clock=clock, on_request=metrics.asked_twilio)


def _host_maker(
    clock: Clock, metrics: Metrics, log: FilteringBoundLogger
) -> Callable[[Iterable[FoundPlugin]], PluginHost]:
    def report(failure: PluginReport) -> None:
        metrics.plugin_failed(failure)
        log.warning("plugin failed", plugin=failure.plugin, hook=failure.hook, reason=failure.reason)

    return partial(PluginHost.of, clock=clock, report=report)


@dataclass(frozen=True, slots=True)
class _EveryMethod:
    """The tools as an ASGI app: which methods a path has depends on the path, and paths change with a reload."""

    tools: Tools

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self.tools.answer(WebRequest(scope, receive, send))
        await response(scope, receive, send)
