from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from router.errors import TwilioRefused, TwilioUncertain
from router.model.call import ConversationRef
from router.model.flow import FlowReader
from router.model.gateway import Gateway, Message
from router.model.webhook import ScopedWebhook, WebhookSpec
from tests.twilio.stub import (
    CH,
    CONVERSATION,
    FW,
    IS,
    WEBHOOKS,
    WH,
    Reply,
    Stub,
    error_json,
    page_json,
    webhook_json,
)
from tests.twilio.verbs import CREATED, OF_EXECUTIONS, OF_FLOWS, STUDIO, VERBS

if TYPE_CHECKING:
    from router.twilio.gateway import TwilioGateway


def as_gateway(gateway: Gateway) -> Gateway:
    """Let mypy hold the gateway to what the swap expects of it."""
    return gateway


def as_flow_reader(gateway: FlowReader) -> FlowReader:
    """Let mypy hold the gateway to what the check of flows expects of it."""
    return gateway


async def test_it_is_a_gateway(gateway: TwilioGateway) -> None:
    """It has every verb that the swap and the check of flows know, with the same arguments."""
    assert as_gateway(gateway) is gateway
    assert as_flow_reader(gateway) is gateway
    verbs = {name for name in (*vars(Gateway), *vars(FlowReader)) if not name.startswith("_")}
    assert verbs == VERBS.keys() - OF_EXECUTIONS | {"change_attributes"}


async def test_webhooks_are_listed_over_all_pages(stub: Stub, gateway: TwilioGateway, where: ConversationRef) -> None:
    """All pages are read, without the PageSize that a limit would ask for and Twilio not allow (WEBHOOK-PAGES)."""
    second = "WH" + "7" * 32
    next_page = f"https://conversations.twilio.com{WEBHOOKS}?PageSize=5&Page=1&PageToken=PT1"
    first = webhook_json(WH, url="https://bot.example/", method="POST", filters=["onMessageAdded"])
    stub.answers(
        Reply(page_json("webhooks", first, next_page_url=next_page)),
        Reply(page_json("webhooks", webhook_json(second, "trigger", triggers=["stop"]))),
    )
    assert await gateway.list_webhooks(where) == [
        ScopedWebhook(WH, WebhookSpec("webhook", "https://bot.example/", "POST", ("onMessageAdded",))),
        ScopedWebhook(second, WebhookSpec("trigger", triggers=("stop",))),
    ]
    assert [seen.target for seen in stub.seen] == [WEBHOOKS, f"{WEBHOOKS}?PageSize=5&Page=1&PageToken=PT1"]


async def test_a_studio_webhook_is_created(stub: Stub, gateway: TwilioGateway, where: ConversationRef) -> None:
    """Creation sends dotted names, and only those that are set (WEBHOOK-FORM)."""
    stub.answers(CREATED)
    assert await gateway.create_webhook(where, STUDIO) == ScopedWebhook(WH, STUDIO)
    (seen,) = stub.seen
    assert (seen.method, seen.target) == ("POST", WEBHOOKS)
    assert seen.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert seen.form == {
        "Target": ["studio"],
        "Configuration.Filters": ["onMessageAdded"],
        "Configuration.FlowSid": [FW],
    }


async def test_a_webhook_that_cannot_be_written_is_not_sent(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef
) -> None:
    """Half of a surrogate pair, which an escape of Twilio's may show, fits into no form."""
    with pytest.raises(TwilioUncertain, match="nothing was sent there"):
        await gateway.create_webhook(where, WebhookSpec("webhook", "https://bot.example/\ud83d"))
    assert stub.seen == []


@pytest.mark.parametrize("index", [0, 7])
async def test_a_replay_from_the_first_message_on_is_sent(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef, index: int
) -> None:
    """Index 0 is an index and not nothing (WEBHOOK-FORM)."""
    stub.answers(CREATED)
    await gateway.create_webhook(where, STUDIO, replay_after=index)
    assert stub.seen[0].form["Configuration.ReplayAfter"] == [str(index)]


