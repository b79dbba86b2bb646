from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.model.webhook import Target, WebhookSpec
from router.sandbox.control import CUSTOMER
from router.sandbox.sandbox import Responder, Sandbox
from router.twilio.signatures import SignatureCheck
from tests.fixtures import running_sandbox
from tests.sandbox.client import call, path_of
from tests.sandbox.receiver import Received, receiving

if TYPE_CHECKING:
    from collections.abc import Sequence

AGENT = "https://support-agent.twil.io/channels/conversations/messageAdded"
HOST = "support-agent.twil.io"


def is_signed(sandbox: Sandbox, url: str, received: Received) -> bool:
    """Say whether the account signed the request over ``url`` and its form."""
    signature = received.headers["x-twilio-signature"]
    check = SignatureCheck((sandbox.auth_token,))
    return check.passes(url=url, params=received.form, body=None, signature=signature)


def kinds(found: Sequence[Received]) -> list[str]:
    return [request.one("EventType") for request in found]


async def test_a_message_reaches_the_agent_signed() -> None:
    """The agent's webhook gets a form signed over the URL that Twilio knows, at the server that stands for its host."""
    async with receiving() as agent:
        sandbox = Sandbox(hosts={HOST: agent.url})
        conversation = sandbox.open_conversation(agent_url=AGENT + "?a=%20b")
        message = await sandbox.customer_says(conversation, "Hello & goodbye")
    (received,) = agent.received
    assert (received.method, received.path, received.query) == (
        "POST",
        "/channels/conversations/messageAdded",
        "a=%20b",
    )
    assert is_signed(sandbox, AGENT + "?a=%20b", received)
    assert not is_signed(sandbox, agent.url, received)
    assert {name: values[0] for name, values in received.form.items()} == {
        "AccountSid": sandbox.account_sid,
        "EventType": "onMessageAdded",
        "Source": "WHATSAPP",
        "ConversationSid": conversation.sid,
        "ChatServiceSid": conversation.service.sid,
        "MessagingServiceSid": conversation.service.messaging_sid,
        "MessageSid": message.sid,
        "Index": "0",
        "Author": CUSTOMER,
        "Body": "Hello & goodbye",
        "ParticipantSid": conversation.customer.sid,
        "Attributes": "{}",
        "DateCreated": received.one("DateCreated"),
    }
    (delivery,) = sandbox.deliveries
    assert (delivery.url, delivery.status, delivery.error) == (AGENT + "?a=%20b", 200, "")


@pytest.mark.parametrize("url", ["{}/in", "{}/in?a=1"])
async def test_a_get_webhook_carries_its_fields_in_the_query(url: str) -> None:
    """With the method GET the fields are in the query, and the signature is over the whole URL."""
    async with receiving() as audit:
        sandbox = Sandbox()
        spec = WebhookSpec(target=Target.WEBHOOK, url=url.format(audit.url), method="get")
        await sandbox.customer_says(sandbox.open_conversation(customer="+15550100", webhooks=[spec]), "Hello")
    (received,) = audit.received
    assert received.method == "GET"
    assert "Source=SMS" in received.query
    assert is_signed(sandbox, f"{audit.url}{received.path}?{received.query}", received)


async def test_filters_and_keywords_decide_who_is_told() -> None:
    """A webhook without filters gets messages, one for other events does not; a trigger waits for its keyword."""
    async with receiving() as audit:
        sandbox = Sandbox()
        hooks = [
            WebhookSpec(target=Target.WEBHOOK, url=f"{audit.url}/all", method="POST"),
            WebhookSpec(
                target=Target.WEBHOOK, url=f"{audit.url}/updates", method="POST", filters=("onMessageUpdated",)
            ),
            WebhookSpec(target=Target.TRIGGER, url=f"{audit.url}/stop", method="POST", triggers=("stop", "halt")),
        ]
        conversation = sandbox.open_conversation(webhooks=hooks)
        await sandbox.customer_says(conversation, "Go on")
        await sandbox.customer_says(conversation, "Please STOP")
    assert sorted(received.path for received in audit.received) == ["/all", "/all", "/stop"]


