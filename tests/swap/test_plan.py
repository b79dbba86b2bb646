from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from router.model.webhook import ROOM, AgentWebhooks, ScopedWebhook, WebhookSpec
from router.swap.plan import (
    Attach,
    Plan,
    PutBack,
    Redirect,
    Remove,
    TakeBackAttributes,
    WriteAttributes,
    leads_to,
    plan_hand_back,
    plan_swap,
    plan_way_back,
)
from router.swap.target import BegunByPlugin, StudioFlow, responder
from tests.kit import AGENT_URL, BILLING, FOREIGN, LOGGER, REFUNDS, UNLISTED
from tests.swap.model import Model, sid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AGENTS = AgentWebhooks.of("https://*.twil.io/channels/conversations/messageAdded*")
AGENT = WebhookSpec("webhook", AGENT_URL, "POST", ("onMessageAdded",))
OTHER_AGENT = WebhookSpec("webhook", "https://agent-5678.twil.io/channels/conversations/messageAdded")

flows = st.sampled_from([REFUNDS, BILLING, UNLISTED, "human", "callback"])
"""Flow SIDs, and the names of targets."""

webhooks = st.one_of(
    st.sampled_from([AGENT, OTHER_AGENT]),
    st.sampled_from(FOREIGN),
    st.sampled_from([REFUNDS, BILLING, UNLISTED]).map(WebhookSpec.studio),
)
begun = st.lists(st.sampled_from(["human", "callback"]).map(WebhookSpec.begun), max_size=2)
specs = st.builds(list.__add__, st.lists(webhooks, max_size=ROOM), begun)
attributes = st.dictionaries(st.sampled_from("abc"), st.one_of(st.none(), st.integers(0, 2)), max_size=3)
writings = st.one_of(st.none(), st.builds(WriteAttributes, attributes.filter(bool), attributes))
"""What our plugins write, and what was there before."""


def planned(model: Model, flow: str, write: WriteAttributes | None = None, replay: int | None = None) -> Plan | None:
    return plan_swap(model.webhooks, target(flow), AGENTS, replay_after=replay, attributes=write)


def target(flow: str) -> StudioFlow | BegunByPlugin:
    return StudioFlow(flow) if flow.startswith("FW") else BegunByPlugin(flow)


def is_full(present: Sequence[WebhookSpec]) -> bool:
    return sum(not spec.is_begun for spec in present) == ROOM


def start(present: Sequence[WebhookSpec], write: WriteAttributes | None = None) -> Model:
    return Model.of(present, write.before if write else {})


def is_foreign(webhook: ScopedWebhook) -> bool:
    return webhook.spec in FOREIGN


def answers(webhooks: Sequence[ScopedWebhook]) -> bool:
    return any(not is_foreign(webhook) for webhook in webhooks)


@given(specs, flows)
def test_there_is_no_plan_exactly_where_there_is_no_room(present: Sequence[WebhookSpec], flow: str) -> None:
    """None means that five webhooks are there and that none of them is ours to change; a target needs no room."""
    full_of_foreign = is_full(present) and all(spec in FOREIGN for spec in present if not spec.is_begun)
    assert (planned(start(present), flow) is None) is (full_of_foreign and target(flow).spec.target == "studio")


@given(specs, flows, writings)
def test_foreign_webhooks_are_in_no_step(
    present: Sequence[WebhookSpec], flow: str, write: WriteAttributes | None
) -> None:
    """What is neither the agent's nor Studio's is never removed and never pointed elsewhere."""
    plan = planned(start(present), flow, write) or Plan()
    touched = [step.webhook for step in (*plan.attach, *plan.release) if isinstance(step, Remove | Redirect)]
    assert not any(is_foreign(webhook) for webhook in touched)


@given(specs, flows, writings)
def test_somebody_answers_after_each_step(
    present: Sequence[WebhookSpec], flow: str, write: WriteAttributes | None
) -> None:
    """Whoever had a responder keeps one, but between Remove and Attach where all five places were taken."""
    model = start(present, write)
    had_one = answers(model.webhooks)
    plan = planned(model, flow, write) or Plan()
    steps = (*plan.attach, *plan.release)
    for step, following in zip(steps, (*steps[1:], None), strict=False):
        model.take(step)
        makes_room = is_full(present) and isinstance(step, Remove) and isinstance(following, Attach)
        assert answers(model.webhooks) or not had_one or makes_room


@given(specs, flows, writings)
def test_a_plan_ends_with_one_responder(
    present: Sequence[WebhookSpec], flow: str, write: WriteAttributes | None
) -> None:
    """At the end the wanted flow or target is there, no other, and none of the agent's."""
    model = start(present, write)
    plan = planned(model, flow, write)
    if plan is None:
        return
    for step in (*plan.attach, *plan.release):
        model.take(step)
    assert [webhook.spec for webhook in model.webhooks if not is_foreign(webhook)] == [target(flow).spec]


