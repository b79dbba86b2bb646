from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from router.model.webhook import ROOM
from router.sandbox.world import State
from tests.fixtures import running_sandbox
from tests.sandbox.client import call, flow_webhook, path_of

if TYPE_CHECKING:
    from router.sandbox.sandbox import Sandbox

FLOW = "FW00000000000000000000000000000001"
HOOK = {"Target": "webhook", "Configuration.Url": "https://audit.example/in"}


async def test_credentials_are_checked(sandbox: Sandbox) -> None:
    """The account's token and the API key's secret open Twilio's paths; everything else gets 401 with 20003."""
    path = path_of(sandbox.open_conversation())
    for user in ((sandbox.account_sid, sandbox.auth_token), (sandbox.api_key, sandbox.api_secret)):
        assert (await call(sandbox, "GET", path, user=user)).status == 200
    for user in ((sandbox.account_sid, "wrong"), (sandbox.api_key, sandbox.auth_token)):
        answer = await call(sandbox, "GET", path, user=user)
        assert (answer.status, answer.code) == (401, 20003)
        assert answer.headers["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize("header", ["", "Basic", "Basic not!base64", "Bearer Zm9v"])
async def test_unreadable_credentials_are_no_credentials(sandbox: Sandbox, header: str) -> None:
    """An authorization header that is not Basic with Base64 in it is refused like a wrong password."""
    import aiohttp  # noqa: PLC0415 - the one test that needs a header of its own

    async with (
        aiohttp.ClientSession(headers={"Authorization": header}) as session,
        session.get(f"{sandbox.url}/v2/Flows") as answer,
    ):
        assert answer.status == 401


async def test_each_answer_names_its_request(sandbox: Sandbox) -> None:
    """Every answer carries a ``Twilio-Request-Id`` of its own, and the request log has the same one."""
    found = [(await call(sandbox, "GET", path)).headers["Twilio-Request-Id"] for path in ("/v2/Flows", "/v1/nowhere")]
    assert found == [entry.request_id for entry in sandbox.requests]
    assert len(set(found)) == 2
    assert all(name.startswith("RQ") and len(name) == 34 for name in found)


async def test_the_log_has_what_was_asked_but_no_credentials(sandbox: Sandbox) -> None:
    """The request log holds method, path, query, form, status and time, and leaves the authorization header out."""
    path = path_of(sandbox.open_conversation(), "Webhooks")
    await call(sandbox, "POST", path + "?a=1&a=2", HOOK)
    (entry,) = sandbox.requests
    assert (entry.method, entry.path, entry.status) == ("POST", path, 201)
    assert entry.query == {"a": ["1", "2"]}
    assert entry.form == {name: [value] for name, value in HOOK.items()}
    assert 0 < entry.seconds < 5
    assert "host" in entry.headers
    assert "authorization" not in entry.headers


async def test_unknown_things_are_not_found(sandbox: Sandbox) -> None:
    """An unknown path, service, conversation or message is 404 with 20404; a wrong method is 405 with 20004."""
    conversation = sandbox.open_conversation()
    for path in (
        "/v1/nowhere",
        f"/v1/Services/IS{'0' * 32}/Conversations/{conversation.sid}",
        f"/v1/Conversations/CH{'0' * 32}",
        path_of(conversation, "Messages", "IM" + "0" * 32),
    ):
        answer = await call(sandbox, "GET", path)
        assert (answer.status, answer.code, answer.body["status"]) == (404, 20404, 404)
        assert answer.body["more_info"].endswith("/20404")
    answer = await call(sandbox, "DELETE", "/v1/Conversations")
    assert (answer.status, answer.code) == (405, 20004)


async def test_a_conversation_lives(sandbox: Sandbox) -> None:
    """A conversation is created, found by SID and unique name, changed and deleted over REST."""
    form = {"FriendlyName": "Chat", "UniqueName": "chat-1", "Attributes": '{"a": 1}', "State": "inactive"}
    created = (await call(sandbox, "POST", "/v1/Conversations", form)).body
    assert created["state"] == "inactive"
    assert created["chat_service_sid"] == sandbox.world.default_service.sid
    by_name = await call(sandbox, "GET", "/v1/Conversations/chat-1")
    assert by_name.body == created
    path = f"/v1/Conversations/{created['sid']}"
    changed = (await call(sandbox, "POST", path, {"State": "active", "FriendlyName": "Talk"})).body
    assert (changed["state"], changed["friendly_name"], changed["unique_name"]) == ("active", "Talk", "chat-1")
    assert changed["attributes"] == '{"a": 1}'
    assert (await call(sandbox, "DELETE", path)).status == 204
    assert (await call(sandbox, "GET", path)).status == 404


async def test_a_service_keeps_its_conversations_to_itself(sandbox: Sandbox) -> None:
    """A conversation of another service is found under that service's path only, the short one is the default's."""
    there = sandbox.open_conversation(service_url="https://agent.example/in")
    here = sandbox.open_conversation()
    listed = (await call(sandbox, "GET", "/v1/Conversations")).body["conversations"]
    assert [found["sid"] for found in listed] == [here.sid]
    assert (await call(sandbox, "GET", f"/v1/Conversations/{there.sid}")).code == 20404
    assert (await call(sandbox, "GET", path_of(there))).status == 200


async def test_conversations_are_listed_by_state(sandbox: Sandbox) -> None:
    """``State`` narrows the list of conversations down."""
    closed, _active = sandbox.open_conversation(), sandbox.open_conversation()
    closed.state = State.CLOSED
    listed = (await call(sandbox, "GET", "/v1/Conversations?State=closed")).body["conversations"]
    assert [found["sid"] for found in listed] == [closed.sid]


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"Attributes": "{"}, 50304),
        ({"Attributes": json.dumps("x" * 16 * 1024)}, 50303),
        ({"State": "asleep"}, 20001),
        ({"Attributes": '{"new": true}', "State": "asleep"}, 20001),
    ],
)
async def test_a_wrong_update_changes_nothing(sandbox: Sandbox, form: dict[str, str], code: int) -> None:
    """Attributes that are no JSON or over 16 kB, and unknown states, are refused as a whole."""
    conversation = sandbox.open_conversation()
    answer = await call(sandbox, "POST", path_of(conversation), form)
    assert (answer.status, answer.code) == (400, code)
    assert (conversation.attributes, conversation.state) == ("{}", State.ACTIVE)


