"""Plans carried out at the sandbox: what is undone, what is asked again, and what stays in doubt."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from router.errors import TwilioBusy, TwilioRefused, TwilioUncertain
from router.model.webhook import ScopedWebhook, WebhookSpec
from router.sandbox.faults import Kind
from router.sandbox.world import State
from router.swap.execute import Executor, SwapFailed
from router.swap.plan import Attach, Plan, Redirect, Remove, WriteAttributes
from tests.kit import (
    AGENT_URL,
    BILLING,
    CREATE,
    DELETE,
    FETCH,
    FOREIGN,
    LIST,
    LOGGER,
    REDIRECT,
    REFUNDS,
    WRITE,
    agents,
    arm,
    asked,
    flows,
)

if TYPE_CHECKING:
    from router.desk import Desk
    from router.sandbox.sandbox import Sandbox
    from router.sandbox.world import Conversation

STUDIO = WebhookSpec.studio(REFUNDS)


def present(conversation: Conversation) -> list[ScopedWebhook]:
    return [ScopedWebhook(webhook.sid, webhook.spec) for webhook in conversation.webhooks]


async def carry_out(
    desk: Desk, conversation: Conversation, *steps: Attach | Redirect | Remove | WriteAttributes
) -> bool:
    done = await Executor(desk.gateway, conversation.ref).attach(Plan(steps), present(conversation))
    return done.is_doubtful


async def test_every_kind_of_step_is_undone(sandbox: Sandbox, desk: Desk) -> None:
    """When the last step is refused, each step before it is taken back, the last one first."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=[WebhookSpec.studio(BILLING)])
    conversation.attributes = '{"theirs": 1, "ours": "before"}'
    agent, studio = present(conversation)
    arm(sandbox, conversation, CREATE, Kind.REFUSED, skip=1, code=50367)
    with pytest.raises(SwapFailed, match="code 50367") as failed:
        await carry_out(
            desk,
            conversation,
            WriteAttributes({"ours": "now", "new": None}, {"theirs": 1, "ours": "before"}),
            Remove(agent),
            Redirect(studio, REFUNDS),
            Attach(LOGGER),
            Attach(STUDIO),
        )
    assert (failed.value.unknown, failed.value.removed) == (False, ())
    assert asked(sandbox, conversation)[5:] == [DELETE, REDIRECT, CREATE, FETCH, WRITE]
    assert flows(conversation) == [BILLING]
    assert len(agents(conversation)) == 1
    assert len(conversation.webhooks) == 2
    assert json.loads(conversation.attributes) == {"theirs": 1, "ours": "before"}


async def test_an_undo_that_fails_does_not_stop_the_others(sandbox: Sandbox, desk: Desk) -> None:
    """Each step is taken back for itself, and the agent's webhook that stays away is named."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=[LOGGER])
    agent, other = present(conversation)
    arm(sandbox, conversation, CREATE, Kind.REFUSED, times=2, code=50367)
    arm(sandbox, conversation, WRITE, Kind.REFUSED, skip=1, code=50303)
    with pytest.raises(SwapFailed) as failed:
        await carry_out(
            desk, conversation, WriteAttributes({"ours": 1}, {}), Remove(agent), Remove(other), Attach(STUDIO)
        )
    assert failed.value.removed == (other,)
    assert len(agents(conversation)) == 1


async def test_attributes_that_may_have_been_written_are_taken_back(sandbox: Sandbox, desk: Desk) -> None:
    """Where the answer to the write is lost and the handover ends there, the conversation does not keep our keys."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    conversation.attributes = '{"theirs": 1}'
    arm(sandbox, conversation, WRITE, Kind.CUT_AFTER, times=3)
    with pytest.raises(SwapFailed) as failed:
        await carry_out(desk, conversation, WriteAttributes({"ours": None}, {"theirs": 1}), Attach(STUDIO))
    assert not failed.value.unknown
    assert json.loads(conversation.attributes) == {"theirs": 1}
    assert flows(conversation) == []


