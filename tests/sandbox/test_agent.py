from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING

import aiohttp

from router.model.webhook import WebhookSpec
from router.sandbox.agent import AUTHOR, ScriptedAgent
from router.sandbox.choosing import APOLOGY, SMALL_TALK, ToolOffer
from router.sandbox.faults import Fault
from router.serving import serving
from router.twilio.signatures import SignatureCheck
from tests.sandbox.receiver import Receiver, receiving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from router.sandbox.sandbox import Sandbox
    from router.sandbox.world import Conversation


def offer(url: str, method: str = "POST") -> ToolOffer:
    return ToolOffer(
        "Support", "For refunds and bills.", url, method, intents={"refund": ["money back"], "billing": ["bill"]}
    )


@contextlib.asynccontextmanager
async def agent_beside(sandbox: Sandbox, *tools: ToolOffer) -> AsyncIterator[ScriptedAgent]:
    agent = ScriptedAgent(
        tools=tools,
        twilio_url=sandbox.url,
        account_sid=sandbox.account_sid,
        auth_token=sandbox.auth_token,
    )
    async with serving(agent.app) as url:
        sandbox.hosts["support-agent.twil.io"] = url
        yield agent


def agent_said(conversation: Conversation) -> list[str]:
    return [message.body for message in conversation.messages if message.author == AUTHOR]


def is_signed(sandbox: Sandbox, url: str, tool: Receiver) -> bool:
    (call,) = tool.received
    body = call.body if call.method == "POST" else None
    check = SignatureCheck((sandbox.auth_token,))
    return check.passes(url=url, params={}, body=body, signature=call.headers["x-twilio-signature"])


async def test_the_agent_calls_the_tool_and_closes(sandbox: Sandbox) -> None:
    """A customer's wish becomes a signed JSON call with session and identity, and its answer the agent's last word."""
    async with receiving("Our refunds desk takes over now.") as tool:
        async with agent_beside(sandbox, offer(f"{tool.url}/tools/support?a=%20b")) as agent:
            conversation = sandbox.open_conversation(agent_url=agent.webhook_url)
            await sandbox.customer_says(conversation, "I want my money back")
            await agent.settled()
        (call,) = tool.received
        assert json.loads(call.body) == {"intent": "refund"}
        assert call.headers["content-type"] == "application/json"
        assert call.headers["x-session-id"] == conversation.session
        assert call.headers["x-identity"] == "whatsapp:+15550100"
        assert call.query == f"a=%20b&bodySHA256={hashlib.sha256(call.body).hexdigest()}"
        assert is_signed(sandbox, f"{tool.url}/tools/support?{call.query}", tool)
    assert agent_said(conversation) == ["Thank you. Our refunds desk takes over now."]
    (use,) = agent.uses
    assert (use.tool, use.intent, use.status, use.answer) == (
        "Support",
        "refund",
        200,
        "Our refunds desk takes over now.",
    )
    assert 0 < use.seconds < 5
    assert not agent.problems


async def test_a_get_tool_is_called_by_its_url(sandbox: Sandbox) -> None:
    """With GET the inputs are in the query, there is no body and no hash; an SMS author becomes a user id."""
    async with receiving("Done.") as tool, agent_beside(sandbox, offer(f"{tool.url}/t?a=1", "GET")) as agent:
        conversation = sandbox.open_conversation(customer="+15550100", agent_url=agent.webhook_url)
        await sandbox.customer_says(conversation, "My bill")
        await agent.settled()
        (call,) = tool.received
        assert (call.method, call.query, call.body) == ("GET", "a=1&intent=billing", b"")
        assert call.headers["x-identity"] == "user_id:+15550100"
        assert is_signed(sandbox, f"{tool.url}/t?a=1&intent=billing", tool)