async def test_a_studio_webhook_for_other_events_hears_no_messages() -> None:
    """A studio webhook whose filters leave messages out starts nothing."""
    sandbox = Sandbox()
    spec = WebhookSpec(target=Target.STUDIO, flow=next(iter(sandbox.world.flows)), filters=("onMessageUpdated",))
    await sandbox.customer_says(sandbox.open_conversation(webhooks=[spec]), "Hello")
    assert not sandbox.world.executions


async def test_the_service_has_a_webhook_too() -> None:
    """The service's post-event webhook gets the messages of its conversations, whatever is scoped to them."""
    async with receiving() as agent:
        sandbox = Sandbox()
        conversation = sandbox.open_conversation(service_url=f"{agent.url}/service", agent_url=f"{agent.url}/scoped")
        await sandbox.customer_says(conversation, "Hello")
    assert sorted(received.path for received in agent.received) == ["/scoped", "/service"]


async def test_a_slow_webhook_is_given_up() -> None:
    """A webhook that takes longer than Twilio waits is noted as a failure; the message stays."""
    async with receiving(holds=True) as agent:
        sandbox = Sandbox(patience=0.2)
        conversation = sandbox.open_conversation(agent_url=agent.url)
        await sandbox.customer_says(conversation, "Hello")
        assert [(found.status, found.error) for found in sandbox.deliveries] == [(0, "TimeoutError")]
        assert len(conversation.messages) == 1


async def test_a_webhook_that_is_not_there_is_noted() -> None:
    """A refused connection is a failed delivery, and others are told all the same."""
    async with receiving(status=500) as audit:
        sandbox = Sandbox()
        conversation = sandbox.open_conversation(agent_url="http://127.0.0.1:1/in", service_url=audit.url)
        await sandbox.customer_says(conversation, "Hello")
    assert {(found.status, bool(found.error)) for found in sandbox.deliveries} == {(0, True), (500, False)}


async def test_rest_writes_are_silent_unless_asked(sandbox: Sandbox) -> None:
    """Only ``X-Twilio-Webhook-Enabled: true`` makes a write by REST an event."""
    async with receiving() as audit:
        spec = WebhookSpec(target=Target.WEBHOOK, url=audit.url, method="POST")
        conversation = sandbox.open_conversation(service_url=f"{audit.url}/service", webhooks=[spec])
        base = f"/v1/Services/{conversation.service.sid}/Conversations"
        for loud in (False, True):
            await call(sandbox, "POST", base, {}, loud=loud)
            await call(sandbox, "POST", path_of(conversation, "Messages"), {"Body": "Hello"}, loud=loud)
            await call(sandbox, "POST", path_of(conversation, "Participants"), {"Identity": "x"}, loud=loud)
            state = {"State": "inactive" if loud else "active"}
            await call(sandbox, "POST", path_of(conversation), state, loud=loud)
            await call(sandbox, "DELETE", path_of(conversation), loud=loud) if loud else None
            await sandbox.settled()
            assert bool(audit.received) is loud
    scoped = [received for received in audit.received if received.path == "/"]
    assert sorted(kinds(scoped)) == [
        "onConversationRemoved",
        "onConversationStateUpdated",
        "onConversationUpdated",
        "onMessageAdded",
        "onParticipantAdded",
    ]
    of_service = [received for received in audit.received if received.path == "/service"]
    assert sorted(kinds(of_service)) == sorted([*kinds(scoped), "onConversationAdded"])
    states = next(received for received in scoped if received.one("EventType") == "onConversationStateUpdated")
    assert (states.one("StateFrom"), states.one("StateTo"), states.one("Source")) == ("active", "inactive", "API")


async def test_messages_by_identity_come_from_the_sdk(sandbox: Sandbox) -> None:
    """The source of a message follows from its author: an identity is a chat client."""
    async with receiving() as audit:
        spec = WebhookSpec(target=Target.WEBHOOK, url=audit.url, method="POST")
        path = path_of(sandbox.open_conversation(webhooks=[spec]), "Messages")
        await call(sandbox, "POST", path, {"Author": "worker", "Body": "Hello"}, loud=True)
        await sandbox.settled()
    assert [received.one("Source") for received in audit.received] == ["SDK"]