async def test_attributes_that_were_never_written_are_not_missed(sandbox: Sandbox, desk: Desk) -> None:
    """A write of null that got lost on its way is no key that could be taken back."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, WRITE, Kind.CUT_BEFORE, times=3)
    with pytest.raises(SwapFailed):
        await carry_out(desk, conversation, WriteAttributes({"ours": None}, {}), Attach(STUDIO))
    assert conversation.attributes == "{}"


async def test_attributes_that_are_not_required_stop_nothing(sandbox: Sandbox, desk: Desk) -> None:
    """A refused write is passed over where the handover is worth more."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, WRITE, Kind.REFUSED, code=50303)
    assert not await carry_out(desk, conversation, WriteAttributes({"ours": 1}, {}, required=False), Attach(STUDIO))
    assert flows(conversation) == [REFUNDS]


async def test_a_create_without_an_answer_is_found_by_a_look(sandbox: Sandbox, desk: Desk) -> None:
    """The create had worked: it is not repeated, and the caller learns that an answer was lost."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, CREATE, Kind.CUT_AFTER)
    assert await carry_out(desk, conversation, Attach(STUDIO))
    assert asked(sandbox, conversation) == [CREATE, LIST]
    assert flows(conversation) == [REFUNDS]


async def test_what_was_there_before_is_not_taken_for_what_was_made(sandbox: Sandbox, desk: Desk) -> None:
    """A webhook that leads to the same flow but was seen before the create does not count."""
    conversation = sandbox.open_conversation(webhooks=[STUDIO])
    arm(sandbox, conversation, CREATE, Kind.CUT_BEFORE)
    assert await carry_out(desk, conversation, Attach(STUDIO))
    assert asked(sandbox, conversation) == [CREATE, LIST, CREATE]
    assert len(flows(conversation)) == 2


async def test_a_create_is_asked_for_three_times_at_most(sandbox: Sandbox, desk: Desk) -> None:
    """After the third lost answer nobody knows what is there: unknown, and the repair has the word."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, CREATE, Kind.CUT_BEFORE, times=3)
    with pytest.raises(SwapFailed) as failed:
        await carry_out(desk, conversation, Attach(STUDIO))
    assert failed.value.unknown
    assert isinstance(failed.value.cause, TwilioUncertain)
    assert asked(sandbox, conversation) == [CREATE, LIST] * 3


async def test_a_create_is_not_repeated_blindly(sandbox: Sandbox, desk: Desk) -> None:
    """Without an answer and without a look nothing more is asked for, since it might attach a second responder."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, CREATE, Kind.CUT_AFTER)
    arm(sandbox, conversation, LIST, Kind.REFUSED, status=401, code=20003)
    with pytest.raises(SwapFailed) as failed:
        await carry_out(desk, conversation, Attach(STUDIO))
    assert failed.value.unknown
    assert asked(sandbox, conversation) == [CREATE, LIST]


async def test_a_clear_no_after_a_lost_answer_leaves_the_doubt(sandbox: Sandbox, desk: Desk) -> None:
    """The lost request may still take effect, so a refusal of its repeat proves nothing."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, CREATE, Kind.CUT_BEFORE)
    arm(sandbox, conversation, CREATE, Kind.REFUSED, code=50361)
    with pytest.raises(SwapFailed) as failed:
        await carry_out(desk, conversation, Attach(STUDIO))
    assert failed.value.unknown
    assert isinstance(failed.value.__cause__, TwilioUncertain)


