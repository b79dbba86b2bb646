"""Bring what a swap left open to its end: look at what is there, do what is missing, never repeat blindly.

Three things can be left open. Each has one attempt, a function that may be repeated for ever and says when it is done:

- ``tidy``: the responder is attached, but a webhook is still there that should be gone;
- ``finish``: nobody knows whether the responder was attached;
- ``restore``: the swap failed, and the agent's webhook could not be put back.

The ledger will keep them through a restart; until then they live as long as the process.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from router.errors import TwilioError, TwilioRefused
from router.swap.execute import SwapFailed
from router.swap.plan import plan_swap, plan_way_back
from router.swap.refusal import is_final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from router.model.webhook import AgentWebhooks, ScopedWebhook
    from router.swap.execute import Executor
    from router.swap.target import Target

AT_ONCE: Final = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, *([30.0] * 120))
"""Seconds before each attempt where the customer may be without a responder: an hour of them."""

LATER: Final = AT_ONCE[3:]
"""The same where somebody answers."""

LOOKS: Final = (LATER, (10.0, *LATER), (30.0, *LATER), (60.0, *LATER))
"""The same for each of several looks: a request without an answer may take effect long after we gave it up."""


@dataclass(slots=True)
class Repair:
    """What one swap owes to one conversation; ``removed`` grows where an attempt makes room and cannot undo it.

    ``present`` are the webhooks that the swap began with.
    """

    executor: Executor
    target: Target
    agents: AgentWebhooks
    removed: tuple[ScopedWebhook, ...] = ()
    present: tuple[ScopedWebhook, ...] = ()

    async def tidy(self) -> bool:
        """Remove what should be gone, if the responder is still there; a flow that has ended since is left in peace."""
        plan = plan_swap(await self._webhooks(), self.target, self.agents)
        return plan is None or not plan.is_met or not await self.executor.release(plan)

    async def finish(self) -> bool:
        """Attach the responder unless it is there, and remove what should be gone; go back if Twilio says no.

        A responder that came since, to lead elsewhere, is a later handover's: that one was confirmed, and stands.
        """
        present = await self._webhooks()
        if any(self._is_newer(webhook) for webhook in present):
            return True
        plan = plan_swap(present, self.target, self.agents)
        if plan is None:
            return await self.restore()
        try:
            await self.executor.attach(plan, present)
        except SwapFailed as failed:
            self.removed += failed.removed
            if not isinstance(failed.cause, TwilioRefused):
                raise
            return await self.restore()
        return not await self.executor.release(plan)

    async def restore(self) -> bool:
        """Put the agent's webhooks back unless somebody answers again."""
        for step in plan_way_back(await self._webhooks(), self.target, self.removed):
            await self.executor.take_back(step)
        return True

    def _is_newer(self, webhook: ScopedWebhook) -> bool:
        leads_elsewhere = self.target.answers_by(webhook) and not self.target.is_met_by(webhook)
        return leads_elsewhere and webhook not in self.present

    async def _webhooks(self) -> tuple[ScopedWebhook, ...]:
        return tuple(await self.executor.gateway.list_webhooks(self.executor.conversation))


async def settle(
    attempt: Callable[[], Awaitable[bool]], delays: Iterable[float], sleep: Callable[[float], Awaitable[None]]
) -> bool:
    """Repeat ``attempt`` after each of ``delays`` until it is done; give up where nothing can ever be changed again.

    Says whether the end was reached. Whoever cancels it while it waits gets one last attempt first: at a shutdown.
    """
    for delay in delays:
        try:
            await sleep(delay)
        except asyncio.CancelledError:
            with contextlib.suppress(TwilioError, SwapFailed):
                await attempt()
            raise
        try:
            if await attempt():
                return True
        except (TwilioError, SwapFailed) as error:
            if is_final(error.cause if isinstance(error, SwapFailed) else error):
                return True
    return False
