from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from router.model.webhook import MESSAGE_ADDED, WebhookSpec
from tests.oai import Description, Misfit, descriptions_folder
from tests.twilio.sdk import recording_client
from tests.twilio.stub import AC, CH, CONVERSATION, FW, IS, WEBHOOKS, WH, Reply, Seen, Stub, page_json, webhook_json

if TYPE_CHECKING:
    from router.model.call import ConversationRef
    from router.twilio.gateway import TwilioGateway

PAGE_TWO = f"https://conversations.twilio.com{WEBHOOKS}?PageSize=5&Page=1&PageToken=PT1"
SPECS = [
    WebhookSpec.studio(FW),
    WebhookSpec("webhook", "https://bot.example/", "POST", (MESSAGE_ADDED, "onMessageUpdated")),
    WebhookSpec("webhook", "https://bot.example/", "get"),
    WebhookSpec("trigger", "https://bot.example/", "GET", (MESSAGE_ADDED,), ("stop", "help")),
]


@pytest.fixture
def description() -> Description:
    return Description.load(descriptions_folder(), "conversations_v1")


def answer(seen: Seen) -> Reply:
    """Answer any request of the gateway well; a list of webhooks has two pages."""
    path, _, query = seen.target.partition("?")
    if path.endswith("/Messages"):
        return Reply(page_json("messages", {"index": 3, "author": "a", "participant_sid": "MB"}))
    if seen.method == "GET" and path == WEBHOOKS:
        return Reply(page_json("webhooks", webhook_json(), next_page_url=None if query else PAGE_TWO))
    if seen.method == "DELETE":
        return Reply(status=204)
    return Reply({"attributes": "{}"} if path == CONVERSATION else webhook_json(), 201)


def check(description: Description, seen: Seen) -> None:
    parts = urlsplit(seen.target)
    query = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    description.check_request(seen.method, parts.path, query, seen.form)


async def test_every_request_of_the_gateway_is_described(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef, description: Description
) -> None:
    """Path, query and form of each request that the gateway can make fit Twilio's own API description."""
    stub.rule = answer
    await gateway.list_webhooks(where)
    for spec in SPECS:
        await gateway.create_webhook(where, spec)
    await gateway.create_webhook(where, SPECS[0], replay_after=0)
    await gateway.redirect_webhook(where, WH, FW)
    await gateway.delete_webhook(where, WH)
    await gateway.newest_message(where)
    await gateway.fetch_attributes(where)
    await gateway.change_attributes(where, lambda _: {"handover": {"intent": "refund"}}, {})
    for seen in stub.seen:
        check(description, seen)
    assert len(stub.seen) == 12


def test_the_limit_that_the_sdk_would_send_is_not_described(description: Description) -> None:
    """The SDK makes ``limit=20`` into a PageSize above the largest of 5 (WEBHOOK-PAGES); the measure sees that."""
    client, recorder = recording_client((AC, "t"), json.dumps(page_json("webhooks")))
    client.conversations.v1.services(IS).conversations(CH).webhooks.list(limit=20)
    (sent,) = recorder.sent
    assert sent.url.endswith("?PageSize=20")
    parts = urlsplit(sent.url)
    with pytest.raises(Misfit, match="PageSize"):
        description.check_request(sent.method, parts.path, parse_qs(parts.query), {})


async def test_the_sdk_sends_the_webhook_header_only_where_it_is_asked_to(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef
) -> None:
    """The header that calls webhooks for a write exists on conversations, and only we do not use it (REST-EVENTS)."""
    client, recorder = recording_client((AC, "t"), "{}")
    client.conversations.v1.services(IS).conversations(CH).update(attributes="{}", x_twilio_webhook_enabled="true")
    assert recorder.sent[0].headers["X-Twilio-Webhook-Enabled"] == "true"
    stub.rule = answer
    await gateway.change_attributes(where, dict, {})
    assert "X-Twilio-Webhook-Enabled" not in stub.seen[0].headers