async def test_a_clear_no_is_known(sandbox: Sandbox, desk: Desk) -> None:
    """Where Twilio did not take the create up, nothing is attached, and the failure says so."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, CREATE, Kind.RATE_LIMITED, times=3)
    with pytest.raises(SwapFailed) as failed:
        await carry_out(desk, conversation, Attach(STUDIO))
    assert not failed.value.unknown
    assert isinstance(failed.value.cause, TwilioBusy)


async def test_a_redirect_without_an_answer_is_repeated_and_in_doubt(sandbox: Sandbox, desk: Desk) -> None:
    """To set the flow once more is harmless; that the lost one may come late is told."""
    conversation = sandbox.open_conversation(webhooks=[WebhookSpec.studio(BILLING)])
    (studio,) = present(conversation)
    arm(sandbox, conversation, REDIRECT, Kind.CUT_BEFORE, times=2)
    assert await carry_out(desk, conversation, Redirect(studio, REFUNDS))
    assert flows(conversation) == [REFUNDS]
    assert asked(sandbox, conversation) == [REDIRECT] * 3
    assert not await carry_out(desk, conversation, Redirect(present(conversation)[0], BILLING))


async def test_a_redirect_is_asked_for_three_times_at_most(sandbox: Sandbox, desk: Desk) -> None:
    """Then nobody knows where the webhook leads."""
    conversation = sandbox.open_conversation(webhooks=[WebhookSpec.studio(BILLING)])
    arm(sandbox, conversation, REDIRECT, Kind.CUT_AFTER, times=0)
    with pytest.raises(SwapFailed) as failed:
        await carry_out(desk, conversation, Redirect(present(conversation)[0], REFUNDS))
    assert failed.value.unknown
    assert asked(sandbox, conversation) == [REDIRECT] * 3


@pytest.mark.parametrize("lost", [0, 1])
async def test_a_clear_no_to_a_redirect_is_known_unless_one_was_lost(sandbox: Sandbox, desk: Desk, lost: int) -> None:
    """Refused at once, nothing was changed; after a lost answer a refusal makes nothing certain."""
    conversation = sandbox.open_conversation(webhooks=[WebhookSpec.studio(BILLING)])
    if lost:
        arm(sandbox, conversation, REDIRECT, Kind.CUT_BEFORE)
    arm(sandbox, conversation, REDIRECT, Kind.REFUSED, skip=0, code=50367, times=0)
    with pytest.raises(SwapFailed) as failed:
        await carry_out(desk, conversation, Redirect(present(conversation)[0], REFUNDS))
    assert failed.value.unknown is bool(lost)


async def test_in_doubt_the_agent_is_put_back_and_the_attributes_stay(sandbox: Sandbox, desk: Desk) -> None:
    """Two responders for a while are better than none, and the flow may have read the attributes already."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=FOREIGN[:3])
    agent = present(conversation)[0]
    arm(sandbox, conversation, CREATE, Kind.CUT_AFTER)
    arm(sandbox, conversation, LIST, Kind.REFUSED, status=401, code=20003)
    with pytest.raises(SwapFailed) as failed:
        await carry_out(desk, conversation, WriteAttributes({"ours": 1}, {}), Remove(agent), Attach(STUDIO))
    assert (failed.value.unknown, failed.value.removed) == (True, ())
    assert (flows(conversation), len(agents(conversation))) == ([REFUNDS], 1)
    assert json.loads(conversation.attributes) == {"ours": 1}


async def test_a_delete_without_an_answer_may_have_removed_the_agent(sandbox: Sandbox, desk: Desk) -> None:
    """Where making room ends in doubt, the agent's webhook is named as one that may be gone."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=FOREIGN[:4])
    agent = present(conversation)[0]
    arm(sandbox, conversation, DELETE, Kind.UNAVAILABLE, times=3)
    with pytest.raises(SwapFailed) as failed:
        await carry_out(desk, conversation, Remove(agent), Attach(STUDIO))
    assert (failed.value.unknown, failed.value.removed) == (False, (agent,))


async def test_a_delete_that_was_refused_has_removed_nothing(sandbox: Sandbox, desk: Desk) -> None:
    """A clear no to making room leaves everything as it was: nothing is owed."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=FOREIGN[:4])
    arm(sandbox, conversation, DELETE, Kind.REFUSED, status=401, code=20003)
    with pytest.raises(SwapFailed) as failed:
        await carry_out(desk, conversation, Remove(present(conversation)[0]), Attach(STUDIO))
    assert isinstance(failed.value.cause, TwilioRefused)
    assert failed.value.removed == ()


async def test_a_release_gives_back_what_is_owed(sandbox: Sandbox, desk: Desk) -> None:
    """One delete that fails does not keep the others from being done, and is named."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=[LOGGER])
    agent, other = present(conversation)
    arm(sandbox, conversation, DELETE, Kind.REFUSED, status=401, code=20003)
    executor = Executor(desk.gateway, conversation.ref)
    assert await executor.release(Plan(release=(Remove(agent), Remove(other)))) == (agent,)
    assert present(conversation) == [agent]


async def test_a_release_owes_nothing_to_a_closed_conversation(sandbox: Sandbox, desk: Desk) -> None:
    """Nothing can be removed there any more, and nobody answers in it: that is not tried for ever."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    (agent,) = present(conversation)
    conversation.state = State.CLOSED
    assert await Executor(desk.gateway, conversation.ref).release(Plan(release=(Remove(agent),))) == ()
    assert present(conversation) == [agent]
