"""What can be found in a conversation, case by case: what comes of it, and which sentence is told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from router.handover import hand_over
from router.model.call import ConversationRef, Identity
from router.model.messages import Messages
from router.model.outcome import Outcome
from router.model.webhook import WebhookSpec
from router.sandbox.faults import Kind
from router.sandbox.world import State
from tests.kit import (
    AGENT_URL,
    BILLING,
    CREATE,
    DELETE,
    FOREIGN,
    LIST,
    LOGGER,
    NEWEST,
    REDIRECT,
    REFUNDS,
    REHEARSED,
    REPLAYING,
    SUCCESS,
    agents,
    arm,
    asked,
    call,
    flows,
    foreign,
    settled,
    witness,
    writes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.desk import Desk
    from router.model.outcome import Answer
    from router.sandbox.sandbox import Sandbox

SENTENCES = Messages()


def told(answer: Answer) -> tuple[Outcome, str]:
    return answer.outcome, answer.message


async def test_the_agent_on_the_conversation_is_removed(sandbox: Sandbox, desk: Desk) -> None:
    """Studio is attached first and the agent's webhook removed then: three requests, one responder at the end."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    seen = witness(sandbox, conversation)
    answer = await hand_over(call(conversation), desk)
    assert told(answer) == (Outcome.HANDED_OVER, SUCCESS)
    assert (answer.flow, answer.tool, answer.handover_id[:2]) == (REFUNDS, "/tools/support", "HO")
    await settled(desk)
    assert asked(sandbox, conversation) == [LIST, CREATE, DELETE]
    assert [[responder.kind for responder in moment] for moment in seen] == [["agent"], ["agent", "studio"], ["studio"]]


async def test_a_pattern_that_matches_nothing_is_told_to_the_log(sandbox: Sandbox, desk: Desk) -> None:
    """Who removes nothing although others hear the customer may have a wrong pattern; the model is not told."""
    deaf = replace(LOGGER, filters=("onConversationUpdated",))
    conversation = sandbox.open_conversation(agent_url="https://agent.example/in", webhooks=(LOGGER, deaf, FOREIGN[2]))
    answer = await hand_over(call(conversation), desk)
    assert told(answer) == (Outcome.HANDED_OVER, SUCCESS)
    assert answer.detail == "2 webhooks stay that no pattern of 'assistant_webhooks' matches"
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=(LOGGER,))
    assert (await hand_over(call(conversation), desk)).detail == ""


async def test_the_agent_on_the_service_is_left_there(sandbox: Sandbox, desk: Desk) -> None:
    """There is nothing to remove: one webhook is created, and the agent keeps silent beside it."""
    conversation = sandbox.open_conversation(service_url=AGENT_URL)
    assert told(await hand_over(call(conversation), desk)) == (Outcome.HANDED_OVER, SUCCESS)
    assert asked(sandbox, conversation) == [LIST, CREATE]
    assert [responder.name for responder in sandbox.responders(conversation)] == [REFUNDS]


async def test_foreign_webhooks_are_not_touched(sandbox: Sandbox, desk: Desk) -> None:
    """What listens for other reasons is there afterwards as it was before, under the same SIDs."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=FOREIGN[:3])
    before = foreign(conversation)
    assert (await hand_over(call(conversation), desk)).outcome is Outcome.HANDED_OVER
    assert foreign(conversation) == before
    assert len(before) == 3
    assert flows(conversation) == [REFUNDS]


async def test_in_a_full_house_the_agent_goes_first(sandbox: Sandbox, desk: Desk) -> None:
    """With five webhooks there, one of them the agent's, its place is taken: remove, then create, in three requests."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=FOREIGN[:4])
    before = foreign(conversation)
    assert told(await hand_over(call(conversation), desk)) == (Outcome.HANDED_OVER, SUCCESS)
    assert asked(sandbox, conversation) == [LIST, DELETE, CREATE]
    assert (flows(conversation), agents(conversation), foreign(conversation)) == ([REFUNDS], [], before)


