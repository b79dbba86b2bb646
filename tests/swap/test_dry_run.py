"""What a plugin asks in a dry run: it reads what is there, and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.errors import TwilioRefused
from router.swap.dry_run import ReadOnly
from router.twilio.gateway import Credentials, TwilioGateway

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

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
