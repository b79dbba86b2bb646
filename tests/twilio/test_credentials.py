from __future__ import annotations

import asyncio
import warnings
from base64 import b64decode
from typing import TYPE_CHECKING

import pytest
from twilio.rest import Client

from router.errors import SettingsError
from router.twilio.credentials import Credentials
from router.twilio.gateway import TwilioGateway
from tests.twilio.stub import (
    AC,
    EMPTY,
    Stub,
)

if TYPE_CHECKING:
    from router.clock import Clock
    from router.model.call import ConversationRef


async def test_the_token_authenticates(stub: Stub, gateway: TwilioGateway, where: ConversationRef) -> None:
    """The SDK's way warns (SDK-AUTH-WARNING), and warnings are errors here: the header is ours."""
    stub.answers(EMPTY)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        await gateway.list_webhooks(where)
    scheme, _, login = stub.seen[0].headers["Authorization"].partition(" ")
    assert (scheme, b64decode(login).decode()) == ("Basic", f"{AC}:token-secret")


def test_a_client_without_credentials_is_refused() -> None:
    """The SDK builds one in silence and fails at the first request (SDK-CREDENTIALS); here it fails at start."""
    assert Client(environment={"X": "y"}).password is None
    for credentials, words in (
        (Credentials(""), "TWILIO_ACCOUNT_SID"),
        (Credentials("AC1", "t"), "TWILIO_ACCOUNT_SID"),
        (Credentials(AC), "TWILIO_AUTH_TOKEN"),
        (Credentials(AC, "t", api_key="SK1"), "TWILIO_API_KEY"),
        (Credentials(AC, "t", api_secret="s"), "TWILIO_API_SECRET"),
        (Credentials(AC, "t", edge="evil.example/"), "TWILIO_EDGE"),
        (Credentials(AC, "t", region="IE1"), "TWILIO_REGION"),
    ):
        with pytest.raises(SettingsError, match=words):
            TwilioGateway(credentials)


def test_the_environment_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK fills what is missing from ``os.environ`` (SDK-CREDENTIALS); here an argument is all there is."""
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "from-outside")
    with pytest.raises(SettingsError):
        TwilioGateway(Credentials(AC))


def test_secrets_stay_out_of_the_repr() -> None:
    """Credentials may be logged without giving a secret away."""
    shown = repr(Credentials(AC, "t0ken", api_key="SK1", api_secret="s3cret"))
    assert "t0ken" not in shown
    assert "s3cret" not in shown
    assert AC in shown


async def test_a_key_authenticates_where_there_is_one(stub: Stub, clock: Clock, where: ConversationRef) -> None:
    """With an API key the token stays at home: it only signs."""
    stub.answers(EMPTY)
    credentials = Credentials(AC, "token", api_key="SK1", api_secret="key-sécret")
    async with TwilioGateway(credentials, base_url=stub.url, clock=clock) as gateway:
        await gateway.list_webhooks(where)
    assert b64decode(stub.seen[0].headers["Authorization"][6:]).decode() == "SK1:key-sécret"


def test_the_gateway_may_be_made_without_a_loop(credentials: Credentials) -> None:
    """The SDK's client opens its session when it is made, which fails outside a loop (SDK-LOOP); ours waits."""
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
    assert isinstance(TwilioGateway(credentials), TwilioGateway)


async def test_a_gateway_that_is_not_open_says_so(credentials: Credentials, where: ConversationRef) -> None:
    """Forgetting to open it, or using it after closing, is our mistake and not Twilio's."""
    gateway = TwilioGateway(credentials)
    with pytest.raises(RuntimeError, match="use it inside 'async with'"):
        await gateway.list_webhooks(where)
    async with gateway:
        pass
    with pytest.raises(RuntimeError, match="use it inside 'async with'"):
        await gateway.list_webhooks(where)
    await gateway.__aexit__()