async def test_attributes_may_fill_their_room(sandbox: Sandbox) -> None:
    """Exactly 16 kB of attributes are taken."""
    text = json.dumps("x" * (16 * 1024 - 2))
    answer = await call(sandbox, "POST", path_of(sandbox.open_conversation()), {"Attributes": text})
    assert answer.body["attributes"] == text


async def test_nothing_changes_in_a_closed_conversation(sandbox: Sandbox) -> None:
    """Every write to a closed conversation is refused with 50377, every read still answered."""
    conversation = sandbox.open_conversation(agent_url="https://support-agent.twil.io/in")
    hook = path_of(conversation, "Webhooks", conversation.webhooks[0].sid)
    assert (await call(sandbox, "POST", path_of(conversation), {"State": "closed"})).status == 200
    for method, path, form in (
        ("POST", path_of(conversation), {"State": "active"}),
        ("POST", path_of(conversation, "Webhooks"), HOOK),
        ("POST", hook, {"Configuration.Url": "https://x.example/"}),
        ("DELETE", hook, None),
        ("POST", path_of(conversation, "Messages"), {"Body": "Hello"}),
        ("POST", path_of(conversation, "Participants"), {"Identity": "someone"}),
    ):
        assert (await call(sandbox, method, path, form)).code == 50377
    assert len(conversation.webhooks) == 1
    assert not conversation.messages
    assert (await call(sandbox, "GET", hook)).status == 200


async def test_messages_are_numbered_and_read_from_both_ends(sandbox: Sandbox) -> None:
    """Messages get indexes from 0 on; ``Order=desc&PageSize=1`` gives the newest, with its participant."""
    conversation = sandbox.open_conversation()
    path = path_of(conversation, "Messages")
    await call(sandbox, "POST", path, {"Author": conversation.customer.address, "Body": "Hello"})
    made = (await call(sandbox, "POST", path, {"Author": "assistant", "Body": "Good day"})).body
    oldest = (await call(sandbox, "GET", path)).body["messages"]
    assert [(found["index"], found["body"]) for found in oldest] == [(0, "Hello"), (1, "Good day")]
    assert [found["participant_sid"] for found in oldest] == [conversation.customer.sid, None]
    newest = (await call(sandbox, "GET", path + "?Order=desc&PageSize=1")).body
    assert newest["messages"] == [made]
    assert "Order=desc" in newest["meta"]["next_page_url"]
    assert (await call(sandbox, "GET", f"{path}/{made['sid']}")).body == made


