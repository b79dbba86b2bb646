"""From what is there and what is wanted to the steps between: a pure function, and the heart of the promise.

At no point between two steps is the conversation without a responder, but for one case that Twilio forces on us: where
all places are taken, the agent's webhook must go before the flow's can come. That is why each step knows its inverse.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from router.model.webhook import ROOM
from router.swap.target import responder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.model.webhook import AgentWebhooks, ScopedWebhook, WebhookSpec
    from router.swap.target import Target


@dataclass(frozen=True, slots=True)
class WriteAttributes:
    """Set some keys of the conversation's attributes; ``before`` is all that was read, so that nothing is lost.

    ``required`` says whether a handover without them is worse than none.
    """

    values: Mapping[str, Any]
    before: Mapping[str, Any] = field(repr=False)
    required: bool = True

    def merged(self, now: Mapping[str, Any]) -> dict[str, Any]:
        """Give the attributes as they should be, from those that are there ``now``."""
        return {**now, **self.values}

    def inverse(self) -> TakeBackAttributes:
        """Put our keys back to what they were, and touch no other."""
        return TakeBackAttributes(self.values, self.before)


@dataclass(frozen=True, slots=True)
class TakeBackAttributes:
    """Undo a WriteAttributes where nobody has changed our keys since."""

    values: Mapping[str, Any]
    before: Mapping[str, Any] = field(repr=False)

    def restored(self, now: Mapping[str, Any]) -> dict[str, Any]:
        """Give the attributes as they should be, from those that are there ``now``."""
        restored = dict(now)
        for key, value in self.values.items():
            if key in now and now[key] == value:
                restored.pop(key)
                if key in self.before:
                    restored[key] = self.before[key]
        return restored


@dataclass(frozen=True, slots=True)
class Attach:
    """Create a webhook. ``replay_after`` is the index of the first message that it is given again, or None."""

    spec: WebhookSpec
    replay_after: int | None = None

    def inverse(self, made: ScopedWebhook) -> Remove:
        """Remove the webhook that was made."""
        return Remove(made)


@dataclass(frozen=True, slots=True)
class Redirect:
    """Point a studio webhook at another flow, in place; nothing is replayed then (docs/twilio.md, WEBHOOK-UPDATE)."""

    webhook: ScopedWebhook
    flow: str

    def inverse(self) -> PointBack:
        """Point it back to the flow that it led to."""
        return PointBack(self.webhook)


@dataclass(frozen=True, slots=True)
class PointBack:
    """Undo a Redirect: ``webhook`` is as it was before."""

    webhook: ScopedWebhook


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete a webhook."""

    webhook: ScopedWebhook

    def inverse(self) -> PutBack:
        """Put an equal one back."""
        return PutBack(self.webhook)


@dataclass(frozen=True, slots=True)
class PutBack:
    """Undo a Remove: create an equal webhook, which gets a new SID."""

    webhook: ScopedWebhook


Step = WriteAttributes | Attach | Redirect | Remove
Inverse = TakeBackAttributes | Remove | PointBack | PutBack


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of one swap.

    ``attach`` ends with the responder in place; it is undone if it fails. ``release`` follows once the handover is
    true; what fails there is owed, not undone. An empty ``attach`` means that the responder is there already.
    ``makes_room`` are the webhooks that must go before the responder can come, and ``removes`` all that go.
    """

    attach: tuple[Step, ...] = ()
    release: tuple[Remove, ...] = ()
    makes_room: tuple[ScopedWebhook, ...] = field(init=False, repr=False, compare=False)
    removes: tuple[ScopedWebhook, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        room = tuple(step.webhook for step in self.attach if isinstance(step, Remove))
        object.__setattr__(self, "makes_room", room)
        object.__setattr__(self, "removes", (*room, *(step.webhook for step in self.release)))

    @property
    def replaces(self) -> tuple[str, ...]:
        """The flows that answer no more."""
        redirected = (step.webhook for step in self.attach if isinstance(step, Redirect))
        return tuple(webhook.spec.flow for webhook in (*redirected, *self.removes) if webhook.spec.flow)

    def sparing(self, agents: AgentWebhooks) -> Plan:
        """Give the plan that lets go of no webhook of the agent's."""
        return replace(self, release=tuple(step for step in self.release if not agents.own(step.webhook)))

    @property
    def is_met(self) -> bool:
        """The wanted responder is there already."""
        return not self.attach