async def test_a_removed_webhook_can_be_put_back(stub: Stub, gateway: TwilioGateway, where: ConversationRef) -> None:
    """What a list showed is what a creation sends: lists as repeated names, the method in small letters."""
    spec = WebhookSpec(
        "webhook", "https://bot.example/?a=b&c=ü", "POST", ("onMessageAdded", "onMessageUpdated"), ("x",)
    )
    stub.answers(Reply(webhook_json(url="https://bot.example/"), 201))
    await gateway.create_webhook(where, spec)
    assert stub.seen[0].form == {
        "Target": ["webhook"],
        "Configuration.Url": ["https://bot.example/?a=b&c=ü"],
        "Configuration.Method": ["post"],
        "Configuration.Filters": ["onMessageAdded", "onMessageUpdated"],
        "Configuration.Triggers": ["x"],
    }


async def test_a_studio_webhook_is_redirected(stub: Stub, gateway: TwilioGateway, where: ConversationRef) -> None:
    """An update names the flow and nothing else: neither target nor replay can be updated (WEBHOOK-METHODS)."""
    stub.answers(CREATED)
    assert (await gateway.redirect_webhook(where, WH, FW)).spec.flow == FW
    (seen,) = stub.seen
    assert (seen.method, seen.target) == ("POST", f"{WEBHOOKS}/{WH}")
    assert seen.form == {"Configuration.FlowSid": [FW]}


@pytest.mark.parametrize(("code", "told"), [(20404, 50360), (50360, 50360), (50350, 50350)])
async def test_what_is_not_found_when_redirecting_is_the_webhook(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef, code: int, told: int
) -> None:
    """Somebody removed it after we looked: that says nothing of the conversation, unless Twilio names that."""
    stub.answers(Reply(error_json(code, "not found", status=404), 404))
    with pytest.raises(TwilioRefused, match="not found") as refused:
        await gateway.redirect_webhook(where, WH, FW)
    assert (refused.value.code, refused.value.status) == (told, 404)


async def test_a_webhook_is_deleted(stub: Stub, gateway: TwilioGateway, where: ConversationRef) -> None:
    """A deletion is one request without a body."""
    stub.answers(Reply(status=204))
    await gateway.delete_webhook(where, WH)
    assert [(seen.method, seen.target, seen.body) for seen in stub.seen] == [("DELETE", f"{WEBHOOKS}/{WH}", "")]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(error_json(50360, status=404), 404),
        Reply(error_json(20404, status=404), 404),
        Reply(error_json(50360), 400),
        Reply(error_json(50350, status=404), 404),
    ],
)
async def test_deleting_what_is_gone_is_success(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef, reply: Reply
) -> None:
    """What was to be gone is gone, whoever removed it (ERROR-CODES)."""
    stub.answers(reply)
    await gateway.delete_webhook(where, WH)
    assert len(stub.seen) == 1


async def test_another_refusal_of_a_deletion_is_an_error(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef
) -> None:
    """A closed conversation keeps its webhooks, and we say so."""
    stub.answers(Reply(error_json(50377, "closed"), 400))
    with pytest.raises(TwilioRefused, match="delete_webhook: Twilio refused: closed"):
        await gateway.delete_webhook(where, WH)


async def test_the_newest_message_takes_one_request(stub: Stub, gateway: TwilioGateway, where: ConversationRef) -> None:
    """One page of one record, even where Twilio offers a next one."""
    found = {"sid": "IM1", "index": 4, "author": "+15550100", "participant_sid": "MB1"}
    next_page = f"https://conversations.twilio.com{CONVERSATION}/Messages?Page=1"
    stub.answers(Reply(page_json("messages", found, next_page_url=next_page)))
    assert await gateway.newest_message(where) == Message(4, "+15550100", "MB1")
    assert [seen.target for seen in stub.seen] == [f"{CONVERSATION}/Messages?Order=desc&PageSize=1"]