async def test_a_house_full_of_others_has_no_room(sandbox: Sandbox, desk: Desk) -> None:
    """Five webhooks and none of them the agent's: nothing is changed, and the sentence says why."""
    conversation = sandbox.open_conversation(service_url=AGENT_URL, webhooks=FOREIGN)
    before = list(conversation.webhooks)
    assert told(await hand_over(call(conversation), desk)) == (Outcome.FAILED, SENTENCES.no_room)
    assert conversation.webhooks == before
    assert asked(sandbox, conversation) == [LIST]


async def test_a_refusal_of_the_create_puts_the_agent_back(sandbox: Sandbox, desk: Desk) -> None:
    """In a full house the agent's webhook went first; when the create fails it is back before the answer is told."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=FOREIGN[:4])
    arm(sandbox, conversation, CREATE, Kind.REFUSED, code=50367)
    assert told(await hand_over(call(conversation), desk)) == (Outcome.FAILED, SENTENCES.failure)
    assert len(agents(conversation)) == 1
    assert asked(sandbox, conversation) == [LIST, DELETE, CREATE, CREATE]


async def test_another_flow_is_redirected_in_place(sandbox: Sandbox, desk: Desk) -> None:
    """A studio webhook of another flow keeps its SID and leads to the wanted flow."""
    conversation = sandbox.open_conversation(webhooks=[WebhookSpec.studio(BILLING)])
    sid = conversation.webhooks[0].sid
    assert told(await hand_over(call(conversation), desk)) == (Outcome.HANDED_OVER, SUCCESS)
    assert [(webhook.sid, webhook.spec.flow) for webhook in conversation.webhooks] == [(sid, REFUNDS)]
    assert asked(sandbox, conversation) == [LIST, REDIRECT]


async def test_several_flows_become_one(sandbox: Sandbox, desk: Desk) -> None:
    """Where two studio webhooks of other flows and the agent are there, one is redirected and the rest removed."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=[WebhookSpec.studio(BILLING)] * 2)
    assert (await hand_over(call(conversation), desk)).outcome is Outcome.HANDED_OVER
    await settled(desk)
    assert [webhook.spec.flow for webhook in conversation.webhooks] == [REFUNDS]


async def test_a_second_call_finds_it_done(sandbox: Sandbox, desk: Desk) -> None:
    """The same flow is there already: nothing is written, and the sentence says so."""
    conversation = sandbox.open_conversation(webhooks=[WebhookSpec.studio(REFUNDS)])
    before = list(conversation.webhooks)
    assert told(await hand_over(call(conversation), desk)) == (Outcome.ALREADY_HANDED_OVER, SENTENCES.already)
    assert conversation.webhooks == before
    assert asked(sandbox, conversation) == [LIST]


async def test_an_agent_left_over_beside_the_flow_is_removed(sandbox: Sandbox, desk: Desk) -> None:
    """Two responders are one too many, also where an earlier handover left them."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=[WebhookSpec.studio(REFUNDS)])
    assert (await hand_over(call(conversation), desk)).outcome is Outcome.ALREADY_HANDED_OVER
    await settled(desk)
    assert (agents(conversation), flows(conversation)) == ([], [REFUNDS])
    assert writes(sandbox, conversation) == [DELETE]


@pytest.mark.parametrize(
    "webhooks", [(), FOREIGN[:4], (WebhookSpec.studio(BILLING),)], ids=["room", "full house", "another flow"]
)
async def test_a_closed_conversation_is_called_closed(
    sandbox: Sandbox, desk: Desk, webhooks: Sequence[WebhookSpec]
) -> None:
    """In a closed conversation nothing can be changed, whichever change would have come first."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=webhooks)
    conversation.state = State.CLOSED
    before = list(conversation.webhooks)
    assert told(await hand_over(call(conversation), desk)) == (Outcome.FAILED, SENTENCES.closed)
    await settled(desk)
    assert conversation.webhooks == before


async def test_an_unknown_conversation_is_called_unknown(sandbox: Sandbox, desk: Desk) -> None:
    """A conversation that Twilio does not know gets a sentence of its own."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    lost = replace(call(conversation), conversation=ConversationRef(conversation.service.sid, "CH" + "f" * 32))
    assert told(await hand_over(lost, desk)) == (Outcome.FAILED, SENTENCES.unknown_conversation)


async def test_a_service_of_another_account_is_unknown(sandbox: Sandbox, desk: Desk) -> None:
    """The same conversation under a service that Twilio does not know is unknown too."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    lost = ConversationRef("IS" + "f" * 32, conversation.sid)
    answer = await hand_over(replace(call(conversation), conversation=lost), desk)
    assert told(answer) == (Outcome.FAILED, SENTENCES.unknown_conversation)
    assert len(agents(conversation)) == 1


