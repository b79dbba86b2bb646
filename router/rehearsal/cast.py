"""The plugins in a rehearsal: guards and contributors act as they always do, observers hear of nothing."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from router.hooks.blame import located
from router.hooks.host import DEADLINE, PluginFailed, PluginHost
from router.model.handover import Decline
from router.model.route_test import PluginFaults
from router.model.routes import OnError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, MutableMapping, Sequence

    from router.hooks.host import PluginReport
    from router.hooks.registry import Registry
    from router.model.call import ToolCall
    from router.model.handover import Handover
    from router.model.outcome import Outcome
    from router.model.routes import PluginUse, Tool
    from router.model.twilio import Twilio


class Cast(PluginHost):
    """Plays one test. ``tell`` is told of each plugin that fails, unless the test ignores such faults.

    ``unusable`` says by name why a plugin cannot be asked, and grows: one that gave no answer in time, ``deadline``
    seconds, is not asked again, so that it cannot hold up a thousand tests. ``declined_by`` names the plugin that
    declined, if one did; ``is_broken_off`` says that one failed and with that ended the handover.
    """

    def __init__(
        self,
        registry: Registry,
        faults: PluginFaults,
        unusable: MutableMapping[str, str],
        tell: Callable[[PluginFailed], None],
        *,
        deadline: float = DEADLINE,
    ) -> None:
        super().__init__(registry, deadline=deadline, report=self._note)
        self._ignores = faults is PluginFaults.IGNORE
        self._unusable = unusable
        self._tell_of = tell
        self._deadline = deadline
        self.declined_by = ""
        self.is_broken_off = False

    async def choose_intent(self, call: ToolCall, tool: Tool, uses: Sequence[PluginUse]) -> str:
        """Ask for the intent."""
        with self._noted():
            return await super().choose_intent(call, tool, self._at_hand("choose_intent", uses))

    async def before_swap(
        self, handover: Handover, uses: Sequence[PluginUse], listed: Callable[[str], str | None], twilio: Twilio
    ) -> Handover:
        """Ask the guards."""
        with self._noted():
            return await super().before_swap(handover, self._at_hand("before_swap", uses), listed, twilio)

    async def add_attributes(self, handover: Handover, uses: Sequence[PluginUse]) -> Mapping[str, Any]:
        """Gather the attributes."""
        with self._noted():
            return await super().add_attributes(handover, self._at_hand("add_attributes", uses))

    @asynccontextmanager
    async def around_swap(self, handover: Handover, uses: Sequence[PluginUse], twilio: Twilio) -> AsyncIterator[None]:
        """Enter what the plugins put around the swap, and leave it."""
        with self._noted():
            async with super().around_swap(handover, self._at_hand("around_swap", uses), twilio):
                yield

    async def after_swap(
        self, _handover: Handover, _outcome: Outcome, _uses: Sequence[PluginUse], _twilio: Twilio
    ) -> None:
        """Tell nobody."""

    async def swap_failed(
        self, _handover: Handover, _error: Exception, _uses: Sequence[PluginUse], _twilio: Twilio
    ) -> None:
        """Tell nobody."""

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Note who declines, and that a plugin has failed."""
        try:
            yield
        except PluginFailed:
            self.is_broken_off = True
            raise
        except Decline as declined:
            self.declined_by = declined.plugin
            raise

    def _at_hand(self, hook: str, uses: Sequence[PluginUse]) -> list[PluginUse]:
        """Give the plugins that can be asked; raises PluginFailed where one cannot and its fault is not ignored.

        One that cannot be asked fails each handover that uses it, and any other hook that it implements.
        """
        asked = uses if hook == "before_swap" else [call.use for call in self.calls(hook, uses)]
        if self._ignores:
            return [replace(use, on_error=OnError.CONTINUE) for use in asked if use.name not in self._unusable]
        for use in asked:
            if use.name in self._unusable:
                failed = PluginFailed(hook, self._unusable[use.name], use.name)
                self._tell_of(failed)
                raise failed
        return list(asked)

    def _note(self, report: PluginReport) -> None:
        if report.seconds >= self._deadline:
            self._unusable[report.plugin] = "it gave no answer in time in an earlier test, and is not asked again"
        if not self._ignores:
            reason = located(report.reason, self.registry.plugins[report.plugin].plugin, report.hook)
            self._tell_of(PluginFailed(report.hook, reason, report.plugin))