async def test_a_tool_without_intents_gets_an_empty_object(sandbox: Sandbox) -> None:
    """The published recipe's tool is called with ``{}``, or with GET at its bare URL."""
    async with receiving("Done.") as tool:
        tools = [
            ToolOffer("Cancel", "To cancel an order.", f"{tool.url}/post"),
            ToolOffer("Track", "To track a parcel.", f"{tool.url}/get", "GET"),
        ]
        async with agent_beside(sandbox, *tools) as agent:
            conversation = sandbox.open_conversation(agent_url=agent.webhook_url)
            for text in ("Cancel it", "Where is my parcel"):
                await sandbox.customer_says(conversation, text)
                await agent.settled()
        assert [(call.path, call.body) for call in tool.received] == [("/post", b"{}"), ("/get", b"")]
        assert tool.received[1].query == ""
    assert [use.intent for use in agent.uses] == ["", ""]


async def test_the_agent_keeps_silent_beside_studio(sandbox: Sandbox) -> None:
    """Where a studio webhook is attached the agent says nothing, also where it is set on the service."""
    async with agent_beside(sandbox) as agent:
        flow = next(iter(sandbox.world.flows))
        conversation = sandbox.open_conversation(service_url=agent.webhook_url)
        await sandbox.customer_says(conversation, "Hello")
        await agent.settled()
        assert agent_said(conversation) == [SMALL_TALK]
        sandbox.world.add_webhook(conversation, WebhookSpec.studio(flow))
        await sandbox.customer_says(conversation, "Hello again")
        await agent.settled()
    assert agent_said(conversation) == [SMALL_TALK]
    assert [found.status for found in sandbox.deliveries] == [200, 200]


async def test_the_agent_says_nothing_after_already(sandbox: Sandbox) -> None:
    """A tool that says that all is done already ends the agent's turn without a word."""
    async with (
        receiving("This conversation is already handed over.") as tool,
        agent_beside(sandbox, offer(tool.url)) as agent,
    ):
        conversation = sandbox.open_conversation(agent_url=agent.webhook_url)
        await sandbox.customer_says(conversation, "Money back")
        await agent.settled()
    assert len(agent.uses) == 1
    assert not agent_said(conversation)


async def test_a_broken_tool_brings_an_apology(sandbox: Sandbox) -> None:
    """A tool that is not there, or answers with an error, is recorded, and the customer hears an apology."""
    async with receiving("Internal Server Error", status=500) as tool:
        for url, status in (("http://127.0.0.1:1/", 0), (tool.url, 500)):
            async with agent_beside(sandbox, offer(url)) as agent:
                conversation = sandbox.open_conversation(agent_url=agent.webhook_url)
                await sandbox.customer_says(conversation, "Money back")
                await agent.settled()
            assert agent_said(conversation) == [APOLOGY]
            assert [use.status for use in agent.uses] == [status]


async def test_strangers_are_not_heard(sandbox: Sandbox) -> None:
    """A message that the account did not sign for this URL is answered 403 and changes nothing."""
    async with agent_beside(sandbox) as agent:
        conversation = sandbox.open_conversation()
        form = {"ChatServiceSid": conversation.service.sid, "ConversationSid": conversation.sid, "Body": "Hello"}
        url = agent.webhook_url.replace("https://support-agent.twil.io", sandbox.hosts["support-agent.twil.io"])
        for headers in ({}, {"X-Twilio-Signature": "wrong"}):
            async with aiohttp.ClientSession() as session, session.post(url, data=form, headers=headers) as answer:
                assert answer.status == 403
        await agent.settled()
    assert not agent_said(conversation)


async def test_trouble_with_twilio_is_recorded(sandbox: Sandbox) -> None:
    """Where Twilio refuses the agent's own requests, the agent says so in ``problems`` and lives on."""
    async with agent_beside(sandbox) as agent:
        conversation = sandbox.open_conversation(agent_url=agent.webhook_url + "?x=1")
        for path in ("*/Webhooks", "*/Messages"):
            sandbox.faults.add(Fault("server_error", path=path))
            await sandbox.customer_says(conversation, "Hello")
            await agent.settled()
        await sandbox.customer_says(conversation, "Hello")
        await agent.settled()
    assert [problem.partition(":")[0] for problem in agent.problems] == ["ClientResponseError"] * 2
    assert agent_said(conversation) == [SMALL_TALK]
