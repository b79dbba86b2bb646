from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from router.model.webhook import ROOM, Target, WebhookSpec
from router.sandbox.executions import AUTHOR
from router.sandbox.flows import shipped_flows
from router.sandbox.sandbox import Sandbox
from tests.fixtures import running_sandbox
from tests.sandbox.client import call, flow_webhook, path_of
from tests.sandbox.receiver import receiving

if TYPE_CHECKING:
    from router.sandbox.world import Conversation

REFUNDS, BILLING = shipped_flows()


HOST = "handover.example.com"
"""Where the shipped flow gives a conversation back."""


def without_hand_back() -> dict[str, Any]:
    """Give the refunds flow as it would be if it just ended."""
    flow: dict[str, Any] = shipped_flows()[REFUNDS]
    for transition in (found for state in flow["states"] for found in state["transitions"]):
        if transition.get("next") == "hand_back":
            del transition["next"]
    return flow


def studio_texts(conversation: Conversation) -> list[str]:
    return [message.body for message in conversation.messages if message.author == AUTHOR]


def statuses(sandbox: Sandbox) -> list[str]:
    return [execution.status.value for execution in sandbox.world.executions.values()]


async def test_a_message_to_a_flow_that_is_not_played_is_told() -> None:
    """Nobody answers, and a line says how to play the flow; it stands among the deliveries as well."""
    told: list[str] = []
    sandbox = Sandbox(tell=told.append)
    flow = "FW" + "f" * 32
    conversation = sandbox.open_conversation(webhooks=[WebhookSpec.studio(flow)])
    await sandbox.customer_says(conversation, "I want my money back")
    assert told == [f"{flow} is not played here; --flow {flow}=FILE"]
    assert [(found.event, found.url, found.error) for found in sandbox.deliveries] == [("onMessageAdded", flow, *told)]


async def test_a_flow_takes_over_and_leaves() -> None:
    """A studio webhook starts nothing; the next message starts a run, the reply ends it, and its webhook is gone."""
    async with receiving() as router:
        sandbox = Sandbox(hosts={HOST: router.url})
        conversation = sandbox.open_conversation(webhooks=[WebhookSpec.studio(REFUNDS)])
        assert not sandbox.world.executions
        await sandbox.customer_says(conversation, "I want my money back")
        assert studio_texts(conversation)[-1].startswith("Which order")
        assert statuses(sandbox) == ["active"]
        await sandbox.customer_says(conversation, "4711")
        await sandbox.settled()
    assert "order 4711" in studio_texts(conversation)[-1]
    assert statuses(sandbox) == ["ended"]
    assert not conversation.webhooks


async def test_a_replay_gives_the_flow_earlier_messages(sandbox: Sandbox) -> None:
    """``ReplayAfter`` brings the participants' messages from that index on, and no others, to the new webhook."""
    conversation = sandbox.open_conversation()
    for author, body in (
        (conversation.customer.address, "before"),
        (conversation.customer.address, "I want a refund"),
        ("assistant", "One moment"),
        (conversation.customer.address, "4711"),
    ):
        sandbox.world.add_message(conversation, author=author, body=body)
    form = flow_webhook(REFUNDS, **{"Configuration.ReplayAfter": "1"})
    assert (await call(sandbox, "POST", path_of(conversation, "Webhooks"), form)).status == 201
    await sandbox.settled()
    assert "order 4711" in studio_texts(conversation)[2]
    (execution,) = sandbox.world.executions.values()
    assert execution.progress is not None
    assert execution.progress.variables["trigger"]["conversation"]["Body"] == "I want a refund"
    assert execution.address == conversation.sid


async def test_a_replay_stops_when_the_flow_has_ended() -> None:
    """Once the replayed messages have ended the run, and so removed the webhook, the rest goes nowhere."""
    async with running_sandbox(flows={REFUNDS: without_hand_back()}) as sandbox:
        conversation = sandbox.open_conversation()
        for body in ("one", "two", "three"):
            sandbox.world.add_message(conversation, author=conversation.customer.address, body=body)
        form = flow_webhook(REFUNDS, **{"Configuration.ReplayAfter": "0"})
        await call(sandbox, "POST", path_of(conversation, "Webhooks"), form)
        await sandbox.settled()
        assert statuses(sandbox) == ["ended"]
        assert not conversation.webhooks


