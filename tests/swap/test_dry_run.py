"""What a plugin asks in a dry run: it reads what is there, and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.errors import TwilioRefused
from router.model.call import ConversationRef
from router.model.target import Target
from router.model.webhook import WebhookSpec
from router.swap.dry_run import Idle, ReadOnly
from router.swap.passing import PassedOn
from router.twilio.credentials import Credentials
from router.twilio.gateway import TwilioGateway
from tests.hooks.kit import HANDOVER
from tests.kit import BILLING, REFUNDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from router.model.handover import Handover
    from router.model.twilio import Twilio
    from router.sandbox.sandbox import Sandbox


@pytest.fixture
async def rehearsed(sandbox: Sandbox) -> AsyncIterator[Twilio]:
    async with TwilioGateway(Credentials(sandbox.account_sid, sandbox.auth_token), base_url=sandbox.url) as gateway:
        yield ReadOnly(gateway)


async def test_a_plugin_reads_what_is_there(sandbox: Sandbox, rehearsed: Twilio) -> None:
    """A GET reaches Twilio, with its query, and Twilio's refusals are felt."""
    conversation = sandbox.open_conversation()
    for body in ("Hello", "My lamp is broken."):
        sandbox.world.add_message(conversation, author="assistant", body=body)
    url = f"https://conversations.twilio.com/v1/Services/{conversation.service.sid}/Conversations/{conversation.sid}"
    page = await rehearsed.request("GET", f"{url}/Messages", query={"Order": "desc", "PageSize": "1"})
    assert [message["body"] for message in page["messages"]] == ["My lamp is broken."]
    with pytest.raises(TwilioRefused):
        await rehearsed.request("GET", f"{url}/Nothing")


async def test_a_plugin_changes_nothing(sandbox: Sandbox, rehearsed: Twilio) -> None:
    """A POST and a DELETE are answered, and no request leaves; one that cannot be right is refused as always."""
    conversation = sandbox.open_conversation()
    url = f"https://conversations.twilio.com/v1/Services/{conversation.service.sid}/Conversations/{conversation.sid}"
    assert await rehearsed.request("POST", f"{url}/Messages", form={"Body": "Hello"}) == {}
    assert await rehearsed.request("DELETE", url) is None
    with pytest.raises(ValueError, match="begins with https://NAME"):
        await rehearsed.request("POST", "https://evil.example/", form={"Body": "Hello"})
    assert sandbox.requests == []


class Begun(Target):
    """A target that has begun something, and must not be touched."""

    async def start(self, handover: Handover, twilio: Twilio) -> str:
        raise AssertionError(handover, twilio)

    async def find(self, reference: str, handover: Handover, twilio: Twilio) -> str | None:
        assert isinstance(twilio, ReadOnly)
        return f"{reference} of {handover.id}"

    async def stop(self, reference: str, handover: Handover, twilio: Twilio) -> None:
        raise AssertionError(reference, handover, twilio)


async def test_a_target_is_looked_for_and_not_begun(rehearsed: Twilio) -> None:
    """An idle target passes the question on, and begins and stops nothing; without one there is nothing to find."""
    assert await Idle(Begun()).find("R1", HANDOVER, rehearsed) == f"R1 of {HANDOVER.id}"
    assert await Idle(None).find("R1", HANDOVER, rehearsed) is None
    assert await Idle(Begun()).start(HANDOVER, rehearsed)
    await Idle(Begun()).stop("R1", HANDOVER, rehearsed)


async def test_what_is_not_answered_is_passed_on(sandbox: Sandbox) -> None:
    """A gateway in front of another one changes nothing by itself."""
    conversation = sandbox.open_conversation()
    ref, studio = ConversationRef(conversation.service.sid, conversation.sid), WebhookSpec.studio(REFUNDS)
    async with TwilioGateway(Credentials(sandbox.account_sid, sandbox.auth_token), base_url=sandbox.url) as gateway:
        front = PassedOn(gateway)
        made = await front.create_webhook(ref, studio)
        assert (await front.redirect_webhook(ref, made.sid, BILLING)).spec.flow == BILLING
        assert [webhook.sid for webhook in await front.list_webhooks(ref)] == [made.sid]
        await front.delete_webhook(ref, made.sid)
        await front.change_attributes(ref, lambda now: {**now, "a": 1})
        assert await front.fetch_attributes(ref) == {"a": 1}
        assert await front.newest_message(ref) is None
        url = "https://conversations.twilio.com/v1/Conversations"
        assert (await front.request("GET", url, query={"PageSize": "1"}))["conversations"]
    assert conversation.webhooks == []