async def test_a_place_taken_meanwhile_is_seen_at_a_second_look(sandbox: Sandbox, desk: Desk) -> None:
    """Where somebody takes the last place between look and create, the agent's place is taken after all."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=FOREIGN[:3])
    listed = arm(sandbox, conversation, LIST, Kind.SLOW_AFTER)
    handover = asyncio.create_task(hand_over(call(conversation), desk))
    await listed.reached.wait()
    await asyncio.sleep(0.05)
    sandbox.world.add_webhook(conversation, FOREIGN[3])
    listed.release()
    assert (await handover).outcome is Outcome.HANDED_OVER
    assert asked(sandbox, conversation) == [LIST, CREATE, LIST, DELETE, CREATE]
    assert (flows(conversation), agents(conversation), len(foreign(conversation))) == ([REFUNDS], [], 4)


async def test_places_that_stay_taken_end_in_no_room(sandbox: Sandbox, desk: Desk) -> None:
    """A second refusal of the create for want of room is told as such, and the agent keeps the conversation."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, CREATE, Kind.REFUSED, code=50361, times=2)
    assert told(await hand_over(call(conversation), desk)) == (Outcome.FAILED, SENTENCES.no_room)
    assert len(agents(conversation)) == 1
    assert asked(sandbox, conversation) == [LIST, CREATE, LIST, CREATE]


async def test_a_flow_that_ended_meanwhile_is_no_lost_conversation(sandbox: Sandbox, desk: Desk) -> None:
    """Where Studio removes its webhook between look and redirect, a second look finds room for a new one."""
    conversation = sandbox.open_conversation(service_url=AGENT_URL, webhooks=[WebhookSpec.studio(BILLING)])
    listed = arm(sandbox, conversation, LIST, Kind.SLOW_AFTER)
    handover = asyncio.create_task(hand_over(call(conversation), desk))
    await listed.reached.wait()
    await asyncio.sleep(0.05)
    conversation.webhooks.clear()
    listed.release()
    assert told(await handover) == (Outcome.HANDED_OVER, SUCCESS)
    assert asked(sandbox, conversation) == [LIST, REDIRECT, LIST, CREATE]


async def test_a_replay_starts_the_flow(sandbox: Sandbox, desk: Desk) -> None:
    """The customer's last message is given to the flow, so that it speaks before the customer does again."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    for text in ("Hello", "I want my money back"):
        sandbox.world.add_message(conversation, author="whatsapp:+15550100", body=text)
    assert (await hand_over(call(conversation, REPLAYING), desk)).outcome is Outcome.HANDED_OVER
    await settled(desk)
    await sandbox.settled()
    assert replay_of(sandbox) == ["1"]
    assert asked(sandbox, conversation)[2:] == [CREATE, DELETE]
    assert sorted(asked(sandbox, conversation)[:2]) == sorted([LIST, NEWEST])
    spoken = [message.body for message in conversation.messages if message.author == "Studio"]
    assert spoken[0] == "Hello, this is the refunds desk."


async def test_an_agents_message_after_it_keeps_the_flow_from_being_given_any(sandbox: Sandbox, desk: Desk) -> None:
    """A replay might give the flow the agent's words, so where the agent spoke last there is none."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    sandbox.world.add_message(conversation, author="whatsapp:+15550100", body="I want my money back")
    sandbox.world.add_message(conversation, author="system", body="One moment, please.")
    assert (await hand_over(call(conversation, REPLAYING), desk)).outcome is Outcome.HANDED_OVER
    await sandbox.settled()
    assert replay_of(sandbox) == []
    assert len(conversation.messages) == 2