async def test_a_parked_run_swallows_the_next_message() -> None:
    """A run that waits takes the next message for its reply, even where its webhook was taken off and attached anew."""
    sandbox = Sandbox()
    conversation = sandbox.open_conversation(webhooks=[WebhookSpec.studio(REFUNDS)])
    await sandbox.customer_says(conversation, "Refund")
    conversation.webhooks.clear()
    sandbox.world.add_webhook(conversation, WebhookSpec.studio(REFUNDS))
    await sandbox.customer_says(conversation, "Hello again")
    assert "order Hello again" in studio_texts(conversation)[-1]
    assert len(sandbox.world.executions) == 1


async def test_conversations_have_runs_of_their_own() -> None:
    """Two conversations with the same flow have one run each."""
    sandbox = Sandbox()
    for text in ("Refund", "My bill"):
        conversation = sandbox.open_conversation(webhooks=[WebhookSpec.studio(REFUNDS), WebhookSpec.studio(BILLING)])
        await sandbox.customer_says(conversation, text)
    assert statuses(sandbox) == ["active"] * 4


async def test_a_webhook_removed_during_a_run_is_put_back_at_its_end() -> None:
    """Studio puts its webhook back when the run ends without it, whoever removed it."""
    sandbox = Sandbox()
    conversation = sandbox.open_conversation(webhooks=[WebhookSpec.studio(REFUNDS)])
    await sandbox.customer_says(conversation, "Refund")
    (before,) = conversation.webhooks
    conversation.webhooks.clear()
    (execution,) = sandbox.world.executions.values()
    async with sandbox.served():
        path = f"/v2/Flows/{REFUNDS}/Executions/{execution.sid}"
        for _ in range(2):
            assert (await call(sandbox, "POST", path, {"Status": "ended"})).body["status"] == "ended"
    (after,) = conversation.webhooks
    assert after.spec == before.spec
    assert after.sid != before.sid


async def test_a_full_conversation_gets_nothing_put_back() -> None:
    """Where five other webhooks are there meanwhile, the run just ends."""
    sandbox = Sandbox()
    conversation = sandbox.open_conversation(webhooks=[WebhookSpec.studio(REFUNDS)])
    await sandbox.customer_says(conversation, "Refund")
    conversation.webhooks.clear()
    for _ in range(ROOM):
        sandbox.world.add_webhook(conversation, WebhookSpec(target=Target.TRIGGER, triggers=("x",)))
    (execution,) = sandbox.world.executions.values()
    async with sandbox.served():
        await call(sandbox, "POST", f"/v2/Flows/{REFUNDS}/Executions/{execution.sid}", {"Status": "ended"})
    assert len(conversation.webhooks) == ROOM
    assert not conversation.studio_webhooks


async def test_a_webhook_that_was_given_another_flow_stays(sandbox: Sandbox) -> None:
    """When the first flow's run ends, its webhook stays where it was pointed at another flow meanwhile."""
    conversation = sandbox.open_conversation(webhooks=[WebhookSpec.studio(REFUNDS)])
    await sandbox.customer_says(conversation, "Refund")
    (webhook,) = conversation.webhooks
    path = path_of(conversation, "Webhooks", webhook.sid)
    assert (await call(sandbox, "POST", path, {"Configuration.FlowSid": BILLING})).status == 200
    (execution,) = sandbox.world.executions.values()
    await call(sandbox, "POST", f"/v2/Flows/{REFUNDS}/Executions/{execution.sid}", {"Status": "ended"})
    assert [found.spec.flow for found in conversation.webhooks] == [BILLING]


@pytest.mark.parametrize("trouble", ["unknown", "draft", "other trigger"])
async def test_a_flow_that_cannot_run_answers_nobody(trouble: str) -> None:
    """A webhook for an unknown flow, a draft or one with another trigger is created, and messages bring nothing."""
    flows = shipped_flows()
    if trouble == "other trigger":
        flows[REFUNDS]["states"][0]["transitions"] = [{"event": "incomingMessage", "next": "greet"}]
    flow = "FW" + "f" * 32 if trouble == "unknown" else REFUNDS
    async with running_sandbox(flows=flows, drafts=[REFUNDS] if trouble == "draft" else []) as sandbox:
        conversation = sandbox.open_conversation()
        answer = await call(sandbox, "POST", path_of(conversation, "Webhooks"), flow_webhook(flow))
        assert answer.status == 201
        await sandbox.customer_says(conversation, "Refund")
        assert len(conversation.messages) == 1
        assert not sandbox.world.executions


