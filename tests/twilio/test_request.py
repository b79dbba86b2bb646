"""What plugins ask of Twilio: with our credentials, and to Twilio alone."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest

from router.errors import TwilioBusy, TwilioError, TwilioRefused, TwilioUncertain
from router.twilio.credentials import Credentials
from router.twilio.gateway import TwilioGateway
from router.twilio.transport import Limits
from tests.oai import Description, descriptions_folder
from tests.twilio.proxy import serving_proxy
from tests.twilio.stub import AC, CONVERSATION, EMPTY, RQ, Reply, error_json, page_json
from tests.twilio.verbs import BROKEN, BUSY, CUT, FAILED

if TYPE_CHECKING:
    from router.clock import Clock
    from router.model.call import ConversationRef
    from router.model.twilio import Twilio
    from router.twilio.transport import RequestRecord
    from tests.twilio.stub import Stub

URL = f"https://conversations.twilio.com{CONVERSATION}/Messages"
MADE = Reply({"sid": "IM1", "index": 3}, 201)
GONE = Reply(error_json(20404, "gone", 404), 404)


def as_twilio(twilio: Twilio) -> Twilio:
    """Let mypy hold the gateway to what plugins expect of it."""
    return twilio


async def test_a_form_is_sent_as_the_account(stub: Stub, gateway: TwilioGateway, records: list[RequestRecord]) -> None:
    """A POST carries credentials and a form, lists as repeated names, and says nothing that would call webhooks."""
    stub.answers(Reply(MADE.body, 201, {"Twilio-Request-Id": RQ}))
    answer = await as_twilio(gateway).request("POST", URL, form={"Body": "ü & =", "Tag": ["a", "b"]}, query={"q": "1"})
    assert answer == {"sid": "IM1", "index": 3}
    (seen,) = stub.seen
    assert (seen.method, seen.asked) == ("POST", (f"{CONVERSATION}/Messages", {"q": ["1"]}))
    assert seen.form == {"Body": ["ü & ="], "Tag": ["a", "b"]}
    assert seen.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert seen.headers["Authorization"] == "Basic " + b64encode(f"{AC}:token-secret".encode()).decode()
    assert "handover-router/" in seen.headers["User-Agent"]
    assert "X-Twilio-Webhook-Enabled" not in seen.headers
    assert [(record.operation, record.status, record.request_id) for record in records] == [("plugin", 201, RQ)]


async def test_a_page_leads_to_the_next(stub: Stub, gateway: TwilioGateway) -> None:
    """What Twilio gives as the address of the next page can be asked for as it stands."""
    following = f"{URL}?PageSize=1&Page=1&PageToken=PT%2f1"
    stub.answers(Reply(page_json("messages", {"index": 1}, next_page_url=following)), Reply(page_json("messages")))
    page = await gateway.request("GET", URL, query={"PageSize": "1"})
    assert page["messages"] == [{"index": 1}]
    assert (await gateway.request("GET", page["meta"]["next_page_url"]))["messages"] == []
    path = f"{CONVERSATION}/Messages"
    assert [seen.target for seen in stub.seen] == [f"{path}?PageSize=1", f"{path}?PageSize=1&Page=1&PageToken=PT%2f1"]


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_an_empty_answer_is_none(stub: Stub, gateway: TwilioGateway, status: int) -> None:
    """A deletion has no body to decode."""
    stub.answers(Reply(status=status))
    assert await gateway.request("DELETE", f"{URL}/IM1") is None
    assert [(seen.method, seen.body) for seen in stub.seen] == [("DELETE", "")]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_what_twilio_did_not_take_up_is_asked_again(
    stub: Stub, gateway: TwilioGateway, pauses: list[float], method: str
) -> None:
    """Too many requests, or a conflict: nothing was done, so that even a POST may be repeated."""
    stub.answers(BUSY, Reply(error_json(50391, status=409), 409), MADE)
    assert await gateway.request(method, URL) == MADE.body
    assert pauses == [pytest.approx(0.15), pytest.approx(0.3)]


@pytest.mark.parametrize("reply", [CUT, BROKEN, FAILED])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_what_is_the_same_twice_is_asked_again(
    stub: Stub, gateway: TwilioGateway, method: str, reply: Reply
) -> None:
    """A lost answer to a read or a deletion does no harm."""
    stub.answers(reply, reply, MADE)
    assert await gateway.request(method, URL) == MADE.body


@pytest.mark.parametrize("reply", [CUT, BROKEN, FAILED, Reply("<p>", 201), Reply(b"[1]", 201)])
async def test_a_post_with_an_uncertain_end_is_not_repeated(stub: Stub, gateway: TwilioGateway, reply: Reply) -> None:
    """The customer would get the message twice; whoever asked is told that nobody knows."""
    stub.answers(reply, MADE)
    with pytest.raises(TwilioUncertain, match=r"^plugin: "):
        await gateway.request("POST", URL, form={"Body": "Hello"})
    assert len(stub.seen) == 1


@pytest.mark.parametrize(
    ("reply", "kind"), [(GONE, TwilioRefused), (Reply(error_json(20003, "no", 401), 401), TwilioRefused)]
)
async def test_a_refusal_is_one_of_our_errors(
    stub: Stub, gateway: TwilioGateway, reply: Reply, kind: type[TwilioError]
) -> None:
    """Status and code are there to decide by, and it is not asked again."""
    stub.answers(reply)
    with pytest.raises(kind) as caught:
        await gateway.request("DELETE", f"{URL}/IM1")
    assert (caught.value.operation, caught.value.status, len(stub.seen)) == ("plugin", reply.status, 1)


async def test_what_cannot_be_right_is_not_sent(stub: Stub, gateway: TwilioGateway) -> None:
    """The check is before the first byte, also where a base URL would replace the host anyway."""
    with pytest.raises(ValueError, match="begins with https://NAME"):
        await gateway.request("GET", "https://evil.example/v1")
    with pytest.raises(ValueError, match=r"has '\.\.'"):
        await gateway.request("GET", f"{URL}/../../Webhooks")
    with pytest.raises(TypeError, match="'Body' of form"):
        await gateway.request("POST", URL, form={"Body": None})  # type: ignore[dict-item]  # it comes from a plugin
    assert stub.seen == []


@pytest.mark.parametrize(
    ("url", "host"),
    [
        (URL, "conversations.dublin.ie1.twilio.com"),
        ("https://studio.twilio.com/v2/Flows", "studio.dublin.ie1.twilio.com"),
        ("https://conversations.sydney.au1.twilio.com/v1/x", "conversations.dublin.ie1.twilio.com"),
    ],
)
async def test_edge_and_region_are_ours(monkeypatch: pytest.MonkeyPatch, clock: Clock, url: str, host: str) -> None:
    """A plugin writes addresses as the documentation has them; where they lead is a setting (SDK-HOST)."""
    async with serving_proxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with TwilioGateway(Credentials(AC, "t", edge="dublin", region="ie1"), clock=clock) as gateway:
            with pytest.raises(TwilioBusy):
                await gateway.request("GET", url)
    assert proxy.heads[0].startswith(f"CONNECT {host}:443 ")


async def test_a_message_is_posted_as_twilio_describes_it(stub: Stub, gateway: TwilioGateway) -> None:
    """What goes over the wire for a plugin's request fits Twilio's own API description."""
    described = Description.load(descriptions_folder(), "conversations_v1")
    stub.answers(MADE)
    await gateway.request("POST", URL, form={"Author": "handover", "Body": "One moment.", "Attributes": "{}"})
    (seen,) = stub.seen
    path, query = seen.asked
    described.check_request("POST", path, query, parse_qs(seen.body, strict_parsing=True))


async def test_plugins_leave_connections_to_the_handovers(
    stub: Stub, clock: Clock, credentials: Credentials, where: ConversationRef
) -> None:
    """However much plugins ask at once, they have three connections of ten, and nobody else waits for them."""
    stub.rule = lambda seen: Reply(MADE.body, delay=0.1) if "Messages" in seen.target else EMPTY
    async with TwilioGateway(credentials, base_url=stub.url, clock=clock, limits=Limits(connections=10)) as gateway:
        await asyncio.gather(*(gateway.request("GET", URL) for _ in range(12)), gateway.list_webhooks(where))
    asked = ["Messages" in seen.target for seen in stub.seen]
    assert (asked.count(True), asked.index(False) <= 3) == (12, True)
    assert len({seen.peer for seen in stub.seen if "Messages" in seen.target}) <= 4  # a free one may have been a list's