def plan_swap(
    present: Sequence[ScopedWebhook],
    target: Target,
    agents: AgentWebhooks,
    *,
    replay_after: int | None = None,
    attributes: WriteAttributes | None = None,
) -> Plan | None:
    """Plan the way from the webhooks that are ``present`` to one where ``target`` alone answers.

    Gives None where there is no room: every place is taken, and by nobody that we may remove. Webhooks that are neither
    the agent's nor of the target's kind appear in no step.
    """
    wanted, own = target.spec, [webhook for webhook in present if agents.own(webhook)]
    same_kind = [webhook for webhook in present if target.answers_by(webhook)]
    met = responder(target, same_kind)
    studio = [] if met or wanted.is_begun else [webhook for webhook in same_kind if webhook.is_studio]
    redirected = studio[0] if studio else None
    kept = met or redirected
    release = tuple(Remove(each) for each in (*own, *same_kind) if each is not kept and not target.brings(each))
    if met:
        return Plan(release=release)
    first: tuple[Step, ...] = (attributes,) if attributes else ()
    if redirected:
        return Plan((*first, Redirect(redirected, wanted.flow)), release)
    attach = Attach(wanted, replay_after)
    if wanted.is_begun or _places(present):
        return Plan((*first, attach), release)
    if own:
        return Plan((*first, Remove(own[0]), attach), release[1:])
    return None


def plan_way_back(
    present: Sequence[ScopedWebhook],
    target: Target,
    removed: Sequence[ScopedWebhook],
    doubts: Sequence[Target] = (),
    before: Sequence[ScopedWebhook] = (),
) -> tuple[PutBack | PointBack | Remove, ...]:
    """Plan what a failed swap still owes: the agent's webhooks that it ``removed``, unless somebody answers again.

    It looks at what is there and adds what is missing. A webhook that came back under another SID is not added twice,
    and one that came back twice, by a request that took effect late, goes once, which makes room. A responder that is
    one of the ``doubts`` turned up late: it goes, but not before somebody else answers. One that stood there
    ``before``, and was led elsewhere late, is pointed back: it may be all that the customer has.
    """

    def is_doubted(webhook: ScopedWebhook) -> bool:
        return any(doubt.is_met_by(webhook) for doubt in doubts)

    answering = [webhook for webhook in present if target.answers_by(webhook)]
    stood = {webhook.sid: webhook for webhook in before if not is_doubted(webhook)}
    doubted = [webhook for webhook in answering if is_doubted(webhook)]
    late = [webhook for webhook in doubted if webhook.sid not in stood]
    point = (PointBack(stood[webhook.sid]) for webhook in doubted if webhook.sid in stood)
    leave = (*point, *plan_hand_back(late, target, removed=()))
    if len(late) < len(answering):
        return leave
    return (*_twins(present, removed), *_missing(present, removed), *leave)


def plan_paving(present: Sequence[ScopedWebhook], removed: Sequence[ScopedWebhook]) -> tuple[tuple[PutBack, ...], bool]:
    """Plan the first half of the way back, which touches nobody: the agent's webhooks, as many as there is room for.

    Says also whether that is all of them.
    """
    missing, places = _missing(present, removed), _places(present)
    return missing[:places], len(missing) <= places


def plan_hand_back(
    present: Sequence[ScopedWebhook], target: Target, removed: Sequence[ScopedWebhook]
) -> tuple[PutBack | Remove, ...]:
    """Plan the way back: the agent's webhooks that were ``removed`` first, and only then away with the target's.

    Where all places are taken, one of the target's goes first.
    """
    missing = _missing(present, removed)
    responders = [webhook for webhook in present if target.answers_by(webhook)]
    leave = (*_twins(present, removed), *(Remove(webhook) for webhook in responders if not webhook.spec.is_begun))
    ahead = leave[: max(0, len(missing) - _places(present))]
    # What was begun is stopped first: it takes a webhook that it brought along, or would put it back at its end.
    stop = (Remove(webhook) for webhook in responders if webhook.spec.is_begun)
    return (*ahead, *missing, *stop, *leave[len(ahead) :])


def _places(present: Sequence[ScopedWebhook]) -> int:
    """Count the places that are free."""
    return max(0, ROOM - len([webhook for webhook in present if not webhook.spec.is_begun]))


def _missing(present: Sequence[ScopedWebhook], removed: Sequence[ScopedWebhook]) -> tuple[PutBack, ...]:
    missing: list[ScopedWebhook] = []
    for webhook in removed:
        if not any(leads_to(other, webhook.spec) for other in (*present, *missing)):
            missing.append(webhook)
    return tuple(PutBack(webhook) for webhook in missing)


def _twins(present: Sequence[ScopedWebhook], removed: Sequence[ScopedWebhook]) -> tuple[Remove, ...]:
    """Find what came back more often than once; each first one stays."""
    ours = [there for there in present if any(leads_to(there, webhook.spec) for webhook in removed)]
    later = (there for place, there in enumerate(ours) if any(leads_to(there, first.spec) for first in ours[:place]))
    return tuple(Remove(twin) for twin in later)


def leads_to(webhook: ScopedWebhook, spec: WebhookSpec) -> bool:
    """Say whether ``webhook`` reaches what ``spec`` names; filters and methods may come back worded differently."""
    there = webhook.spec
    reaches = (there.target, there.flow, there.url) == (spec.target, spec.flow, spec.url)
    return reaches and there.hears_messages == spec.hears_messages
