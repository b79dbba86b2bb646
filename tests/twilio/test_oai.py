from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from router.model.webhook import MESSAGE_ADDED, WebhookSpec
from tests.oai import Description, Misfit, descriptions_folder
from tests.twilio.stub import CONVERSATION, FW, WEBHOOKS, WH, Reply, Seen, Stub, page_json, webhook_json

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


async def test_the_limit_that_the_sdk_would_send_is_not_described(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef, description: Description
) -> None:
    """The SDK makes ``limit=20`` into a PageSize above the largest of 5 (WEBHOOK-PAGES); the measure sees that."""
    stub.rule = answer
    webhooks = gateway._at(where).webhooks
    await webhooks.list_async(limit=20)
    assert stub.seen[0].target.endswith("?PageSize=20")
    with pytest.raises(Misfit, match="PageSize"):
        check(description, stub.seen[0])


async def test_the_sdk_sends_the_webhook_header_only_where_it_is_asked_to(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef
) -> None:
    """The header that calls webhooks for a write exists on conversations, and only we do not use it (REST-EVENTS)."""
    stub.rule = answer
    there = gateway._at(where)
    await there.update_async(attributes="{}", x_twilio_webhook_enabled="true")
    await gateway.change_attributes(where, dict, {})
    assert [seen.headers.get("X-Twilio-Webhook-Enabled") for seen in stub.seen] == ["true", None]
