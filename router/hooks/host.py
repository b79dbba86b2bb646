"""The plugins of one app, and how their hooks are called: in order, in time, each apart from the others.

pluggy holds what is registered and checks it; the calls are made here, as pluggy itself awaits nothing, has no
deadline, and ends a call at the first exception.
"""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self

from router.clock import Clock
from router.hooks.answers import attributes, nothing, replacement
from router.hooks.attempt import Attempt, Attempts
from router.hooks.failure import Figures, PluginFailed, PluginReport, reason_of
from router.hooks.names import same_name
from router.hooks.specs import KINDS, Kind, new_manager
from router.hooks.usage import Usage
from router.model.handover import Decline
from router.model.routes import OnError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    import pluggy

    from router.hooks.discovery import FoundPlugin
    from router.model.handover import Handover
    from router.model.outcome import Outcome
    from router.model.routes import PluginUse, Routes

__all__ = ["DEADLINE", "Figures", "PluginFailed", "PluginHost", "PluginReport"]

DEADLINE: Final = 1.0
"""Seconds that one call of one implementation may take."""

START_DEADLINE: Final = 10.0
"""Seconds that a plugin may take to start, and to stop."""

_SYSTEM_CLOCK: Final = Clock()


@dataclass(frozen=True, slots=True)
class _Call:
    """One implementation as one route uses it."""

    impl: pluggy.HookImpl
    hook: str
    use: PluginUse

    @property
    def plugin(self) -> str:
        return self.impl.plugin_name

    def with_given(self, given: Mapping[str, Any]) -> Any:
        """Call the implementation with those of the given values that it asks for."""
        values = {**given, "config": MappingProxyType(self.use.config)}
        wanted = [values[name] for name in self.impl.argnames]
        return self.impl.function(*wanted, **{name: values[name] for name in self.impl.kwargnames if name in values})


