"""The plugins of one app from their load to their stop: what they register, and how they start and end."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self

from router.clock import Clock
from router.hooks import answers
from router.hooks.allowance import Allowance
from router.hooks.caller import Caller
from router.hooks.calls import CallLists
from router.hooks.failure import PluginFailed
from router.hooks.names import same_name
from router.hooks.registry import Registry
from router.hooks.targets import GuardedTarget
from router.hooks.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from router.hooks.caller import Made
    from router.hooks.calls import Call
    from router.hooks.discovery import FoundPlugin
    from router.hooks.failure import CallRecord, PluginReport
    from router.hooks.figures import Figures
    from router.model.routes import PluginUse
    from router.model.target import Target
    from router.model.twilio import Twilio

DEADLINE: Final = 1.0
"""Seconds that one call of one implementation may take."""

SUM: Final = 2.0
"""All implementations of a hook together may take so many deadlines."""

PATIENCE: Final = 10.0
"""Seconds that a plugin may take to start, to stop, and for a call in the background."""

_SYSTEM_CLOCK: Final = Clock()


class PluginLife:
    """Has the plugins that it was made from; ``uses`` says which of them are called, in which order, and how.

    A plugin that is not in ``uses`` is not called. Within ``uses`` an implementation marked ``tryfirst`` goes before
    the others and one marked ``trylast`` after them. ``started`` are the plugins that are ready, and ``endpoints`` the
    routes of those that gave some. ``registered`` are their targets by name, as they may be asked. ``calls`` lists the
    calls that a hook means for some uses, in their order, those in the background too.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        clock: Clock = _SYSTEM_CLOCK,
        deadline: float = DEADLINE,
        report: Callable[[PluginReport], None] = lambda _report: None,
        on_call: Callable[[CallRecord], None] = lambda _record: None,
    ) -> None:
        self.registry = registry
        self.started: tuple[PluginUse, ...] = ()
        self.endpoints: Mapping[str, tuple[Any, ...]] = MappingProxyType({})
        self.registered: Mapping[str, Target] = MappingProxyType({})
        self.calls: Callable[[str, Sequence[PluginUse]], Sequence[Call]] = CallLists(registry).of
        self._caller = Caller(clock, report, on_call)
        self._clock = clock
        self._deadline = deadline
        self._usage = Usage()

    @classmethod
    def of(
        cls,
        found: Iterable[FoundPlugin],
        clock: Clock = _SYSTEM_CLOCK,
        *,
        deadline: float = DEADLINE,
        report: Callable[[PluginReport], None] = lambda _report: None,
        on_call: Callable[[CallRecord], None] = lambda _record: None,
    ) -> Self:
        """Make a host of the plugins that are switched on; ``report`` is told of each call that fails."""
        return cls(Registry.of(found), clock=clock, deadline=deadline, report=report, on_call=on_call)

    @property
    def names(self) -> tuple[str, ...]:
        """The plugins, in the order in which they were given."""
        return tuple(self.registry.plugins)

    @property
    def figures(self) -> Mapping[tuple[str, str], Figures]:
        """What was counted by plugin and hook, of the hooks that were called so far."""
        return self._caller.figures

    def implements(self, hook: str) -> bool:
        """Say whether any plugin has ``hook`` at all."""
        return bool(self.registry.implementations[hook])

    def contributors(self, uses: Sequence[PluginUse]) -> Sequence[PluginUse]:
        """Give those of ``uses`` that give attributes: only where there are any is it worth reading what is there."""
        return tuple(call.use for call in self.calls("add_attributes", uses))

    def background(self, hook: str, uses: Sequence[PluginUse]) -> tuple[str, ...]:
        """Name the plugins that are not told of ``hook`` unless by ``tell_one``: it runs in the background."""
        return tuple(call.plugin for call in self.calls(hook, uses) if call.is_background)

    def held(self) -> AbstractContextManager[None]:
        """Keep the plugins from being stopped while the block runs."""
        return self._usage.held()

    async def start(self, uses: Sequence[PluginUse], twilio: Twilio) -> Sequence[PluginFailed]:
        """Let the plugins get ready, in their order, and give their endpoints; where one cannot, all are stopped.

        Gives what failed; nothing where all are ready.
        """
        ready, failures = await self._each("started", uses, {"twilio": twilio}, answers.nothing)
        self.started = tuple(use for use in uses if same_name(use.name) not in {each.plugin for each in failures})
        if not failures:
            ready, failures = await self._each("register_endpoints", self.started, {}, answers.endpoints)
            self.endpoints = MappingProxyType(ready)
        if failures:
            await self.stop(twilio)
        return failures

    async def stop(self, twilio: Twilio) -> None:
        """Stop what was started, once, when nothing uses the plugins any more; raises nothing."""
        await self._usage.ended()
        uses, self.started, self.endpoints = self.started, (), MappingProxyType({})
        for call in reversed(self.calls("stopped", uses)):
            await self._caller.make(call, {"twilio": twilio}, answers.nothing, self._patience())

    async def serve(self, plugin: str, answer: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Let an endpoint of ``plugin`` answer, for as long as it takes, and say whether it did; a crash is counted."""
        call = next(call for call in self.calls("register_endpoints", self.started) if call.plugin == plugin)
        made = await self._caller.take(call, answer, answers.nothing, Allowance.endless(self._clock))
        return not made.reason

    def targets(self, uses: Sequence[PluginUse]) -> tuple[Mapping[str, tuple[str, Target]], Sequence[PluginFailed]]:
        """Gather what the plugins can hand over to, besides flows: the plugin and its target by name; and what failed.

        From then on they are ``registered``. It needs no event loop, as an implementation has nothing to wait for.
        Raises KeyboardInterrupt alone.
        """
        found: dict[str, tuple[str, Target]] = {}
        guarded: dict[str, Target] = {}
        failures: list[PluginFailed] = []
        for call in self.calls("register_targets", uses):
            made = self._caller.make_at_once(call, {}, answers.targets)
            givers = {name: plugin for name, (plugin, _target) in found.items()}
            fault = made.reason or self._clash(call, givers, made)
            if fault:
                failures.append(PluginFailed(call.hook, fault, call.plugin))
            else:
                found |= {name: (call.plugin, target) for name, target in made.answer.items()}
                guarded |= {
                    name: GuardedTarget(name, target, call, self._caller, self._patience)
                    for name, target in made.answer.items()
                }
        self.registered = MappingProxyType(guarded)
        return MappingProxyType(found), failures

    async def _each(
        self, hook: str, uses: Sequence[PluginUse], given: Mapping[str, Any], accept: Callable[[Any], Any]
    ) -> tuple[dict[str, Any], list[PluginFailed]]:
        """Call one after the other: the answers by plugin, and what failed."""
        ready: dict[str, Any] = {}
        failures: list[PluginFailed] = []
        for call in self.calls(hook, uses):
            made = await self._caller.make(call, given, accept, self._patience())
            if made.reason:
                failures.append(PluginFailed(hook, made.reason, call.plugin))
            else:
                ready[call.plugin] = made.answer
        return ready, failures

    def _allowance(self) -> Allowance:
        return Allowance(self._deadline, SUM * self._deadline, self._clock)

    def _patience(self) -> Allowance:
        return Allowance(max(self._deadline, PATIENCE), math.inf, self._clock)

    def _clash(self, call: Call, givers: Mapping[str, str], made: Made, about: str = "") -> str:
        """Say which names another plugin gives too; that is a failure of this one."""
        twice = [f"'{name}', which '{givers[name]}' gives too" for name in made.answer if name in givers]
        if not twice:
            return ""
        fault = f"gives {' and '.join(twice)}"
        self._caller.fail(call, fault, made.seconds, about)
        return fault