@given(specs, flows)
def test_a_second_plan_has_nothing_to_do(present: Sequence[WebhookSpec], flow: str) -> None:
    """Planning again after a swap finds the responder there and nobody to let go."""
    model = start(present)
    plan = planned(model, flow)
    if plan is None:
        return
    for step in (*plan.attach, *plan.release):
        model.take(step)
    again = planned(model, flow)
    assert again == Plan()
    assert again.is_met


@given(specs, flows)
def test_the_responder_is_in_place_when_attach_ends(present: Sequence[WebhookSpec], flow: str) -> None:
    """After ``attach`` the handover is true, whether or not ``release`` ever happens."""
    model = start(present)
    plan = planned(model, flow)
    if plan is None:
        return
    for step in plan.attach:
        model.take(step)
    after = planned(model, flow)
    assert after is not None
    assert after.is_met


@given(specs, flows, writings, st.integers(0, 5))
def test_every_prefix_of_a_plan_can_be_undone(
    present: Sequence[WebhookSpec], flow: str, write: WriteAttributes | None, length: int
) -> None:
    """The inverses of the steps taken, last first, bring back an equal state."""
    model = start(present, write)
    before = model.state
    plan = planned(model, flow, write) or Plan()
    done = [model.take(step) for step in (*plan.attach, *plan.release)[:length]]
    for inverse in reversed(done):
        model.take_back(inverse)
    assert model.state == before


@given(specs, flows, st.integers(0, 9))
def test_a_replay_goes_with_the_create_alone(present: Sequence[WebhookSpec], flow: str, index: int) -> None:
    """Only a webhook that is made can be given earlier messages, and it is always."""
    plan = planned(start(present), flow, replay=index) or Plan()
    asked = [step.replay_after for step in plan.attach if isinstance(step, Attach)]
    is_redirected = flow.startswith("FW") and any(spec.target == "studio" for spec in present)
    assert asked == ([index] if plan.attach and not is_redirected else [])


@given(specs, flows, writings.filter(bool))
def test_attributes_are_written_before_anything_else(
    present: Sequence[WebhookSpec], flow: str, write: WriteAttributes
) -> None:
    """The flow reads them when it starts; where the flow is there already nothing is written."""
    plan = planned(start(present, write), flow, write) or Plan()
    assert plan.attach[:1] == ((write,) if plan.attach else ())
    assert write not in plan.attach[1:]


removals = st.lists(st.sampled_from([AGENT, OTHER_AGENT]), max_size=4)


def were_removed(removed: Sequence[WebhookSpec]) -> list[ScopedWebhook]:
    return [ScopedWebhook(sid(900 + place), spec) for place, spec in enumerate(removed)]


@given(specs, removals, flows)
def test_the_way_back_adds_what_is_missing(
    present: Sequence[WebhookSpec], removed: Sequence[WebhookSpec], flow: str
) -> None:
    """Each webhook that was removed is put back once, unless it is there again or a flow answers."""
    model = start(present)
    steps = plan_way_back(model.webhooks, target(flow), were_removed(removed))
    put_back = [step.webhook.spec for step in steps if isinstance(step, PutBack)]
    if any(spec.flow for spec in present):
        assert steps == ()
    else:
        assert sorted(put_back, key=str) == sorted({*removed} - {*present}, key=str)


@given(specs, removals, flows)
def test_the_way_back_leaves_each_of_the_agents_webhooks_once(
    present: Sequence[WebhookSpec], removed: Sequence[WebhookSpec], flow: str
) -> None:
    """One that came back twice, by a request that took effect late, goes once; nothing else is touched."""
    others = [spec for spec in present if spec not in removed]
    if any(spec.flow for spec in present) or len(others) + len({*removed}) > ROOM:
        return
    model = start(present)
    for step in plan_way_back(model.webhooks, target(flow), were_removed(removed)):
        model.take_back(step)
    left = [webhook.spec for webhook in model.webhooks]
    assert all(left.count(spec) == 1 for spec in removed)
    assert [spec for spec in left if spec not in removed] == others


@given(specs, removals, flows, st.lists(flows, min_size=1))
def test_the_way_back_lets_a_late_responder_go_where_another_answers(
    present: Sequence[WebhookSpec], removed: Sequence[WebhookSpec], flow: str, doubts: Sequence[str]
) -> None:
    """The agent comes first, and others stay; where Twilio has no room for the agent, the late one answers on."""
    model = start(present)
    others = [spec for spec in present if spec not in removed and spec.flow not in doubts]
    has_room = True
    for step in plan_way_back(model.webhooks, target(flow), were_removed(removed), [*map(target, doubts)]):
        has_room = not (isinstance(step, PutBack) and is_full([webhook.spec for webhook in model.webhooks]))
        if not has_room:
            break
        model.take_back(step)
        assert answers(model.webhooks) or not removed
    left = [webhook.spec for webhook in model.webhooks]
    assert [spec for spec in left if spec not in removed and spec.flow not in doubts] == others
    assert not (has_room and any(spec.flow in doubts for spec in left))


