from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from router.clock import Clock
from router.model.webhook import ROOM, Target, WebhookSpec
from router.sandbox.executions import AUTHOR
from router.sandbox.flows import shipped_flows
from router.sandbox.sandbox import Sandbox
from router.twilio.signatures import SignatureCheck
from tests.fixtures import running_sandbox
from tests.sandbox.client import call
from tests.sandbox.receiver import receiving
from tests.sandbox.test_studio import flow, state

if TYPE_CHECKING:
    from router.sandbox.world import Conversation, Execution

REFUNDS = next(iter(shipped_flows()))
HOST = "handover.example.com"
URL = f"https://{HOST}/-/hand-back"


def asking(**properties: Any) -> dict[str, dict[str, Any]]:
    """Give a flow that asks, says what came of it, and ends."""
    said = "{{widgets.ask.status_code}} {{widgets.ask.parsed.outcome}}"
    transitions = [{"event": "success", "next": "good"}, {"event": "failed", "next": "bad"}]
    return {
        REFUNDS: flow(
            state("ask", "make-http-request", transitions, **{"method": "POST", "url": URL, **properties}),
            state("good", "send-message", [], body=f"good {said}"),
            state("bad", "send-message", [], body=f"bad {said}"),
            first="ask",
        )
    }


def said(conversation: Conversation) -> list[str]:
    return [message.body for message in conversation.messages if message.author == AUTHOR]


async def begin(sandbox: Sandbox) -> tuple[Conversation, Execution]:
    """Let a customer start the flow."""
    conversation = sandbox.open_conversation(webhooks=[WebhookSpec.studio(REFUNDS)])
    await sandbox.customer_says(conversation, "Hello")
    (execution,) = sandbox.world.executions.values()
    return conversation, execution


async def test_a_flow_asks_with_a_signed_form() -> None:
    """The request goes to the server that stands for its host, signed over the URL that Twilio knows."""
    pairs = [{"key": "execution", "value": "{{flow.sid}}"}, {"key": "twice", "value": "a"}]
    content_type = "application/x-www-form-urlencoded;charset=utf-8"
    async with receiving("fine") as router:
        sandbox = Sandbox(
            flows=asking(parameters=pairs, body="twice=b", content_type=content_type), hosts={HOST: router.url}
        )
        conversation, execution = await begin(sandbox)
        await sandbox.settled()
    (received,) = router.received
    assert (received.method, received.path, received.query) == ("POST", "/-/hand-back", "")
    assert received.form == {"execution": [execution.sid], "twice": ["b", "a"]}
    assert received.headers["content-type"] == content_type
    check, signature = SignatureCheck((sandbox.auth_token,)), received.headers["x-twilio-signature"]
    assert check.passes(url=URL, params=received.form, body=None, signature=signature)
    assert not check.passes(url=URL, params={}, body=None, signature=signature)
    assert said(conversation) == ["good 200 "]
    assert [(found.event, found.url, found.status) for found in sandbox.deliveries] == [("make-http-request", URL, 200)]


@pytest.mark.parametrize(("url", "before"), [(URL, ""), (f"{URL}?a=1", "a=1&")])
async def test_a_flow_asks_with_json_whose_hash_is_signed(url: str, before: str) -> None:
    """The body's hash stands in the URL, and the signature covers it (BODY-HASH, MAKE-REQUEST-SIGNATURE)."""
    async with receiving() as router:
        body = '{"conversation": "{{trigger.conversation.ConversationSid}}"}'
        flows = asking(url=url, body=body, content_type="application/json")
        sandbox = Sandbox(flows=flows, hosts={HOST: router.url})
        conversation, _ = await begin(sandbox)
        await sandbox.settled()
    (received,) = router.received
    assert json.loads(received.body) == {"conversation": conversation.sid}
    assert received.query == f"{before}bodySHA256={hashlib.sha256(received.body).hexdigest()}"
    called = f"{URL}?{received.query}"
    check, signature = SignatureCheck((sandbox.auth_token,)), received.headers["x-twilio-signature"]
    assert check.passes(url=called, params={}, body=received.body, signature=signature)


