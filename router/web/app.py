"""The app: one configuration, one gateway, one ledger, put together once and shared with no other app."""

from __future__ import annotations

import gc
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.routing import Match, Mount, Route

from router.clock import Clock
from router.config import LastGood, Source
from router.config.garbage import uncollected
from router.config.sources import Sources
from router.desk import Desk
from router.errors import ConfigError
from router.hooks.host import PluginHost
from router.ledger.durable import DurableLedger
from router.ledger.owner import this_process
from router.line import Line
from router.model.diagnostic import Severity
from router.rounds import Rounds
from router.settings import unknown_names
from router.swap.background import Background
from router.twilio.credentials import Credentials
from router.twilio.gateway import TwilioGateway
from router.twilio.signatures import SignatureCheck
from router.web.door import Door
from router.web.endpoints import Operations, Tools
from router.web.lifespan import App, running
from router.web.metrics import Metrics
from router.web.pages import PLACE, PluginPages
from router.web.reload import Reloader, go_live
from router.web.returns import Returns
from router.workshop import Workshop
from router.workshop.order import Order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from starlette.applications import Starlette
    from starlette.routing import BaseRoute
    from starlette.types import Scope
    from structlog.typing import FilteringBoundLogger

    from router.config import Loaded
    from router.config.last_good import Saved
    from router.config.loading import Attempt
    from router.config.watch import Watch
    from router.hooks.discovery import FoundPlugin
    from router.hooks.failure import CallRecord, PluginReport
    from router.model.diagnostic import Diagnostic
    from router.settings import Settings
    from router.web.reload import Live

_REMEDY: Final = "all calls wait for it meanwhile: make it an async def, or say 'blocking': True in its plugin_info"


def create_app(
    settings: Settings,
    environ: Mapping[str, str],
    log: FilteringBoundLogger,
    *,
    clock: Clock | None = None,
    owns_process: bool = False,
    make_host: Callable[..., PluginHost] = PluginHost.of,
) -> Starlette:
    """Make the app that ``settings`` describe; ``environ`` is what ``${env:…}`` in the file may name.

    Where the files have faults, what went live last does, and the log says so. Raises ConfigError where there is
    nothing good, and SettingsError where something is missing; nothing is started then. An app that ``owns_process``
    reloads on SIGHUP, and spares the garbage collector what stays for good: both are matters of the whole process.
    ``make_host`` is called as ``PluginHost.of`` is, and gives a host that does the same.
    """
    clock = clock or Clock()
    metrics = Metrics()
    make_host = _reporting(make_host, clock, metrics, log)
    source = Source(
        settings.config,
        environ=environ,
        plugins_dirs=settings.plugins_dirs or None,
        make_host=make_host,
        last_good=LastGood(settings.state, settings.config) if settings.state else None,
    )
    with uncollected(spare=owns_process):
        begun = source.begin()
    if begun.loaded is None:
        raise ConfigError(begun.diagnostics)
    loaded = replace(begun.loaded, sources=Sources.nowhere())  # a server has no use for the places of every value
    gateway = _gateway(settings, clock, metrics)
    ledger = DurableLedger(settings.database_url, this_process(), clock, on_commit=metrics.ledger.committed)
    live = go_live(loaded, _desk(loaded, gateway, ledger, settings, clock, log), settings)
    _tell(begun.diagnostics, unknown_names(environ, loaded.own.values()), live)
    metrics.began(live, clock.now())
    workshop = Workshop(make_host)

    def try_anew(good: Saved | None, may_shrink: bool, watch: Watch) -> Attempt:  # noqa: FBT001 - see Reloader
        order = Order(settings.config, dict(environ), settings.plugins_dirs or None, good, may_shrink)
        return workshop.try_apart(order, watch)

    reloader = Reloader(begun.watch, live, source, try_anew, settings, metrics, gc.collect if owns_process else _leave)
    door = Door(SignatureCheck(settings.auth_tokens), settings.public_url, settings.admin_token, metrics)
    tools, returns, operations = (
        Tools(reloader, door, metrics),
        Returns(reloader, door),
        Operations(reloader, door, metrics),
    )
    rounds = Rounds(lambda: reloader.live.desk, gateway, timedelta(days=settings.retention), metrics.ledger.gave_up)
    pages = PluginPages(reloader)
    app = App(
        tools,
        lifespan=partial(
            running, gateway, ledger, rounds, reloader, loaded, workshop, poll=settings.poll, heeds_hup=owns_process
        ),
        routes=_paths(tools, returns, operations, pages),
    )
    app.state.reloader = reloader
    return app


def _leave() -> None:
    """Leave the garbage to whoever owns the process."""


def _desk(
    loaded: Loaded,
    gateway: TwilioGateway,
    ledger: DurableLedger,
    settings: Settings,
    clock: Clock,
    log: FilteringBoundLogger,
) -> Desk:
    return Desk(
        routes=loaded.routes,
        plugins=loaded.plugins,
        gateway=gateway,
        ledger=ledger,
        background=Background(lambda error: log.error("background work broke", exc_info=error)),
        log=log,
        deadline=settings.deadline,
        clock=clock,
        line=Line(settings.concurrency, settings.queue),
    )


def _tell(diagnostics: Iterable[Diagnostic], unknown: Iterable[str], live: Live) -> None:
    """Tell what is odd or broken about settings and files at the start, and what is in use because of it."""
    log = live.desk.log
    for name in unknown:
        log.warning("settings", told=name)
    for each in diagnostics:
        (log.error if each.severity is Severity.ERROR else log.warning)("config", diagnostic=str(each))
    for trouble in live.troubles:
        log.error("degraded", trouble=trouble)


def _paths(tools: Tools, returns: Returns, operations: Operations, pages: PluginPages) -> list[BaseRoute]:
    return [
        _OwnRoute("/healthz", operations.healthz),
        _OwnRoute("/readyz", operations.readyz),
        _OwnRoute("/metrics", operations.metrics),
        _OwnRoute("/-/reload", operations.reload, methods=["POST"]),
        _OwnRoute("/-/hand-back", returns.hand_back, methods=["POST"]),
        _OwnRoute("/-/schema.json", operations.schema),
        _OwnRoute("/-/plugins", operations.plugins),
        Mount(PLACE, pages),
        Mount("", tools),
    ]


class _OwnRoute(Route):
    """A path that is never a tool's: what comes with another method is answered with 405 here."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        return (Match.FULL if match is Match.PARTIAL else match), child


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


def _reporting(
    make_host: Callable[..., PluginHost], clock: Clock, metrics: Metrics, log: FilteringBoundLogger
) -> Callable[[Iterable[FoundPlugin]], PluginHost]:
    def report(failure: PluginReport) -> None:
        metrics.plugins.failed(failure)
        about = {"handover": failure.handover} if failure.handover else {}
        log.warning("plugin failed", plugin=failure.plugin, hook=failure.hook, reason=failure.reason, **about)

    def on_call(record: CallRecord) -> None:
        metrics.plugins.called(record)
        if record.blocked:
            seconds = round(record.blocked, 3)
            log.warning("plugin blocks", plugin=record.plugin, hook=record.hook, seconds=seconds, remedy=_REMEDY)

    return partial(make_host, clock=clock, report=report, on_call=on_call)