async def test_there_may_be_no_message_yet(stub: Stub, gateway: TwilioGateway, where: ConversationRef) -> None:
    """A conversation without messages is no error."""
    stub.answers(Reply(page_json("messages")))
    assert await gateway.newest_message(where) is None


async def test_attributes_are_fetched(stub: Stub, gateway: TwilioGateway, where: ConversationRef) -> None:
    """Attributes are a JSON text inside the JSON answer."""
    stub.answers(Reply({"sid": CH, "attributes": '{"crm": {"id": 7}}'}))
    assert await gateway.fetch_attributes(where) == {"crm": {"id": 7}}
    assert [(seen.method, seen.target) for seen in stub.seen] == [("GET", CONVERSATION)]


async def test_attributes_that_cannot_be_read_are_an_error(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef
) -> None:
    """A reader that gives ``{}`` instead would make the writer lose everything."""
    stub.answers(Reply({"sid": CH, "attributes": "not json"}))
    with pytest.raises(TwilioUncertain, match="are no JSON object; nothing was written"):
        await gateway.fetch_attributes(where)


async def test_attributes_are_written_as_a_whole_and_in_silence(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef
) -> None:
    """The write has no ``X-Twilio-Webhook-Enabled``, so that no flow and no agent is called for it (REST-EVENTS)."""
    stub.answers(Reply({"sid": CH, "attributes": "{}"}))
    await gateway.change_attributes(where, lambda _: {"a": "ü&=", "n": [0, None]}, {})
    (seen,) = stub.seen
    assert (seen.method, seen.target) == ("POST", CONVERSATION)
    assert json.loads(seen.form["Attributes"][0]) == {"a": "ü&=", "n": [0, None]}
    assert seen.form.keys() == {"Attributes"}
    assert "X-Twilio-Webhook-Enabled" not in seen.headers


async def test_attributes_that_are_too_long_are_not_sent(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef
) -> None:
    """Over 16 kB is refused here, with Twilio's code and without a request."""
    with pytest.raises(TwilioRefused) as caught:
        await gateway.change_attributes(where, lambda _: {"a": "x" * 16384}, {})
    assert (caught.value.code, stub.seen) == (50303, [])


ODD = ["", "CH1", CH.lower(), CH + "/../x", CH + "?y=1", CH + "\n", "CH" + "g" * 32, "CH" + "\u0663" * 32]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("verb", sorted(VERBS.keys() - OF_FLOWS - OF_EXECUTIONS))
async def test_odd_conversations_never_reach_a_path(stub: Stub, gateway: TwilioGateway, verb: str, odd: str) -> None:
    """The SDK puts SIDs into the path unescaped and unchecked (SDK-PATH): here each one is matched in full first."""
    act, _ = VERBS[verb]
    for where in (ConversationRef(IS, odd), ConversationRef(odd.replace("CH", "IS"), CH)):
        with pytest.raises(ValueError, match="32 hex digits"):
            await act(gateway, where)
    assert stub.seen == []


@pytest.mark.parametrize("odd", [text.replace("CH", "WH") for text in ODD])
async def test_odd_webhooks_and_flows_never_reach_a_request(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef, odd: str
) -> None:
    """Webhook SIDs stand in the path, Flow SIDs decide who answers: both are matched in full (SDK-PATH)."""
    with pytest.raises(ValueError, match="32 hex digits"):
        await gateway.delete_webhook(where, odd)
    with pytest.raises(ValueError, match="32 hex digits"):
        await gateway.redirect_webhook(where, odd, FW)
    with pytest.raises(ValueError, match="32 hex digits"):
        await gateway.redirect_webhook(where, WH, odd.replace("WH", "FW"))
    assert stub.seen == []
