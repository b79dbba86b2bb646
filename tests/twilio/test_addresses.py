from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.clock import Clock
from router.errors import SettingsError, TwilioBusy, TwilioUncertain
from router.twilio.account import Account
from router.twilio.credentials import Credentials
from router.twilio.gateway import TwilioGateway
from router.twilio.hosts import Hosts
from router.twilio.transport import Limits, RequestRecord, Transport
from tests.twilio.proxy import serving_proxy
from tests.twilio.stub import (
    AC,
    CONVERSATION,
    EMPTY,
    WEBHOOKS,
    Reply,
    Stub,
    ignore,
    page_json,
    webhook_json,
)

if TYPE_CHECKING:
    from router.model.call import ConversationRef


@pytest.mark.parametrize(
    ("suffix", "prefix"), [("", ""), ("/", ""), ("/twilio/v0", "/twilio/v0"), ("/a%2Fb/", "/a%2Fb")]
)
async def test_the_base_url_replaces_scheme_and_host(
    stub: Stub, clock: Clock, credentials: Credentials, where: ConversationRef, suffix: str, prefix: str
) -> None:
    """The SDK has no such setting (SDK-HOST); path and query stay as they are, behind a path of the base URL."""
    stub.rule = lambda _: Reply(page_json("messages"))
    async with TwilioGateway(credentials, base_url=stub.url + suffix, clock=clock) as gateway:
        await gateway.newest_message(where)
    assert [seen.target for seen in stub.seen] == [f"{prefix}{CONVERSATION}/Messages?Order=desc&PageSize=1"]


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000",
        "ftp://a",
        "http://",
        "http://u:s3cret@a",
        "http://a?b",
        "http://a#b",
        "http://a b",
        "http://a:x",
        "http://a:99999",
        "http://a/ü",
        "http://a/\0",
    ],
)
def test_a_base_url_that_cannot_be_right_is_refused(credentials: Credentials, url: str) -> None:
    """A wrong setting is found at start, and a password in it is not shown."""
    with pytest.raises(SettingsError, match=r"HANDOVER_TWILIO_URL: expected http") as caught:
        TwilioGateway(credentials, base_url=url)
    assert "s3cret" not in str(caught.value)


async def test_encoded_bytes_stay_as_they_are(stub: Stub, gateway: TwilioGateway, where: ConversationRef) -> None:
    """A page token is repeated byte for byte, without decoding and encoding again."""
    query = "PageSize=5&Page=1&PageToken=PA%2fb%20c+d~%7E"
    stub.answers(
        Reply(
            page_json("webhooks", webhook_json(), next_page_url=f"https://conversations.twilio.com{WEBHOOKS}?{query}")
        ),
        EMPTY,
    )
    assert len(await gateway.list_webhooks(where)) == 1
    assert stub.seen[1].target == f"{WEBHOOKS}?{query}"


async def test_proxies_of_the_environment_are_honoured(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, credentials: Credentials, where: ConversationRef
) -> None:
    """The SDK stores a proxy and never uses it (SDK-PROXY); here the environment's is asked, and only it."""
    async with serving_proxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with TwilioGateway(credentials, clock=clock) as gateway:
            with pytest.raises(TwilioBusy, match="the proxy refused the connection with 502; nothing was sent"):
                await gateway.list_webhooks(where)
    assert len(proxy.heads) == 3
    assert proxy.heads[0].startswith("CONNECT conversations.twilio.com:443 HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic dXNlcjp3b3Jk\r\n" in proxy.heads[0]
    assert "\r\nAuthorization:" not in proxy.heads[0]


@pytest.mark.parametrize(
    ("edge", "region", "host"),
    [
        ("", "", "conversations.twilio.com"),
        ("dublin", "ie1", "conversations.dublin.ie1.twilio.com"),
        ("", "ie1", "conversations.ie1.twilio.com"),
        ("ashburn", "", "conversations.ashburn.us1.twilio.com"),
    ],
)
async def test_edge_and_region_are_in_the_host(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, where: ConversationRef, edge: str, region: str, host: str
) -> None:
    """Edge and region choose the host, and the environment behind our back does not (SDK-HOST)."""
    monkeypatch.setenv("TWILIO_EDGE", "sydney")
    monkeypatch.setenv("TWILIO_REGION", "au1")
    async with serving_proxy() as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        async with TwilioGateway(Credentials(AC, "t", edge=edge, region=region), clock=clock) as gateway:
            with pytest.raises(TwilioBusy):
                await gateway.list_webhooks(where)
    assert proxy.heads[0].startswith(f"CONNECT {host}:443 ")


@pytest.mark.parametrize("base_url", [True, False])
async def test_no_proxy_and_base_url_go_without_a_proxy(
    stub: Stub,
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
    credentials: Credentials,
    where: ConversationRef,
    *,
    base_url: bool,
) -> None:
    """A base URL is called directly, and so is a host that ``no_proxy`` names."""
    stub.rule = lambda _: EMPTY
    async with serving_proxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        if base_url:
            async with TwilioGateway(credentials, base_url=stub.url, clock=clock) as gateway:
                assert await gateway.list_webhooks(where) == []
        else:
            monkeypatch.setenv("no_proxy", "twilio.com")
            hosts = Hosts(Account(credentials.login, AC), "")
            hosts.look_up_proxies()
            assert hosts.find("https://conversations.twilio.com").peer.proxy is None
    assert proxy.heads == []


@pytest.mark.parametrize(
    "host",
    [
        "http://conversations.twilio.com",
        "https://evil.example",
        "https://conversations.twilio.com@evil.example",
        "https://evil.example?.twilio.com",
        "https://eviltwilio.com",
        "https://twilio.com",
        "https://.twilio.com",
        "https://a..twilio.com",
    ],
)
async def test_the_credentials_are_not_sent_to_another_host(credentials: Credentials, host: str) -> None:
    """The SDK follows a next page to any host and takes the credentials along; here only Twilio gets them."""
    records: list[RequestRecord] = []
    account = Account(credentials.login, AC)
    async with Transport(account, base_url="", limits=Limits(), clock=Clock(), on_request=records.append) as transport:
        with pytest.raises(TwilioUncertain, match="points to another host; nothing was sent there"):
            await transport.ask("list_webhooks", "GET", f"{host}/v1/Services")
    assert [record.status for record in records] == [0]


async def test_the_form_is_encoded_as_twilio_wants_it(stub: Stub, credentials: Credentials) -> None:
    """Lists are repeated names and 0 is a value; an address may have a query already (WEBHOOK-FORM)."""
    stub.answers(Reply(b"", 204))
    account = Account(credentials.login, AC)
    async with Transport(account, base_url=stub.url, limits=Limits(), clock=Clock(), on_request=ignore) as transport:
        form, query = {"c": ["x", "y z"], "d": "0"}, {"b": ["1", "ü"]}
        answer = await transport.ask("plugin", "POST", "https://x.twilio.com/v1?a=%20", form=form, query=query)
    assert (answer.status, answer.body) == (204, b"")
    assert stub.seen[0].target == "/v1?a=%20&b=1&b=%C3%BC"
    assert stub.seen[0].body == "c=x&c=y+z&d=0"
