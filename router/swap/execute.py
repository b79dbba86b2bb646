"""Carry out a plan: step by step, undone where it fails, and honest about what could not be found out."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from router.errors import TwilioError, TwilioUncertain
from router.swap.plan import (
    Attach,
    PointBack,
    PutBack,
    Redirect,
    Remove,
    TakeBackAttributes,
    WriteAttributes,
    leads_to,
)
from router.swap.refusal import is_final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from router.model.call import ConversationRef
    from router.model.gateway import Gateway
    from router.model.webhook import ScopedWebhook
    from router.swap.plan import Inverse, Plan, Step

CREATES: Final = 3
"""So many times one webhook is asked for, or redirected, at most."""


_LED: Final = (Remove, PointBack)
"""The inverses of what leads the customer to the responder."""


class SwapFailed(Exception):
    """A plan that was not carried out, and in what state that leaves the conversation.

    ``cause`` is what Twilio said. ``unknown`` says that nobody can tell yet whether the responder is attached.
    ``removed`` are the agent's webhooks that are, or may be, gone and could not be put back; ``present`` are those that
    were there at the beginning.
    """

    def __init__(
        self,
        cause: TwilioError,
        *,
        unknown: bool,
        removed: tuple[ScopedWebhook, ...],
        present: tuple[ScopedWebhook, ...] = (),
    ) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.unknown = unknown
        self.removed = removed
        self.present = present


class CarriedOut(NamedTuple):
    """A plan that was carried out: the ``responder`` where it was attached, or led elsewhere, by that.

    ``is_doubtful`` says that an answer got lost on the way: then a second webhook may turn up late, or lead elsewhere.
    """

    responder: ScopedWebhook | None
    is_doubtful: bool


@dataclass(frozen=True, slots=True)
class Executor:
    """Takes steps on one conversation through one gateway."""

    gateway: Gateway
    conversation: ConversationRef

    async def attach(self, plan: Plan, present: Sequence[ScopedWebhook]) -> CarriedOut:
        """Take the steps of ``plan.attach``; undo them and raise SwapFailed where one fails."""
        done: list[Inverse] = []
        led: ScopedWebhook | None = None
        doubtful = False
        for step in plan.attach:
            try:
                inverse, doubted = await self._take(step, present)
            except TwilioError as error:
                if isinstance(step, WriteAttributes) and not step.required:
                    continue
                raise await self._undo(done, step, error, tuple(present)) from error
            except asyncio.CancelledError:
                # Whoever stops us in the middle must not leave the customer with nobody.
                await self._undo(done, step, TwilioUncertain("swap", "stopped in the middle"), tuple(present))
                raise
            done.append(inverse)
            doubtful = doubtful or doubted
            if isinstance(inverse, _LED):
                led = led or inverse.webhook
        return CarriedOut(led, doubtful)

    async def release(self, plan: Plan) -> tuple[ScopedWebhook, ...]:
        """Remove what ``plan.release`` names and give back what could not be removed: that is owed, not undone."""
        deletes = [_attempt(self.gateway.delete_webhook(self.conversation, step.webhook.sid)) for step in plan.release]
        # One alone needs no task of its own.
        ended = [await deletes[0]] if len(deletes) == 1 else await asyncio.gather(*deletes)
        if all(ended):
            return ()
        return tuple(step.webhook for step, is_gone in zip(plan.release, ended, strict=True) if not is_gone)

    async def create(self, step: Attach, before: Sequence[ScopedWebhook] = ()) -> tuple[ScopedWebhook, bool]:
        """Create a webhook once, however often the answer gets lost; say also whether an answer did.

        ``before`` are the webhooks that were there. After a lost answer the list decides: Twilio knows no idempotency
        key for this request, so a blind repeat might attach a second responder. What a plugin begins is not asked for
        again: it may be long in coming, and nobody would find the second of two.
        """
        lost: TwilioUncertain | None = None
        repeats = 1 if step.spec.is_begun else CREATES
        while True:
            repeats -= 1
            try:
                return await self.gateway.create_webhook(self.conversation, step.spec, step.replay_after), bool(lost)
            except TwilioUncertain as error:
                lost = lost or error
            except TwilioError as error:
                # An earlier request may still take effect, so even a clear no leaves a doubt.
                raise lost or error from error
            present, known = await self._look(), {webhook.sid for webhook in before}
            made = [webhook for webhook in present or () if webhook.sid not in known and leads_to(webhook, step.spec)]
            if made:
                return made[0], True
            if present is None or not repeats:
                raise lost

    async def _redirect(self, sid: str, flow: str) -> bool:
        """Point a webhook at ``flow``, and say whether an answer got lost: then one that was late may do so once more.

        To repeat it is harmless here, but who knows nothing of the late one could be overruled by it (see ``tidy``).
        """
        lost: TwilioUncertain | None = None
        repeats = CREATES
        while True:
            repeats -= 1
            try:
                await self.gateway.redirect_webhook(self.conversation, sid, flow)
            except TwilioUncertain as error:
                lost = error
                if not repeats:
                    raise
            except TwilioError as error:
                raise lost or error from error
            else:
                return bool(lost)

    async def _look(self) -> Sequence[ScopedWebhook] | None:
        try:
            return await self.gateway.list_webhooks(self.conversation)
        except TwilioError:
            return None

    async def _take(self, step: Step, present: Sequence[ScopedWebhook]) -> tuple[Inverse, bool]:
        match step:
            case Attach():
                made, doubted = await self.create(step, present)
                return step.inverse(made), doubted
            case Redirect():
                return step.inverse(), await self._redirect(step.webhook.sid, step.flow)
            case Remove():
                await self.gateway.delete_webhook(self.conversation, step.webhook.sid)
            case _:
                await self.gateway.change_attributes(self.conversation, step.merged, step.before)
        return step.inverse(), False

    async def _undo(
        self, done: Sequence[Inverse], failed: Step, error: TwilioError, present: tuple[ScopedWebhook, ...]
    ) -> SwapFailed:
        """Take back what was done, last first.

        Where nobody knows whether the responder was attached, the agent's webhook is put back all the same, since two
        responders for a while are better than none; the attributes stay, since the flow may already have read them.
        """
        uncertain = isinstance(error, TwilioUncertain)
        unknown = uncertain and isinstance(failed, Attach | Redirect)
        removed = [failed.webhook] if uncertain and isinstance(failed, Remove) else []
        if uncertain and isinstance(failed, WriteAttributes):
            done = (*done, failed.inverse())
        for inverse in reversed(done):
            if unknown and isinstance(inverse, TakeBackAttributes):
                continue
            try:
                await self.take_back(inverse)
            except TwilioError:
                if isinstance(inverse, PutBack):
                    removed.append(inverse.webhook)
        return SwapFailed(error, unknown=unknown, removed=tuple(removed), present=present)

    async def hand_back(self, steps: Sequence[PutBack | Remove]) -> None:
        """Take the steps of the way back; where one fails after the responder had to make room, it comes back first."""
        gone: list[ScopedWebhook] = []
        for step in steps:
            try:
                await self.take_back(step)
            except TwilioError:
                for webhook in gone:
                    with contextlib.suppress(TwilioError):
                        await self.take_back(PutBack(webhook))
                raise
            match step:
                case Remove():
                    gone.append(step.webhook)
                case _:
                    gone.clear()

    async def take_back(self, inverse: Inverse) -> None:
        """Take one step back."""
        match inverse:
            case TakeBackAttributes():
                await self.gateway.change_attributes(self.conversation, inverse.restored)
            case PutBack():
                await self.create(Attach(inverse.webhook.spec))
            case PointBack():
                await self._redirect(inverse.webhook.sid, inverse.webhook.spec.flow)
            case _:
                await self.gateway.delete_webhook(self.conversation, inverse.webhook.sid)


async def _attempt(removal: Awaitable[None]) -> bool:
    """Say whether nothing is owed any more: it is gone, or it is in a conversation that is closed for good."""
    try:
        await removal
    except TwilioError as error:
        return is_final(error)
    return True