class PluginHost:
    """Calls the hooks of the plugins that it was made from; ``uses`` says which of them, in which order, and how.

    A plugin that is not in ``uses`` is not called. Within ``uses`` an implementation marked ``tryfirst`` goes before
    the others and one marked ``trylast`` after them. Two hosts share nothing but what the plugins themselves share.
    """

    def __init__(
        self,
        manager: pluggy.PluginManager,
        *,
        clock: Clock = _SYSTEM_CLOCK,
        deadline: float = DEADLINE,
        report: Callable[[PluginReport], None] = lambda _report: None,
    ) -> None:
        # The last one registered stands first to be called; the order among plugins is the route's, not this one.
        self._impls = {hook: tuple(reversed(getattr(manager.hook, hook).get_hookimpls())) for hook in KINDS}
        self._names = tuple(name for name, _plugin in manager.list_name_plugin())
        self._attempts = Attempts(deadline, clock)
        self._patient_attempts = Attempts(max(deadline, START_DEADLINE), clock)
        self._started: tuple[PluginUse, ...] = ()
        self._usage = Usage()
        self._report = report
        self._figures: dict[tuple[str, str], Figures] = {}

    @classmethod
    def of(
        cls,
        found: Iterable[FoundPlugin],
        clock: Clock = _SYSTEM_CLOCK,
        *,
        deadline: float = DEADLINE,
        report: Callable[[PluginReport], None] = lambda _report: None,
    ) -> Self:
        """Make a host of the plugins that are switched on; ``report`` is told of each call that fails."""
        manager = new_manager()
        for plugin in found:
            manager.register(plugin.plugin, name=plugin.name)
        return cls(manager, clock=clock, deadline=deadline, report=report)

    @property
    def names(self) -> tuple[str, ...]:
        """The plugins, in the order in which they were given."""
        return self._names

    @property
    def figures(self) -> Mapping[tuple[str, str], Figures]:
        """Calls, failures and seconds by plugin and hook, of the hooks that were called so far."""
        return MappingProxyType(dict(self._figures))

    def contributes(self, uses: Sequence[PluginUse]) -> bool:
        """Say whether one of ``uses`` gives attributes: only then is it worth reading those that are there."""
        return bool(self._calls("add_attributes", uses))

    def held(self) -> AbstractContextManager[None]:
        """Keep the plugins from being stopped while the block runs."""
        return self._usage.held()

    async def start(self, uses: Sequence[PluginUse]) -> Sequence[PluginFailed]:
        """Let the plugins get ready, in their order; where one cannot, those that did are stopped again.

        Gives what failed; nothing where all are ready.
        """
        failures: list[PluginFailed] = []
        for call in self._calls("started", uses):
            _attempt, reason = await self._make(call, {}, nothing, self._patient_attempts)
            if reason:
                failures.append(PluginFailed(call.hook, reason, call.plugin))
        failed = {failure.plugin for failure in failures}
        self._started = tuple(use for use in uses if same_name(use.name) not in failed)
        if failures:
            await self.stop()
        return failures

    async def stop(self) -> None:
        """Stop what was started, once, when nothing uses the plugins any more; raises nothing."""
        await self._usage.ended()
        uses, self._started = self._started, ()
        for call in reversed(self._calls("stopped", uses)):
            await self._make(call, {}, nothing, self._patient_attempts)

    async def routes_reloaded(self, old: Routes, new: Routes) -> None:
        """Tell the observers that other routes are in use; raises nothing."""
        await self._tell("routes_reloaded", {"old": old, "new": new}, self._started)

    async def before_swap(
        self, handover: Handover, uses: Sequence[PluginUse], listed: Callable[[str], str | None]
    ) -> Handover:
        """Ask the guards, one after the other, each about what the one before it made of the handover.

        ``listed`` is the allow-list: it gives the Flow SID for a flow that a guard may name, and None for another.
        Raises Decline as a guard raised it, and PluginFailed where a guard failed whose ``on_error`` is ``stop``.
        """
        for call in self._calls("before_swap", uses):
            attempt, reason = await self._make(call, {"handover": handover}, partial(replacement, handover, listed))
            if isinstance(attempt.error, Decline):
                raise attempt.error
            if not reason:
                handover = attempt.answer
            elif call.use.on_error is OnError.STOP:
                raise PluginFailed(call.hook, reason, call.plugin)
        return handover

    async def add_attributes(self, handover: Handover, uses: Sequence[PluginUse]) -> Mapping[str, Any]:
        """Gather what the plugins want to stand in the conversation's attributes; JSON values by name.

        Raises PluginFailed where a plugin whose ``on_error`` is ``stop`` failed, or gives a name that another gave.
        """
        calls = self._calls("add_attributes", uses)
        ended = await asyncio.gather(*(self._make(call, {"handover": handover}, attributes) for call in calls))
        merged: dict[str, Any] = {}
        givers: dict[str, str] = {}
        for call, (attempt, reason) in zip(calls, ended, strict=True):
            fault = reason or _clash(givers, attempt.answer)
            if fault and not reason:
                self._fail(call, fault, attempt.seconds)
            if not fault:
                merged |= attempt.answer
                givers |= dict.fromkeys(attempt.answer, call.plugin)
            elif call.use.on_error is OnError.STOP:
                raise PluginFailed(call.hook, fault, call.plugin)
        return merged

    async def after_swap(self, handover: Handover, outcome: Outcome, uses: Sequence[PluginUse]) -> None:
        """Tell the observers that the flow answers now; raises nothing."""
        await self._tell("after_swap", {"handover": handover, "outcome": outcome}, uses)

    async def swap_failed(self, handover: Handover, error: Exception, uses: Sequence[PluginUse]) -> None:
        """Tell the observers that the swap did not work; raises nothing."""
        await self._tell("swap_failed", {"handover": handover, "error": error}, uses)

    async def _tell(self, hook: str, given: Mapping[str, Any], uses: Sequence[PluginUse]) -> None:
        await asyncio.gather(*(self._make(call, given, nothing) for call in self._calls(hook, uses)))

    def _calls(self, hook: str, uses: Sequence[PluginUse]) -> list[_Call]:
        places = {same_name(use.name): place for place, use in enumerate(uses)}
        wanted = [impl for impl in self._impls[hook] if impl.plugin_name in places]
        wanted.sort(key=lambda impl: (impl.trylast - impl.tryfirst, places[impl.plugin_name]))
        return [_Call(impl, hook, uses[places[impl.plugin_name]]) for impl in wanted]

    async def _make(
        self,
        call: _Call,
        given: Mapping[str, Any],
        accept: Callable[[Any], Any],
        attempts: Attempts | None = None,
    ) -> tuple[Attempt, str]:
        """Make one call and count it; the text says why it failed, and is empty where it did not."""
        attempt = await (attempts or self._attempts).make(partial(call.with_given, given), accept)
        so_far = self._figures.get((call.plugin, call.hook), Figures())
        self._figures[call.plugin, call.hook] = replace(
            so_far, calls=so_far.calls + 1, seconds=so_far.seconds + attempt.seconds
        )
        declines = KINDS[call.hook] is Kind.GUARD and isinstance(attempt.error, Decline)
        if attempt.error is None or declines:
            return attempt, ""
        reason = reason_of(attempt.error, inspect.unwrap(call.impl.function).__code__.co_filename)
        self._fail(call, reason, attempt.seconds)
        return attempt, reason

    def _fail(self, call: _Call, reason: str, seconds: float) -> None:
        so_far = self._figures[call.plugin, call.hook]
        self._figures[call.plugin, call.hook] = replace(so_far, failures=so_far.failures + 1)
        self._report(PluginReport(call.plugin, call.hook, KINDS[call.hook], reason, seconds))


def _clash(givers: Mapping[str, str], given: Mapping[str, Any]) -> str:
    twice = [f"'{name}', which '{givers[name]}' gives too" for name in given if name in givers]
    return f"gives {' and '.join(twice)}" if twice else ""