async def test_a_flow_reads_by_get() -> None:
    """A GET has no body, and is signed by its URL alone."""
    async with receiving() as router:
        sandbox = Sandbox(flows=asking(method="GET", url=f"{router.url}/x"))
        await begin(sandbox)
        await sandbox.settled()
    (received,) = router.received
    assert (received.method, received.body) == ("GET", b"")
    check, signature = SignatureCheck((sandbox.auth_token,)), received.headers["x-twilio-signature"]
    assert check.passes(url=f"{router.url}/x", params={}, body=None, signature=signature)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        (URL, "not on this machine"),
        ("{{nothing}}", "not on this machine"),
        ("http://[", "not a URL"),
        ("http://127.0.0.1:1/x", "ClientConnectorError"),
    ],
)
async def test_a_request_that_reaches_nobody_has_failed(url: str, error: str) -> None:
    """The flow goes on by its other transition, and nothing leaves this machine."""
    sandbox = Sandbox(flows=asking(url=url))
    conversation, _ = await begin(sandbox)
    await sandbox.settled()
    assert said(conversation) == ["bad  "]
    assert [found.error for found in sandbox.deliveries] == [error]


async def test_a_request_is_given_up_in_time() -> None:
    """An answer that does not come is a failure."""
    async with receiving(holds=True) as router:
        sandbox = Sandbox(flows=asking(url=router.url), widget_patience=0.1)
        conversation, _ = await begin(sandbox)
        await sandbox.settled()
    assert said(conversation) == ["bad  "]


async def test_a_run_that_asks_takes_no_message() -> None:
    """While the answer is awaited the run is active, and what the customer writes goes nowhere."""
    async with receiving(holds=True) as router:
        sandbox = Sandbox(flows=asking(url=router.url))
        conversation, execution = await begin(sandbox)
        await router.reached.wait()
        await sandbox.customer_says(conversation, "Are you there?")
        assert (execution.status, said(conversation)) == ("active", [])
        router.released.set()
        await sandbox.settled()
    assert (execution.status, said(conversation)) == ("ended", ["good 200 "])
    assert len(sandbox.world.executions) == 1


async def test_a_run_that_was_ended_meanwhile_says_nothing_more() -> None:
    """The answer to its request comes too late for a run that REST ended; it is cleaned up once."""
    async with receiving(holds=True) as router, running_sandbox(flows=asking(url=router.url)) as sandbox:
        conversation, execution = await begin(sandbox)
        await router.reached.wait()
        await call(sandbox, "POST", f"/v2/Flows/{REFUNDS}/Executions/{execution.sid}", {"Status": "ended"})
        assert conversation.webhooks == []
        router.released.set()
        await sandbox.settled()
        assert (said(conversation), conversation.webhooks) == ([], [])


@pytest.mark.parametrize("room", [True, False])
@pytest.mark.parametrize("by_rest", [True, False])
async def test_a_webhook_is_put_back_after_the_end_was_seen(*, by_rest: bool, room: bool) -> None:
    """With ``put_back_delay`` the run has ended, and its webhook comes back only then, if there is room (PUT-BACK)."""
    pauses: list[float] = []
    asleep, go = asyncio.Event(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        asleep.set()
        await go.wait()

    async with (
        receiving(holds=True) as router,
        running_sandbox(flows=asking(url=router.url), put_back_delay=3.0, clock=Clock(sleep=sleep)) as sandbox,
    ):
        conversation, execution = await begin(sandbox)
        await router.reached.wait()
        conversation.webhooks.clear()
        if by_rest:
            await call(sandbox, "POST", f"/v2/Flows/{REFUNDS}/Executions/{execution.sid}", {"Status": "ended"})
        router.released.set()
        await asleep.wait()
        assert (execution.status, conversation.webhooks, pauses) == ("ended", [], [3.0])
        for _ in range(0 if room else ROOM):
            sandbox.world.add_webhook(conversation, WebhookSpec(target=Target.TRIGGER, triggers=("x",)))
        go.set()
        await sandbox.settled()
        assert [found.spec.flow for found in conversation.studio_webhooks] == ([REFUNDS] if room else [])


async def test_a_request_under_way_ends_with_the_sandbox() -> None:
    """Stopping the sandbox does not wait for an answer."""
    async with receiving(holds=True) as router:
        async with running_sandbox(flows=asking(url=router.url)) as sandbox:
            conversation, _ = await begin(sandbox)
            await router.reached.wait()
        assert said(conversation) == []
