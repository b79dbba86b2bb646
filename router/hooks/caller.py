"""Makes the calls: each within its allowance, counted, and told of where it failed or held everybody up."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from router.hooks.answers import declined
from router.hooks.attempt import Attempt, Attempts
from router.hooks.failure import CallRecord, NoAnswer, PluginFailed, PluginReport, decline_within, reason_of
from router.hooks.figures import Figures, Tally
from router.hooks.specs import Kind
from router.hooks.threads import Threads
from router.model.routes import OnError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from router.clock import Clock
    from router.hooks.allowance import Allowance
    from router.hooks.calls import Call
    from router.model.handover import Decline

BLOCKS: Final = 0.05
"""Seconds for which a plain function may hold the event loop unnoticed."""


class Made(NamedTuple):
    """A call that was made. ``reason`` says why it failed; without one, ``decline`` or ``answer`` is what came of it.

    ``has_said_no`` is true also of a guard whose way to decline was wrong.
    """

    answer: Any
    reason: str
    seconds: float
    decline: Decline | None = None
    has_said_no: bool = False


class Caller:
    """Calls, and counts by plugin and hook; ``report`` is told of each failure, ``on_call`` of each call."""

    def __init__(
        self, clock: Clock, report: Callable[[PluginReport], None], on_call: Callable[[CallRecord], None]
    ) -> None:
        self._attempts = Attempts(clock)
        self._threads = Threads()
        self._tallies: defaultdict[tuple[str, str], Tally] = defaultdict(Tally)
        self._report = report
        self._on_call = on_call

    @property
    def figures(self) -> Mapping[tuple[str, str], Figures]:
        """The figures by plugin and hook, of the hooks that were called so far."""
        return MappingProxyType({key: tally.figures for key, tally in self._tallies.items()})

    def start(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Start a task of a plugin's that may be left behind."""
        return self._attempts.start(work)

    def make(
        self, call: Call, given: Mapping[str, Any], accept: Callable[[Any], Any], allowance: Allowance
    ) -> Coroutine[Any, Any, Made]:
        """Call an implementation with what it asks for; ``accept`` turns its answer into what counts, or raises."""
        step = partial(call.with_given, given)
        if call.is_blocking:
            step = partial(self._threads.run, call.plugin, step)
        about = given["handover"].id if "handover" in given else ""
        return self.take(call, step, accept, allowance, about=about, may_decline=call.kind is Kind.GUARD)

    async def take(
        self,
        call: Call,
        step: Callable[[], Any],
        accept: Callable[[Any], Any],
        allowance: Allowance,
        *,
        about: str = "",
        may_decline: bool = False,
    ) -> Made:
        """Take a step that belongs to a call, as ``make`` does; ``about`` is the id of its handover."""
        deadline = allowance.for_one()
        if deadline > 0:
            attempt = await self._attempts.make(call.plugin, step, accept, deadline)
        else:
            late = f"not called: those before it took the {allowance.total:g} s that this hook has in all"
            attempt = Attempt(None, NoAnswer(late), 0.0)
        return self._counted(call, attempt, about=about, may_decline=may_decline)

    def make_at_once(self, call: Call, given: Mapping[str, Any], accept: Callable[[Any], Any]) -> Made:
        """Call an implementation outside of an event loop; raises KeyboardInterrupt, which is the operator's."""
        attempt = self._attempts.make_at_once(partial(call.with_given, given), accept)
        return self._counted(call, attempt)

    def _counted(self, call: Call, attempt: Attempt, *, about: str = "", may_decline: bool = False) -> Made:
        answer, error, seconds, held = attempt
        blocked, has_said_no = held if held > BLOCKS else 0.0, False
        self._tallies[call.plugin, call.hook].count(seconds, blocked=blocked > 0)
        self._on_call(CallRecord(call.plugin, call.hook, seconds, blocked))
        if error is None:
            return Made(answer, "", seconds)
        decline = decline_within(error) if may_decline else None
        if decline is not None:
            has_said_no = True
            try:
                return Made(None, "", seconds, declined(decline, call.plugin), has_said_no)
            except NoAnswer as wrong:
                error = wrong
        reason = reason_of(error, call.file)
        self.fail(call, reason, seconds, about)
        return Made(None, reason, seconds, None, has_said_no)

    def fail(self, call: Call, reason: str, seconds: float, about: str = "") -> None:
        """Count and tell that a call has failed; ``about`` is the id of its handover."""
        self._tallies[call.plugin, call.hook].fail(reason)
        self._report(PluginReport(call.plugin, call.hook, call.kind, reason, seconds, about))


def stop_for(call: Call, made: Made) -> None:
    """End the handover where ``made`` does: raises Decline, and PluginFailed where ``on_error`` is ``stop``.

    A guard that said no in a wrong way is heard whatever its ``on_error`` is: to hand over against it would be worse.
    """
    if made.decline is not None:
        raise made.decline
    if made.reason and (made.has_said_no or call.use.on_error is OnError.STOP):
        raise PluginFailed(call.hook, made.reason, call.plugin)
