"""One swap from the first look to the last removal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from router.errors import TwilioError, TwilioRefused
from router.model.webhook import Target as Kind
from router.swap.execute import Executor, SwapFailed
from router.swap.look import Seen, look
from router.swap.plan import Plan, WriteAttributes, plan_swap
from router.swap.refusal import NO_FREE_PLACE, is_outdated
from router.swap.target import responder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from router.model.call import ConversationRef, Identity
    from router.model.gateway import Gateway
    from router.model.webhook import AgentWebhooks, ScopedWebhook
    from router.swap.target import Target

LOOKS: Final = 2
"""So often a swap is planned: once more where what was seen had changed by the time of the write."""


class Attached(NamedTuple):
    """The responder is attached. ``was_there`` says that it had been before; ``doubtful`` that a second may turn up.

    ``present`` are the webhooks that it began with.
    """

    plan: Plan
    was_there: bool
    doubtful: bool
    responder: ScopedWebhook | None = None
    present: tuple[ScopedWebhook, ...] = ()

    @property
    def may_return(self) -> tuple[str, ...]:
        """The flows whose webhooks go for what a plugin has begun: Studio may put one back when an execution ends."""
        if self.responder is None or not self.responder.spec.is_begun:
            return ()
        return tuple(step.webhook.spec.flow for step in self.plan.release if step.webhook.is_studio)


@dataclass(frozen=True, slots=True)
class Swap:
    """What is wanted of one conversation.

    ``attributes`` are ours to write; ``attributes_required`` says whether a handover without them is worse than none.
    ``replay`` asks to give the responder the customer's newest message.
    """

    gateway: Gateway
    conversation: ConversationRef
    target: Target
    agents: AgentWebhooks
    identity: Identity | None = field(default=None, repr=False)
    replay: bool = False
    attributes: Mapping[str, Any] = field(default_factory=dict, repr=False)
    attributes_required: bool = True

    async def attach(
        self,
        keep: Callable[[Sequence[ScopedWebhook]], Awaitable[None]],
        around: AbstractAsyncContextManager[None] | None = None,
    ) -> Attached:
        """Look, plan, and attach the responder in the safe order; raises TwilioError or SwapFailed, and then undoes.

        ``keep`` is told before the first write, and which webhooks must make room; where it raises, nothing was
        changed. ``around`` is entered right before that, where a write is needed, and left after the last.
        """
        seen = await self._look()
        if around is None or self.plan(seen).is_met:
            return await self._attach(seen, keep)
        async with around:
            if self.attributes:  # the write replaces all, also what came while plugins took their time
                seen = await self._look()
            return await self._attach(seen, keep)

    async def _attach(self, seen: Seen, keep: Callable[[Sequence[ScopedWebhook]], Awaitable[None]]) -> Attached:
        executor = Executor(self.gateway, self.conversation)
        looks = LOOKS
        while True:
            looks -= 1
            plan = self.plan(seen)
            if not plan.is_met:
                await keep(plan.makes_room)
            try:
                done = await executor.attach(plan, seen.webhooks)
            except SwapFailed as failed:
                if failed.removed or not is_outdated(failed.cause) or not looks:
                    raise
                seen = await self._look()
            else:
                found = done.responder or responder(self.target, seen.webhooks)
                return Attached(plan, plan.is_met, done.is_doubtful, found, tuple(seen.webhooks))

    async def _look(self) -> Seen:
        return await look(self.gateway, self.conversation, newest=self.replay, attributes=bool(self.attributes))

    def bystanders(self, present: Sequence[ScopedWebhook]) -> int:
        """Count those that hear the customer too and that nobody has called the agent's."""
        others = [webhook.spec for webhook in present if not self.agents.own(webhook)]
        return len([spec for spec in others if spec.target == Kind.WEBHOOK and spec.hears_messages])

    def plan(self, seen: Seen) -> Plan:
        """Plan from what was seen; raises TwilioRefused with the code 50361 where there is no room."""
        plan = plan_swap(
            seen.webhooks,
            self.target,
            self.agents,
            replay_after=seen.replay_after(self.identity),
            attributes=self._attributes(seen.attributes),
        )
        if plan is None:
            raise TwilioRefused("plan", "all places are taken by webhooks that are not the agent's", code=NO_FREE_PLACE)
        return plan

    async def release(self, plan: Plan) -> tuple[ScopedWebhook, ...]:
        """Remove the webhooks of the agent; gives back those that are owed."""
        return await Executor(self.gateway, self.conversation).release(plan)

    def _attributes(self, read: Mapping[str, Any] | TwilioError | None) -> WriteAttributes | None:
        """Plan the write; never after a failed read, since it replaces the whole (docs/twilio.md, ATTRIBUTES)."""
        if isinstance(read, TwilioError):
            if self.attributes_required:
                raise read
            return None
        return None if read is None else WriteAttributes(self.attributes, read, self.attributes_required)