async def test_a_conversation_without_participants_runs_under_its_own_name(sandbox: Sandbox) -> None:
    """Without a customer's address the run's contact is the conversation."""
    made = (await call(sandbox, "POST", "/v1/Conversations", {})).body["sid"]
    await call(sandbox, "POST", f"/v1/Conversations/{made}/Webhooks", flow_webhook(REFUNDS))
    await call(sandbox, "POST", f"/v1/Conversations/{made}/Messages", {"Body": "Hello"}, loud=True)
    await sandbox.settled()
    listed = (await call(sandbox, "GET", f"/v2/Flows/{REFUNDS}/Executions?status=active")).body["executions"]
    assert [found["contact_channel_address"] for found in listed] == [made]


async def test_flows_are_read(sandbox: Sandbox) -> None:
    """Flows are listed and fetched with definition and status; an unknown one is 404."""
    listed = (await call(sandbox, "GET", "/v2/Flows")).body["flows"]
    assert [(flow["sid"], flow["friendly_name"]) for flow in listed] == [(REFUNDS, "Refunds"), (BILLING, "Billing")]
    fetched = (await call(sandbox, "GET", f"/v2/Flows/{REFUNDS}")).body
    assert (fetched["status"], fetched["definition"]) == ("published", shipped_flows()[REFUNDS])
    assert (await call(sandbox, "GET", "/v2/Flows/FW1")).code == 20404


async def test_runs_are_started_and_read_over_rest() -> None:
    """A run started by REST carries its parameters; runs belong to their flow, and are listed by status."""
    flows = shipped_flows()
    flows[REFUNDS]["states"][0]["transitions"] = [{"event": "incomingRequest", "next": "greet"}]
    async with running_sandbox(flows=flows) as sandbox:
        path = f"/v2/Flows/{REFUNDS}/Executions"
        form = {"To": "+15550100", "From": "+15550199", "Parameters": '{"order": "4711"}'}
        made = (await call(sandbox, "POST", path, form)).body
        assert (made["status"], made["contact_channel_address"]) == ("active", "+15550100")
        progress = sandbox.world.executions[made["sid"]].progress
        assert progress is not None
        assert progress.variables["flow"]["data"] == {"order": "4711"}
        assert (await call(sandbox, "GET", f"{path}/{made['sid']}")).body == made
        assert (await call(sandbox, "GET", f"/v2/Flows/{BILLING}/Executions/{made['sid']}")).code == 20404
        assert (await call(sandbox, "GET", f"{path}/FN1")).code == 20404
        await call(sandbox, "POST", f"{path}/{made['sid']}", {"Status": "ended"})
        assert not (await call(sandbox, "GET", path + "?status=active")).body["executions"]
        assert (await call(sandbox, "GET", path + "?DateCreatedFrom=2026-01-01T00:00:00Z")).body["executions"]
        assert not (await call(sandbox, "GET", path + "?DateCreatedFrom=2999-01-01T00:00:00Z")).body["executions"]
        assert (await call(sandbox, "GET", path + "?DateCreatedFrom=yesterday")).code == 20001


@pytest.mark.parametrize("form", [{}, {"To": "+1"}, {"To": "+1", "From": "+2", "Parameters": "{"}])
async def test_a_wrong_start_is_refused(sandbox: Sandbox, form: dict[str, str]) -> None:
    """A run needs To and From, and parameters that are JSON."""
    answer = await call(sandbox, "POST", f"/v2/Flows/{REFUNDS}/Executions", form)
    assert (answer.status, answer.code) == (400, 20001)
    assert not sandbox.world.executions


async def test_a_run_can_only_be_ended(sandbox: Sandbox) -> None:
    """Any status but ``ended`` is refused, and the run goes on."""
    conversation = sandbox.open_conversation(webhooks=[WebhookSpec.studio(REFUNDS)])
    await sandbox.customer_says(conversation, "Refund")
    (execution,) = sandbox.world.executions.values()
    path = f"/v2/Flows/{REFUNDS}/Executions/{execution.sid}"
    assert (await call(sandbox, "POST", path, {"Status": "active"})).code == 20001
    assert statuses(sandbox) == ["active"]