async def test_a_message_has_an_end(sandbox: Sandbox) -> None:
    """1600 characters fit, whatever their bytes; a longer message is refused, and not cut (MESSAGE-CREATE)."""
    conversation = sandbox.open_conversation()
    path = path_of(conversation, "Messages")
    assert (await call(sandbox, "POST", path, {"Body": "é" * 1600})).status == 201
    assert (await call(sandbox, "POST", path, {"Body": "é" * 1601})).code == 20001
    assert [len(message.body) for message in conversation.messages] == [1600]


async def test_small_attributes_are_small(sandbox: Sandbox) -> None:
    """Attributes of messages and participants end at 4 kB."""
    conversation = sandbox.open_conversation()
    for part in ("Messages", "Participants"):
        form = {"Attributes": json.dumps("x" * 4096)}
        assert (await call(sandbox, "POST", path_of(conversation, part), form)).code == 50303


async def test_participants_come_by_identity_or_address(sandbox: Sandbox) -> None:
    """A participant has an identity or a messaging binding whose type its address tells."""
    path = path_of(sandbox.open_conversation(), "Participants")
    await call(sandbox, "POST", path, {"Identity": "worker"})
    await call(sandbox, "POST", path, {"MessagingBinding.Address": "+15550101"})
    found = (await call(sandbox, "GET", path)).body["participants"]
    assert [(who["identity"], (who["messaging_binding"] or {}).get("type")) for who in found] == [
        (None, "whatsapp"),
        ("worker", None),
        (None, "sms"),
    ]


async def test_a_webhook_lives(sandbox: Sandbox) -> None:
    """A scoped webhook is created, listed, fetched, changed but for its target, and deleted once."""
    conversation = sandbox.open_conversation()
    path = path_of(conversation, "Webhooks")
    form = {**HOOK, "Configuration.Filters": ["onMessageAdded", "onMessageUpdated"]}
    created = (await call(sandbox, "POST", path, form)).body
    assert created["configuration"] == {
        "url": "https://audit.example/in",
        "method": "POST",
        "filters": ["onMessageAdded", "onMessageUpdated"],
    }
    one = f"{path}/{created['sid']}"
    assert (await call(sandbox, "GET", one)).body == created
    changes = {"Target": "studio", "Configuration.Url": "https://other.example/", "Configuration.Method": "get"}
    changed = (await call(sandbox, "POST", one, changes)).body
    assert (changed["target"], changed["configuration"]["url"]) == ("webhook", "https://other.example/")
    assert (changed["configuration"]["method"], changed["configuration"]["filters"][0]) == ("get", "onMessageAdded")
    assert (await call(sandbox, "GET", path)).body["webhooks"] == [changed]
    assert (await call(sandbox, "DELETE", one)).status == 204
    for method in ("GET", "DELETE", "POST"):
        gone = await call(sandbox, method, one)
        assert (gone.status, gone.code) == (404, 50360)


async def test_a_studio_webhook_changes_its_flow_in_place(sandbox: Sandbox) -> None:
    """Updating a studio webhook's flow keeps its SID; only the flow and the filters are shown of it."""
    conversation = sandbox.open_conversation()
    path = path_of(conversation, "Webhooks")
    created = (await call(sandbox, "POST", path, flow_webhook(FLOW, **{"Configuration.ReplayAfter": "0"}))).body
    assert created["configuration"] == {"flow_sid": FLOW, "filters": ["onMessageAdded"]}
    other = FLOW[:-1] + "2"
    changed = (await call(sandbox, "POST", f"{path}/{created['sid']}", {"Configuration.FlowSid": other})).body
    assert (changed["sid"], changed["configuration"]["flow_sid"]) == (created["sid"], other)
    assert len(conversation.webhooks) == 1


