"""The gateway sends what the SDK's own resources would send: where they change, we want to know."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from router.model.webhook import WebhookSpec
from router.twilio.account import Account
from router.twilio.gateway import MOST_EXECUTIONS
from router.twilio.hosts import METHODS
from tests.twilio.sdk import recording_client
from tests.twilio.stub import AC, CH, FN, FW, IS, WH, Stub, flow_json
from tests.twilio.verbs import SINCE, STUDIO, VERBS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from router.model.call import ConversationRef
    from router.twilio.gateway import TwilioGateway

LOGIN = (AC, "token-secret")
ALL = WebhookSpec("webhook", "https://bot.example/?a=b&c=ü", "POST", ("onMessageAdded", "onMessageUpdated"), ("x", "y"))
TRIGGER = WebhookSpec("trigger", "https://bot.example/", "get", triggers=("stop now",))
TEXT = '{"a":"ü&= +"}'


def resources(client: Any) -> tuple[Any, Any]:
    """Name the conversation and the flow to the SDK."""
    return client.conversations.v1.services(IS).conversations(CH), client.studio.v2.flows(FW)


SAME: dict[str, Callable[[Any, Any], object]] = {
    "list_webhooks": lambda there, _flow: there.webhooks.list(),
    "create_webhook": lambda there, _flow: there.webhooks.create(
        target="studio", configuration_filters=["onMessageAdded"], configuration_flow_sid=FW
    ),
    "redirect_webhook": lambda there, _flow: there.webhooks(WH).update(configuration_flow_sid=FW),
    "delete_webhook": lambda there, _flow: there.webhooks(WH).delete(),
    "newest_message": lambda there, _flow: there.messages.list(order="desc", limit=1, page_size=1),
    "fetch_attributes": lambda there, _flow: there.fetch(),
    "newest_revision": lambda _there, flow: flow.fetch(),
    "published_revision": lambda _there, flow: flow.revisions("LatestPublished").fetch(),
    "fetch_execution": lambda _there, flow: flow.executions(FN).fetch(),
    "active_executions": lambda _there, flow: flow.executions.list(date_created_from=SINCE, limit=MOST_EXECUTIONS),
    "end_execution": lambda _there, flow: flow.executions(FN).update(status="ended"),
}
"""What each verb of the gateway would ask of the SDK."""

CREATES: dict[str, tuple[WebhookSpec, int | None, dict[str, Any]]] = {
    "all": (
        ALL,
        None,
        {
            "target": "webhook",
            "configuration_url": ALL.url,
            "configuration_method": "post",
            "configuration_filters": list(ALL.filters),
            "configuration_triggers": list(ALL.triggers),
        },
    ),
    "trigger": (
        TRIGGER,
        None,
        {
            "target": "trigger",
            "configuration_url": TRIGGER.url,
            "configuration_method": "get",
            "configuration_triggers": ["stop now"],
        },
    ),
    "replay": (
        STUDIO,
        0,
        {
            "target": "studio",
            "configuration_filters": ["onMessageAdded"],
            "configuration_flow_sid": FW,
            "configuration_replay_after": 0,
        },
    ),
}


async def compare(stub: Stub, ours: Awaitable[object], theirs: Callable[[Any, Any], object], body: Any) -> None:
    """Let both send, and hold the one to the other, byte for byte."""
    client, recorder = recording_client(LOGIN, json.dumps(body))
    theirs(*resources(client))
    await ours
    (sent,), (seen,) = recorder.sent, stub.seen
    url = urlsplit(sent.url)
    assert (seen.method, seen.target, seen.body) == (
        sent.method,
        f"{url.path}?{url.query}" if url.query else url.path,
        sent.form,
    )
    # A type of the body that they name for a GET, which has none, says nothing.
    named = {name: value for name, value in sent.headers.items() if name != "Content-Type" or sent.form}
    assert named.items() <= dict(seen.headers).items()


@pytest.mark.parametrize("verb", sorted(VERBS))
async def test_each_verb_sends_what_the_sdk_sends(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef, verb: str
) -> None:
    """Method, path, query, form and headers are those of the SDK's resource."""
    act, reply = VERBS[verb]
    stub.answers(reply)
    await compare(stub, act(gateway, where), SAME[verb], reply.body or flow_json())


@pytest.mark.parametrize("name", CREATES)
async def test_each_webhook_is_created_as_the_sdk_creates_it(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef, name: str
) -> None:
    """All fields of the form have its names and its order."""
    spec, replay_after, named = CREATES[name]
    _, reply = VERBS["create_webhook"]
    stub.answers(reply)
    create = gateway.create_webhook(where, spec, replay_after)
    await compare(stub, create, lambda there, _: there.webhooks.create(**named), reply.body)


async def test_attributes_are_written_as_the_sdk_writes_them(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef
) -> None:
    """One text in one field, and no header that calls webhooks."""
    _, reply = VERBS["fetch_attributes"]
    stub.answers(reply)
    change = gateway.change_attributes(where, lambda _: json.loads(TEXT), {})
    await compare(stub, change, lambda there, _: there.update(attributes=TEXT), reply.body)


@pytest.mark.parametrize("edge", ["", "dublin"])
@pytest.mark.parametrize("region", ["", "ie1"])
@pytest.mark.parametrize("host", ["conversations", "studio", "conversations.sydney.au1"])
@pytest.mark.parametrize("method", METHODS)
def test_hosts_and_headers_are_the_sdks(edge: str, region: str, host: str, method: str) -> None:
    """Edge, region, login and name of the client are its affair, for any host and method."""
    url = f"https://{host}.twilio.com"
    client, recorder = recording_client(LOGIN, "{}", edge=edge, region=region)
    client.request(method, url)
    (sent,) = recorder.sent
    called, headers = Account(LOGIN, AC, edge=edge, region=region).address(method, url)
    assert (called, headers) == (sent.url, {**sent.headers, "Authorization": headers["Authorization"]})


def test_no_more_of_the_sdk_is_imported_than_is_asked() -> None:
    """Its resources and its HTTP client cost time and memory at each start, and nothing of them is used."""
    code = (
        "import sys; from router.twilio.credentials import Credentials;"
        " from router.twilio.gateway import TwilioGateway;"
        f" TwilioGateway(Credentials('{AC}', 't'));"
        " print([name for name in sys.modules if name.startswith(('aiohttp', 'twilio.rest.'))])"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert shown.stdout == "[]\n"