async def test_a_webhook_can_be_replayed_too(sandbox: Sandbox) -> None:
    """``ReplayAfter`` brings a target ``webhook`` the earlier messages, one by one, if its filters want them."""
    async with receiving() as audit:
        conversation = sandbox.open_conversation()
        for body in ("one", "two"):
            await sandbox.customer_says(conversation, body)
        form = {"Target": "webhook", "Configuration.Url": audit.url, "Configuration.ReplayAfter": "0"}
        for filters in ("onMessageAdded", "onMessageUpdated"):
            await call(sandbox, "POST", path_of(conversation, "Webhooks"), {**form, "Configuration.Filters": filters})
        await sandbox.settled()
    assert [received.one("Body") for received in audit.received] == ["one", "two"]


async def test_events_under_way_end_with_the_server() -> None:
    """Stopping the sandbox does not wait for a webhook that takes its time."""
    async with receiving(holds=True) as audit:
        async with running_sandbox() as sandbox:
            spec = WebhookSpec(target=Target.WEBHOOK, url=audit.url, method="POST")
            path = path_of(sandbox.open_conversation(webhooks=[spec]), "Messages")
            await call(sandbox, "POST", path, {"Body": "Hello"}, loud=True)
            await audit.reached.wait()
        assert not sandbox.deliveries


async def test_responders_are_who_would_answer() -> None:
    """Studio and the agent's own webhooks are responders, others are not; on the service the agent gives way."""
    sandbox = Sandbox()
    flow = next(iter(sandbox.world.flows))
    audit = WebhookSpec(target=Target.WEBHOOK, url="https://audit.example/", method="POST")
    trigger = WebhookSpec(target=Target.TRIGGER, url=AGENT, method="POST", triggers=("x",))
    scoped = sandbox.open_conversation(agent_url=AGENT, webhooks=[audit, trigger])
    assert sandbox.responders(scoped) == (Responder("agent", AGENT, scoped.webhooks[0].sid),)
    studio = sandbox.world.add_webhook(scoped, WebhookSpec.studio(flow))
    assert sandbox.responders(scoped)[1:] == (Responder("studio", flow, studio.sid),)
    on_service = sandbox.open_conversation(service_url=AGENT)
    assert sandbox.responders(on_service) == (Responder("agent", AGENT),)
    sandbox.world.add_webhook(on_service, WebhookSpec.studio(flow))
    assert [found.kind for found in sandbox.responders(on_service)] == ["studio"]


def test_the_seed_decides_the_account() -> None:
    """The same seed gives the same account, no seed another one every time, and SIDs have their form."""
    assert Sandbox().account_sid == Sandbox().account_sid
    assert Sandbox(seed=None).auth_token != Sandbox(seed=None).auth_token
    conversation = Sandbox().open_conversation()
    assert conversation.session == f"webhook:conversations__{conversation.ref.service}/{conversation.ref.sid}"
    assert len(conversation.sid) == 34


def test_a_flow_that_cannot_be_played_stops_the_sandbox() -> None:
    """A definition that the interpreter does not know is refused when the sandbox is made."""
    with pytest.raises(ValueError, match="flow FW1: expected an exported Studio Flow"):
        Sandbox(flows={"FW1": {}})


@pytest.mark.parametrize("url", ["https://agent.example.com/in", "https://203.0.113.7/in"])
async def test_nothing_leaves_this_machine(url: str) -> None:
    """A webhook elsewhere is noted as not called: what a sandbox plays must not reach a real agent."""
    sandbox = Sandbox()
    conversation = sandbox.open_conversation(agent_url=url)
    await sandbox.customer_says(conversation, "Hello")
    assert [(found.url, found.status, found.error) for found in sandbox.deliveries] == [(url, 0, "not on this machine")]


async def test_this_machine_has_a_name() -> None:
    """``localhost`` is called like any loopback address."""
    async with receiving() as agent:
        sandbox = Sandbox()
        url = agent.url.replace("127.0.0.1", "localhost")
        await sandbox.customer_says(sandbox.open_conversation(agent_url=url), "Hello")
        assert [found.status for found in sandbox.deliveries] == [200]
