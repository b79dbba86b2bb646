"""How the hooks of a handover are called: in order, in time, each plugin apart from the others.

pluggy holds what is registered and checks it; the calls are made here, as pluggy itself awaits nothing, has no
deadline, and ends a call at the first exception.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from router.hooks import answers
from router.hooks.around import Stay
from router.hooks.caller import stop_for
from router.hooks.failure import CallRecord, PluginFailed, PluginReport
from router.hooks.figures import Figures
from router.hooks.life import DEADLINE, PluginLife

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from router.hooks.calls import Call
    from router.model.call import ToolCall
    from router.model.handover import Handover
    from router.model.outcome import Outcome
    from router.model.routes import PluginUse, Routes, Tool
    from router.model.twilio import Twilio

__all__ = ["DEADLINE", "CallRecord", "Figures", "PluginFailed", "PluginHost", "PluginReport"]


class PluginHost(PluginLife):
    """Calls the hooks of one app's plugins. Two hosts share nothing but what the plugins themselves share."""

    async def choose_intent(self, call: ToolCall, tool: Tool, uses: Sequence[PluginUse]) -> str:
        """Ask which of the intents of ``tool`` a call means, until a plugin says one; empty where none does.

        Raises PluginFailed where one failed whose ``on_error`` is ``stop``.
        """
        allowance = self._allowance()
        for each in self.calls("choose_intent", uses):
            made = await self._caller.make(each, {"call": call, "tool": tool}, partial(answers.chosen, tool), allowance)
            stop_for(each, made)
            if made.answer:
                return str(made.answer)
        return ""

    async def before_swap(
        self, handover: Handover, uses: Sequence[PluginUse], listed: Callable[[str], str | None], twilio: Twilio
    ) -> Handover:
        """Ask the guards, one after the other, each about what the one before it made of the handover.

        ``listed`` is the allow-list: it gives the Flow SID for a flow that a guard may name, and None for another.
        Raises Decline as a guard raised it, and PluginFailed where a guard failed whose ``on_error`` is ``stop``.
        """
        allowance = self._allowance()
        for call in self.calls("before_swap", uses):
            given = {"handover": handover, "twilio": twilio}
            made = await self._caller.make(call, given, partial(answers.replacement, handover, listed), allowance)
            stop_for(call, made)
            handover = made.answer or handover
        return handover

    async def add_attributes(self, handover: Handover, uses: Sequence[PluginUse]) -> Mapping[str, Any]:
        """Gather what the plugins want to stand in the conversation's attributes; JSON values by name.

        Raises PluginFailed where a plugin whose ``on_error`` is ``stop`` failed, or gives a name that another gave.
        """
        calls = self.calls("add_attributes", uses)
        if not calls:
            return {}
        given, allowance = {"handover": handover}, self._allowance()
        ended = await asyncio.gather(*(self._caller.make(call, given, answers.attributes, allowance) for call in calls))
        merged: dict[str, Any] = {}
        givers: dict[str, str] = {}
        for call, made in zip(calls, ended, strict=True):
            fault = made.reason or self._clash(call, givers, made, handover.id)
            if not fault:
                merged |= made.answer
                givers |= dict.fromkeys(made.answer, call.plugin)
            stop_for(call, made._replace(reason=fault))
        return merged

    @asynccontextmanager
    async def around_swap(self, handover: Handover, uses: Sequence[PluginUse], twilio: Twilio) -> AsyncIterator[None]:
        """Enter what the plugins put around a swap, and leave it in the opposite order, whatever ends the block.

        Raises, before the block, Decline as a guard raised it, and PluginFailed where one failed whose ``on_error`` is
        ``stop``. A failure on leaving is never felt.
        """
        given, allowance = {"handover": handover, "twilio": twilio}, self._allowance()
        stays: list[tuple[Call, Stay]] = []
        error: BaseException | None = None
        try:
            for call in self.calls("around_swap", uses):
                stay = Stay(self._caller.start)
                stays.append((call, stay))
                made = await self._caller.make(call, given, stay.enter, allowance)
                if made.reason:
                    stays.pop()
                    stay.abandon()
                stop_for(call, made)
            yield
        except BaseException as ended:
            error = ended
            raise
        finally:
            await self._leave(stays, error, handover.id)

    async def _leave(self, stays: list[tuple[Call, Stay]], error: BaseException | None, about: str) -> None:
        allowance = self._allowance()
        try:
            while stays:
                call, stay = stays[-1]
                if stay.is_inside:
                    step = partial(stay.leave, error)
                    await self._caller.take(call, step, answers.nothing, allowance, about=about)
                stays.pop()
                stay.abandon()
        finally:
            for _call, stay in reversed(stays):
                stay.abandon()

    def after_swap(
        self, handover: Handover, outcome: Outcome, uses: Sequence[PluginUse], twilio: Twilio
    ) -> Awaitable[None]:
        """Tell the observers that the flow answers now; raises nothing."""
        return self._tell("after_swap", {"handover": handover, "outcome": outcome, "twilio": twilio}, uses)

    def swap_failed(
        self, handover: Handover, error: Exception, uses: Sequence[PluginUse], twilio: Twilio
    ) -> Awaitable[None]:
        """Tell the observers that the swap did not work; raises nothing."""
        return self._tell("swap_failed", {"handover": handover, "error": error, "twilio": twilio}, uses)

    async def before_hand_back(self, handover: Handover, uses: Sequence[PluginUse], twilio: Twilio) -> None:
        """Ask the guards whether the agent may answer again; raises Decline as a guard raised it, and nothing else."""
        given, allowance = {"handover": handover, "twilio": twilio}, self._allowance()
        for call in self.calls("before_hand_back", uses):
            made = await self._caller.make(call, given, answers.nothing, allowance)
            if made.decline is not None:
                raise made.decline

    def after_hand_back(self, handover: Handover, uses: Sequence[PluginUse], twilio: Twilio) -> Awaitable[None]:
        """Tell the observers that the agent answers again; raises nothing."""
        return self._tell("after_hand_back", {"handover": handover, "twilio": twilio}, uses)

    def routes_reloaded(self, old: Routes, new: Routes) -> Awaitable[None]:
        """Tell the observers that other routes are in use; raises nothing."""
        return self._tell("routes_reloaded", {"old": old, "new": new}, self.started)

    async def tell_one(self, plugin: str, hook: str, given: Mapping[str, Any], uses: Sequence[PluginUse]) -> str:
        """Tell one observer in the background, and give the reason if it failed; a plugin that is gone hears nothing.

        ``given`` has the values of the hook's arguments, less ``config``.
        """
        for call in self.calls(hook, uses):
            if call.plugin == plugin:
                return (await self._caller.make(call, given, answers.nothing, self._patience())).reason
        return ""

    async def _tell(self, hook: str, given: Mapping[str, Any], uses: Sequence[PluginUse]) -> None:
        told = [call for call in self.calls(hook, uses) if not call.is_background]
        if not told:
            return
        allowance = self._allowance()
        ends = [self._caller.make(call, given, answers.nothing, allowance) for call in told]
        await (asyncio.gather(*ends) if len(ends) > 1 else ends[0])  # one alone needs no task
