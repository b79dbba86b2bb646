"""Bring what a swap left open to its end: look at what is there, do what is missing, never repeat blindly.

Each attempt is a function that may be repeated for ever; the ledger says which one is due, and keeps what it must know
through crashes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.errors import TwilioRefused
from router.swap.execute import SwapFailed
from router.swap.plan import Plan, plan_hand_back, plan_paving, plan_swap, plan_way_back
from router.swap.target import responder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from router.model.webhook import AgentWebhooks, ScopedWebhook
    from router.swap.execute import Executor
    from router.swap.target import Target

    Keep = Callable[[Sequence[ScopedWebhook]], Awaitable[None]]


async def _trust(_webhooks: Sequence[ScopedWebhook]) -> None:
    """Keep nothing."""


@dataclass(frozen=True, slots=True)
class Repair:
    """What one swap owes to one conversation.

    ``present`` are the webhooks that the swap began with, ``removed`` the agent's that are away, ``doubts`` the flows
    that a request without an answer may still attach. ``keep`` is told which webhooks go before they do.
    """

    executor: Executor
    target: Target
    agents: AgentWebhooks
    removed: tuple[ScopedWebhook, ...] = ()
    present: tuple[ScopedWebhook, ...] = ()
    doubts: tuple[str, ...] = ()
    keep: Keep = field(default=_trust)

    async def settle(self) -> tuple[ScopedWebhook | None, tuple[ScopedWebhook, ...]]:
        """Find the responder, if it was attached, among all that is there; if not, let the agent answer again."""
        there = await self._webhooks()
        found = responder(self.target, there)
        if found is None:
            await self.restore()
        return found, there

    async def finish(self) -> ScopedWebhook | None:
        """Attach the responder unless it is there, and give it; where Twilio says no, let the agent answer again.

        A responder that came since, to lead elsewhere, was put there by somebody else and stands.
        """
        present = await self._webhooks()
        if any(self._is_newer(webhook) for webhook in present):
            return None
        plan = plan_swap(present, self.target, self.agents)
        if plan is None:
            await self.restore()
            return None
        try:
            await self.keep(plan.makes_room)
            done = await self.executor.attach(plan, present)
        except SwapFailed as failed:
            if not isinstance(failed.cause, TwilioRefused) or failed.unknown:
                raise
            await self.restore(failed.removed)
            return None
        return done.responder or responder(self.target, present)

    async def tidy(self, *, again: bool = False, beside: bool = False, leave: bool = False) -> bool:
        """Remove what should be gone, if the responder is still there; says whether all is gone.

        A flow that has ended since, or moved on, is left in peace, but not one that a late request has brought. With
        ``again`` one that is not there any more is attached once more: it did not end, an execution from before took
        its webhook along. What a plugin has begun has none, and is begun once. With ``beside`` the agent's webhooks
        stay for now. With ``leave`` nobody comes in the place of a flow that is gone: it has passed the customer on, to
        a person maybe.
        """
        present = await self._webhooks()
        again = again and not self.target.spec.is_begun
        plan = plan_swap(present, self.target, self.agents)
        is_gone = not any(self.target.answers_by(webhook) for webhook in present)
        if is_gone and (plan is None or not again):
            if not leave:
                await self.restore()  # the flow has ended since: nobody is missing unless the agent is away
            return True
        if plan is None or not (is_gone or plan.is_met or any(self._is_astray(webhook) for webhook in present)):
            return True
        if plan.makes_room:
            await self.keep(plan.makes_room)
        await self.executor.attach(plan, present)
        return await self._release(plan.sparing(self.agents) if beside else plan)

    async def restore(self, removed: tuple[ScopedWebhook, ...] = (), late: Sequence[Target] = ()) -> None:
        """Put the agent's webhooks back unless somebody answers again; who is ``late`` goes, if another answers.

        One that was there at the beginning, and that a late request has led elsewhere, is pointed back. Nobody goes
        where another process has taken this over: what is late to us may be its responder.
        """
        there, away = await self._webhooks(), (*self.removed, *removed)
        if late:
            await self.keep(())
        for step in plan_way_back(there, self.target, away, late, self.present):
            await self.executor.take_back(step)

    async def pave(self) -> bool:
        """Let the agent answer beside the target, as far as there is room; says whether none of it is missing."""
        steps, is_whole = plan_paving(await self._webhooks(), self.removed)
        await self.executor.hand_back(steps)
        return is_whole

    async def hand_back(self) -> None:
        """Let the agent answer again, and the target no more; not where another process has taken this over."""
        if steps := plan_hand_back(await self._webhooks(), self.target, self.removed):
            await self.keep(())
            await self.executor.hand_back(steps)

    async def _release(self, plan: Plan) -> bool:
        await self.keep([step.webhook for step in plan.release])
        return not await self.executor.release(plan)

    def _is_newer(self, webhook: ScopedWebhook) -> bool:
        return self._leads_elsewhere(webhook) and webhook not in self.present

    def _is_astray(self, webhook: ScopedWebhook) -> bool:
        is_of_flows = webhook.is_studio and not self.target.spec.is_begun
        return is_of_flows and self._leads_elsewhere(webhook) and webhook.spec.flow in self.doubts

    def _leads_elsewhere(self, webhook: ScopedWebhook) -> bool:
        return self.target.answers_by(webhook) and not self.target.is_met_by(webhook)

    async def _webhooks(self) -> tuple[ScopedWebhook, ...]:
        return tuple(await self.executor.gateway.list_webhooks(self.executor.conversation))