async def test_a_conversation_without_messages_has_nothing_to_replay(sandbox: Sandbox, desk: Desk) -> None:
    """The flow is attached and waits for the first message."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    assert (await hand_over(call(conversation, REPLAYING), desk)).outcome is Outcome.HANDED_OVER
    assert replay_of(sandbox) == []


async def test_a_message_that_cannot_be_read_is_not_replayed(sandbox: Sandbox, desk: Desk) -> None:
    """A replay is a courtesy: without it the handover is still worth having."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    sandbox.world.add_message(conversation, author="whatsapp:+15550100", body="I want my money back")
    arm(sandbox, conversation, NEWEST, Kind.REFUSED, status=403, code=20003)
    assert (await hand_over(call(conversation, REPLAYING), desk)).outcome is Outcome.HANDED_OVER
    assert replay_of(sandbox) == []


@pytest.mark.parametrize(
    ("author", "identity", "replayed"),
    [
        ("whatsapp:+15550100", Identity("whatsapp", "+15550100"), ["0"]),
        ("+15550100", Identity("user_id", "+15550100"), ["0"]),
        ("whatsapp:+15550100", None, ["0"]),
        ("system", None, []),
        ("whatsapp:+15550100", Identity("whatsapp", "+15550177"), []),
        ("whatsapp:+15550100", Identity("user_id", "+15550100"), []),
    ],
)
async def test_the_customers_message_is_known_by_its_author(
    sandbox: Sandbox, desk: Desk, author: str, identity: Identity | None, replayed: list[str]
) -> None:
    """Its author is the identity or the identity's value; without an identity any participant is the customer."""
    customer = author if ":" in author or author.startswith("+") else "whatsapp:+15550100"
    conversation = sandbox.open_conversation(customer=customer, agent_url=AGENT_URL)
    sandbox.world.add_message(conversation, author=author, body="I want my money back")
    await hand_over(call(conversation, REPLAYING, identity=identity), desk)
    assert replay_of(sandbox) == replayed


@pytest.mark.parametrize("calls", [2, 20])
async def test_calls_at_the_same_time_give_one_handover(sandbox: Sandbox, desk: Desk, calls: int) -> None:
    """One call attaches the flow, and every other one is told the very same sentence about the same handover."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    answers = await asyncio.gather(*(hand_over(call(conversation), desk) for _ in range(calls)))
    assert flows(conversation) == [REFUNDS]
    assert len({(answer.outcome, answer.message, answer.handover_id) for answer in answers}) == 1
    assert told(answers[0]) == (Outcome.HANDED_OVER, SUCCESS)
    assert writes(sandbox, conversation) == [CREATE, DELETE]


@pytest.mark.parametrize(
    "webhooks", [(), FOREIGN[:4], (WebhookSpec.studio(BILLING),)], ids=["room", "full house", "another flow"]
)
async def test_a_dry_run_reads_and_writes_nothing(
    sandbox: Sandbox, desk: Desk, webhooks: Sequence[WebhookSpec]
) -> None:
    """It looks and plans as a handover does, says that it is a dry run, and sends no request but reads."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=webhooks)
    before = list(conversation.webhooks)
    assert told(await hand_over(call(conversation, REHEARSED), desk)) == (Outcome.DRY_RUN, SENTENCES.dry_run)
    assert {entry.method for entry in sandbox.requests} == {"GET"}
    assert sorted(asked(sandbox, conversation)) == sorted([LIST, NEWEST])
    assert conversation.webhooks == before


async def test_a_dry_run_tells_what_would_keep_the_handover_from_working(sandbox: Sandbox, desk: Desk) -> None:
    """A dry run of a handover that has no room, or is not needed, says just that."""
    full = sandbox.open_conversation(webhooks=FOREIGN)
    done = sandbox.open_conversation(webhooks=[WebhookSpec.studio(REFUNDS)])
    assert told(await hand_over(call(full, REHEARSED), desk)) == (Outcome.FAILED, SENTENCES.no_room)
    assert (await hand_over(call(done, REHEARSED), desk)).outcome is Outcome.ALREADY_HANDED_OVER
    assert {entry.method for entry in sandbox.requests} == {"GET"}


def replay_of(sandbox: Sandbox) -> list[str]:
    """Give what the creates asked to be replayed."""
    return [index for entry in sandbox.requests for index in entry.form.get("Configuration.ReplayAfter", ())]
