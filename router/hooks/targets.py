"""A plugin's target as the router asks it: each call in time, counted, and its failure ours."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

from router.errors import TwilioBusy, TwilioError, TwilioRefused, TwilioUncertain
from router.hooks import answers
from router.hooks.calls import handed
from router.hooks.failure import text_of
from router.model.masking import fit
from router.model.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.hooks.allowance import Allowance
    from router.hooks.caller import Caller
    from router.hooks.calls import Call
    from router.model.handover import Handover
    from router.model.twilio import Twilio


class GuardedTarget(Target):
    """Passes on what ``target`` answers, and turns what it raises into what a swap can go by.

    After a failure of ``start`` or ``stop`` nobody knows what came of it: TwilioUncertain. After one of ``find``
    nothing can be decided now: TwilioBusy. What Twilio told the plugin stays what it is, less its code: that is about
    the target, not about the conversation.
    """

    def __init__(
        self, name: str, target: Target, call: Call, caller: Caller, patience: Callable[[], Allowance]
    ) -> None:
        self.flow = target.flow
        self._name = name
        self._target = target
        self._call = call
        self._caller = caller
        self._patience = patience

    async def start(self, handover: Handover, twilio: Twilio) -> str:
        """Begin it."""
        step = partial(self._target.start, handed(handover), twilio)
        return str(await self._ask("start", handover, step, answers.reference, TwilioUncertain))

    async def find(self, reference: str, handover: Handover, twilio: Twilio) -> str | None:
        """Find it."""
        step = partial(self._target.find, reference, handed(handover), twilio)
        found = await self._ask("find", handover, step, answers.reference_or_none, TwilioBusy)
        return None if found is None else str(found)

    async def stop(self, reference: str, handover: Handover, twilio: Twilio) -> None:
        """End it."""
        step = partial(self._target.stop, reference, handed(handover), twilio)
        await self._ask("stop", handover, step, answers.nothing, TwilioUncertain)

    async def _ask(
        self,
        verb: str,
        handover: Handover,
        step: Callable[[], Any],
        accept: Callable[[Any], Any],
        failure: type[TwilioError],
    ) -> Any:
        async def asked() -> Any:
            try:
                answer = step()
                return accept(await answer if inspect.isawaitable(answer) else answer)
            except TwilioError as error:
                return error

        made = await self._caller.take(self._call, asked, _as_it_is, self._patience(), about=handover.id)
        if made.reason:
            raise failure(verb, f"{self._who}: {made.reason}")
        if isinstance(made.answer, TwilioError):
            kinds = (kind for kind in (TwilioRefused, TwilioBusy) if issubclass(type(made.answer), kind))
            told = f"{self._who}: {fit(text_of(made.answer))}"
            raise next(kinds, TwilioUncertain)(verb, told) from made.answer
        return made.answer

    @property
    def _who(self) -> str:
        return f"the target '{self._name}' of the plugin '{self._call.plugin}'"


def _as_it_is(answer: Any) -> Any:
    return answer