@given(specs, removals, flows)
def test_a_hand_back_ends_with_the_agent_alone(
    present: Sequence[WebhookSpec], removed: Sequence[WebhookSpec], flow: str
) -> None:
    """At the end no studio webhook is there, each of the agent's is there once, and others' are as they were."""
    others = [spec for spec in present if spec not in removed and not spec.flow]
    if len(others) + len({*removed}) > ROOM:
        return
    model = start(present)
    for step in plan_hand_back(model.webhooks, target(flow), were_removed(removed)):
        model.take_back(step)
    left = [webhook.spec for webhook in model.webhooks]
    assert not any(spec.flow for spec in left)
    assert all(left.count(spec) == 1 for spec in removed)
    assert [spec for spec in left if spec not in removed] == others
    assert plan_hand_back(model.webhooks, target(flow), were_removed(removed)) == ()


@given(specs, removals.filter(bool), flows)
def test_somebody_answers_after_each_step_of_a_hand_back(
    present: Sequence[WebhookSpec], removed: Sequence[WebhookSpec], flow: str
) -> None:
    """The agent comes before the flow goes, but for a house whose places are all taken."""
    model = start(present)
    steps = plan_hand_back(model.webhooks, target(flow), were_removed(removed))
    places = sum(not spec.is_begun for spec in present)
    if places + sum(isinstance(step, PutBack) for step in steps) > ROOM or not answers(model.webhooks):
        return
    for step in steps:
        model.take_back(step)
        assert answers(model.webhooks)


def test_in_a_full_house_one_responder_makes_room_for_the_agent() -> None:
    """As many studio webhooks go ahead as the agent's need places; the others go after it came."""
    studio = WebhookSpec.studio(REFUNDS)
    model = start([*FOREIGN[:3], studio, studio])
    first, second = (Remove(webhook) for webhook in model.webhooks[3:])
    (agent,) = were_removed([AGENT])
    assert plan_hand_back(model.webhooks, StudioFlow(REFUNDS), [agent]) == (first, PutBack(agent), second)


def test_what_a_target_brings_stays_with_it() -> None:
    """The studio webhook of its flow is the target's own: it is met by it, and lets it be where both are there."""
    wanted = BegunByPlugin("callback", REFUNDS)
    brought, other = (
        ScopedWebhook(sid(1), WebhookSpec.studio(REFUNDS)),
        ScopedWebhook(sid(2), WebhookSpec.studio(BILLING)),
    )
    begun = ScopedWebhook.begun("callback", "FN1")
    assert plan_swap([brought, other, begun], wanted, AGENTS) == Plan(release=(Remove(other),))
    assert plan_swap([brought, other], wanted, AGENTS) == Plan(release=(Remove(other),))
    assert responder(wanted, [brought, begun]) == begun
    assert responder(wanted, [brought]) == brought
    assert responder(wanted, [other]) is None


def test_what_was_begun_is_stopped_before_its_webhook_goes() -> None:
    """On the way back the agent comes, the target stops, and then the webhook goes that it may have left."""
    brought, begun = ScopedWebhook(sid(1), WebhookSpec.studio(REFUNDS)), ScopedWebhook.begun("callback", "FN1")
    (agent,) = were_removed([AGENT])
    steps = plan_hand_back([brought, begun], BegunByPlugin("callback", REFUNDS), [agent])
    assert steps == (PutBack(agent), Remove(begun), Remove(brought))


def test_a_webhook_leads_to_what_it_reaches() -> None:
    """A filter or a method that comes back worded differently makes no other webhook of it; a URL does."""
    webhook = ScopedWebhook(sid(1), WebhookSpec("webhook", AGENT_URL, "post"))
    assert leads_to(webhook, AGENT)
    assert not leads_to(webhook, LOGGER)
    assert not leads_to(webhook, replace(AGENT, filters=("onConversationUpdated",)))
    assert not leads_to(webhook, WebhookSpec.studio(REFUNDS))


def test_an_undo_is_of_the_webhook_that_was_removed() -> None:
    """The inverse of a Remove has all that is needed to make an equal webhook."""
    webhook = ScopedWebhook(sid(1), AGENT)
    assert Remove(webhook).inverse() == PutBack(webhook)


@given(attributes.filter(bool), attributes, attributes)
def test_what_others_wrote_since_stays(
    values: Mapping[str, Any], before: Mapping[str, Any], now: Mapping[str, Any]
) -> None:
    """Taking attributes back changes our keys only, and those only where they still have our value."""
    restored = TakeBackAttributes(values, before).restored(now)
    for key in {*now, *restored}:
        is_ours = key in values and key in now and now[key] == values[key]
        expected = before if is_ours else now
        assert (key in restored, restored.get(key)) == (key in expected, expected.get(key))