async def test_five_webhooks_are_the_most(sandbox: Sandbox) -> None:
    """The sixth webhook is refused with 50361; all five stand on one page, whatever page size is asked for."""
    path = path_of(sandbox.open_conversation(), "Webhooks")
    for _ in range(ROOM):
        assert (await call(sandbox, "POST", path, HOOK)).status == 201
    assert (await call(sandbox, "POST", path, HOOK)).code == 50361
    for query in ("", "?PageSize=20"):
        page = (await call(sandbox, "GET", path + query)).body
        assert (len(page["webhooks"]), page["meta"]["page_size"]) == (5, 5)
        assert page["meta"]["next_page_url"] is None


async def test_an_undocumented_status_can_be_set() -> None:
    """``statuses`` gives an error code another HTTP status, in the answer and in its body."""
    async with running_sandbox(statuses={50361: 409}) as sandbox:
        path = path_of(sandbox.open_conversation(), "Webhooks")
        for _ in range(ROOM):
            await call(sandbox, "POST", path, HOOK)
        answer = await call(sandbox, "POST", path, HOOK)
        assert (answer.status, answer.body["status"], answer.code) == (409, 409, 50361)


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({}, 50368),
        ({"Target": "email"}, 50364),
        ({"Target": "studio"}, 50367),
        ({"Target": "studio", "Configuration.FlowSid": "FW1"}, 50367),
        ({"Target": "webhook"}, 50369),
        ({"Target": "webhook", "Configuration.Url": "https://x.example/" + "a" * 495}, 50372),
        ({**HOOK, "Configuration.Filters": "onEverything"}, 50365),
        ({**HOOK, "Configuration.Method": "PUT"}, 20001),
        ({**HOOK, "Target": "trigger"}, 50371),
        ({**HOOK, "Target": "trigger", "Configuration.Triggers": list("abcdef")}, 50362),
        ({**HOOK, "Target": "trigger", "Configuration.Triggers": "a" * 249}, 50366),
        ({**HOOK, "Configuration.ReplayAfter": "soon"}, 20001),
    ],
)
async def test_a_wrong_webhook_is_refused(sandbox: Sandbox, form: dict[str, Any], code: int) -> None:
    """Each fault of a webhook has Twilio's own code, and nothing is attached."""
    conversation = sandbox.open_conversation()
    answer = await call(sandbox, "POST", path_of(conversation, "Webhooks"), form)
    assert (answer.status, answer.code) == (400, code)
    assert not conversation.webhooks


async def test_a_url_may_have_512_characters(sandbox: Sandbox) -> None:
    """The longest URL is taken, one character more is not."""
    path = path_of(sandbox.open_conversation(), "Webhooks")
    longest = "https://x.example/".ljust(512, "a")
    assert (await call(sandbox, "POST", path, {**HOOK, "Configuration.Url": longest})).status == 201
    assert (await call(sandbox, "POST", path, {**HOOK, "Configuration.Url": longest + "a"})).code == 50372


async def test_lists_come_in_pages(sandbox: Sandbox) -> None:
    """Following ``next_page_url`` gives every entry once, and ``previous_page_url`` leads back."""
    conversation = sandbox.open_conversation()
    for number in range(5):
        sandbox.world.add_message(conversation, author="assistant", body=str(number))
    path = path_of(conversation, "Messages") + "?PageSize=2"
    bodies, pages = [], []
    while path:
        page = (await call(sandbox, "GET", path)).body
        pages.append(page["meta"])
        bodies += [message["body"] for message in page["messages"]]
        path = (page["meta"]["next_page_url"] or "").removeprefix("https://conversations.twilio.com")
    assert bodies == ["0", "1", "2", "3", "4"]
    assert pages[0]["previous_page_url"] is None
    assert pages[2]["previous_page_url"] == pages[1]["url"]


@pytest.mark.parametrize("query", ["PageSize=many", "Page=-1"])
async def test_a_page_is_a_number(sandbox: Sandbox, query: str) -> None:
    """A page or page size that is no whole number is refused."""
    answer = await call(sandbox, "GET", path_of(sandbox.open_conversation(), "Webhooks") + "?" + query)
    assert (answer.status, answer.code) == (400, 20001)
