"""The configuration in use, and how another one takes its place: all that can fail first, then one reference."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from router.config.reading import digest_of
from router.errors import ConfigError, HandoverError
from router.model.diagnostic import Diagnostic, Severity
from router.web.access import usable_methods
from router.web.changes import changes
from router.web.starting import start_plugins

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from router.config import Loaded, Source
    from router.config.last_good import Saved
    from router.config.loading import Attempt, Frozen
    from router.config.watch import Watch
    from router.desk import Desk
    from router.hooks.discovery import FoundPlugin
    from router.model.routes import AuthMethod, PluginUse
    from router.settings import Settings
    from router.web.metrics import Metrics


Done = TypeVar("Done")

_REST: Final = 0.001
"""Seconds that a comparison of many tools leaves to the calls, again and again."""


class Result(StrEnum):
    """How a reload ended. ``degraded``: it went live, but for fragments with faults."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    DEGRADED = "degraded"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Live:
    """One loaded configuration in use; a call takes it once and ends at it.

    ``frozen`` are the fragments that are not as they stand on the disk; ``revived`` says since when all of it is the
    last good form; ``refused`` why the last attempt to replace it did not succeed. Both are empty when all is well.
    ``available`` are the plugins that could be switched on, ``plugins`` those that are, with digests of their files.
    """

    desk: Desk
    digest: str
    methods: tuple[AuthMethod, ...]
    fragments: tuple[str, ...] = ()
    frozen: tuple[Frozen, ...] = ()
    revived: str = ""
    refused: str = ""
    available: Mapping[str, FoundPlugin] = field(default_factory=dict)
    plugins: Mapping[str, str] = field(default_factory=dict)

    def is_as(self, other: Live) -> bool:
        """Say whether both are the same files, in the same state; one that was revived is like no other."""
        of_each = ((live.digest, live.fragments, live.frozen) for live in (self, other))
        return len(set(of_each)) == 1 and not (self.revived or other.revived)

    @property
    def troubles(self) -> tuple[str, ...]:
        """What is not as it stands on the disk, in words that name no more than files; nothing when all is well."""
        revived = (f"the files are broken: this is their last good form, of {self.revived}",) if self.revived else ()
        refused = (f"the last reload was refused: {self.refused}",) if self.refused else ()
        return (*revived, *refused, *(f"fragment {frozen}" for frozen in self.frozen))


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a reload did: the digest of what is in use now, what changed, and what stands against it.

    ``recovered`` says that what stood against it before is mended.
    """

    result: Result
    digest: str
    changes: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    frozen: tuple[Frozen, ...] = ()
    settings: str = ""
    recovered: bool = False


def go_live(loaded: Loaded, desk: Desk, settings: Settings) -> Live:
    """Give what ``loaded`` is in use, at a desk with its routes and plugins; raises SettingsError."""
    return Live(
        desk=replace(desk, routes=loaded.routes, plugins=loaded.plugins),
        digest=loaded.digest,
        methods=usable_methods(loaded.routes, settings),
        fragments=tuple(str(path) for path in loaded.fragments),
        frozen=loaded.frozen,
        revived=loaded.saved_at.isoformat(timespec="seconds") if loaded.saved_at else "",
        available=loaded.available,
        plugins={use.name: _digest_of(use, loaded) for use, _place in loaded.switched_on},
    )


def _digest_of(use: PluginUse, loaded: Loaded) -> str:
    """Digest the file of a plugin; one by entry point has none, and changes with a restart only."""
    return digest_of([loaded.own.get(Path(loaded.available[use.name].source))])


class Reloader:
    """Holds what is ``live``, and where a change of it would show.

    ``try_anew`` reads the files: it is told what went live last, whether files may shrink, and what is watched. It may
    block. ``collect`` frees what plugins leave behind, whose modules refer to themselves.
    """

    def __init__(
        self,
        watch: Watch,
        live: Live,
        source: Source,
        try_anew: Callable[[Saved | None, bool, Watch], Attempt],
        settings: Settings,
        metrics: Metrics,
        collect: Callable[[], object],
    ) -> None:
        self.live = live
        self.watch = watch
        self._source = source
        self._try_anew = try_anew
        self._settings = settings
        self._metrics = metrics
        self._collect = collect
        self._one_at_a_time = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "reload")

    async def apart(self, work: Callable[..., Done], *values: object) -> Done:
        """Do what may block in a thread of our own: what plugins leave hanging may fill those of the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *values)

    async def reload(self, by: str, *, may_shrink: bool = False) -> Receipt:
        """Take the files as they are now, for ``by``; where they cannot go live, all stays as it is. Raises nothing."""
        async with self._one_at_a_time:
            receipt = await self._take(may_shrink=may_shrink)
        self._metrics.reloaded(receipt.result, self.live, self.live.desk.clock.now())
        self._log(receipt, by)
        return receipt

    async def _take(self, *, may_shrink: bool) -> Receipt:
        old = self.live
        attempt = await self.apart(self._try_anew, self._source.good, may_shrink, self.watch)
        self.watch = attempt.watch
        try:
            if attempt.loaded is None:
                raise ConfigError(attempt.diagnostics)
            new = go_live(attempt.loaded, old.desk, self._settings)
            if new.is_as(old):
                self.live = replace(old, refused="", available=new.available)
                result = Result.DEGRADED if old.frozen else Result.UNCHANGED
                return Receipt(result, old.digest, frozen=old.frozen, recovered=bool(old.refused))
            await start_plugins(attempt.loaded, new.desk.twilio)
        except HandoverError as error:
            self.live = replace(old, refused=_reason(error))
            return _refusal(error, old)
        self.live = new
        new.desk.background.start(self._succeed(old.desk, new.desk))
        await self.keep(attempt.loaded)
        told = await self.apart(_told, old, new)
        result = Result.DEGRADED if new.frozen else Result.CHANGED
        recovered = bool(old.troubles and not new.troubles)
        return Receipt(result, new.digest, told, frozen=new.frozen, recovered=recovered)

    async def _succeed(self, old: Desk, new: Desk) -> None:
        """Tell the new plugins, and stop the old ones when the last call that uses them has ended."""
        await new.plugins.routes_reloaded(old.routes, new.routes)
        await old.plugins.stop(old.twilio)
        self._collect()

    async def keep(self, loaded: Loaded) -> None:
        """Keep what went live as the last good form."""
        try:
            await self.apart(self._source.accept, loaded, self.live.desk.clock.now())
        except OSError as error:
            self.live.desk.log.warning(
                "the last good form cannot be kept",
                directory=str(self._settings.state),
                reason=error.strerror,
                remedy="name a directory in HANDOVER_STATE that this process can make and write to, or none",
            )

    def _log(self, receipt: Receipt, by: str) -> None:
        log = self.live.desk.log
        if receipt.recovered:
            log.info("recovered", by=by, digest=receipt.digest)
        match receipt.result:
            case Result.REFUSED:
                faults = [receipt.settings] if receipt.settings else [str(each) for each in receipt.diagnostics]
                log.error("reload refused", by=by, faults=faults)
            case Result.CHANGED | Result.DEGRADED:
                log.info("reloaded", by=by, digest=receipt.digest, changes=list(receipt.changes))
        for each in receipt.frozen:
            faults = [str(error) for error in each.errors]
            log.error("degraded", fragment=each.file, state=str(each), diagnostics=faults)


def _told(old: Live, new: Live) -> tuple[str, ...]:
    rest = partial(time.sleep, _REST)
    plugins = (f"changed plugin {name}" for name in sorted(new.plugins) if old.plugins.get(name) != new.plugins[name])
    return (*changes(old.desk.routes, new.desk.routes, rest), *plugins)


def _refusal(error: HandoverError, live: Live) -> Receipt:
    if isinstance(error, ConfigError):
        return Receipt(Result.REFUSED, live.digest, diagnostics=error.diagnostics)
    return Receipt(Result.REFUSED, live.digest, settings=str(error))


def _reason(error: HandoverError) -> str:
    """Say in a word where the fault is, without its text: this stands on a page that anyone may read."""
    if not isinstance(error, ConfigError):
        return "settings"
    first, *others = [each for each in error.diagnostics if each.severity is Severity.ERROR]
    more = f", and {len(others)} more" if others else ""
    return f"{first.file}:{first.line}: {first.code}{more}"
