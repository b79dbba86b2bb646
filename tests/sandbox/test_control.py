from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from router.model.webhook import WebhookSpec
from router.sandbox import server
from router.sandbox.faults import Kind
from tests.sandbox.client import call, path_of
from tests.sandbox.receiver import receiving

if TYPE_CHECKING:
    from router.sandbox.sandbox import Sandbox

NOBODY = ("", "")


async def test_the_help_names_every_way_in(sandbox: Sandbox) -> None:
    """The page at ``/`` needs no credentials and names the sandbox's own paths and every kind of fault."""
    page = (await call(sandbox, "GET", "/", user=NOBODY)).body
    assert "/sandbox/conversations/CH.../says" in page
    assert not [kind.value for kind in Kind if kind.value not in page]


async def test_people_speak_as_the_customer(sandbox: Sandbox) -> None:
    """A conversation is opened and spoken in without credentials, and everything shows what came of it."""
    form = {"customer": "+15550111", "agent_url": "http://127.0.0.1:1/in"}
    opened = (await call(sandbox, "POST", "/sandbox/conversations", form, user=NOBODY)).body
    assert opened["responders"] == ["agent http://127.0.0.1:1/in"]
    conversation = sandbox.world.conversations[opened["conversation"]]
    flow = next(iter(sandbox.world.flows))
    sandbox.world.add_webhook(conversation, WebhookSpec.studio(flow))
    path = f"/sandbox/conversations/{conversation.sid}/says"
    said = (await call(sandbox, "POST", path, {"text": "Refund"}, user=NOBODY)).body
    assert said["messages"][0] == "+15550111: Refund"
    assert said["messages"][-1].startswith("Studio: Which order")
    await call(sandbox, "GET", path_of(conversation))
    shown = (await call(sandbox, "GET", "/sandbox", user=NOBODY)).body
    assert shown["conversations"] == [said]
    assert [found["waiting_at"] for found in shown["executions"]] == ["ask_order_number"]
    assert shown["deliveries"] == ["onMessageAdded to http://127.0.0.1:1/in -> ClientConnectorError"]
    assert shown["requests"][0].startswith(f"GET {path_of(conversation)} -> 200 in ")
    assert sandbox.auth_token not in str(shown)


async def test_an_agent_on_the_service_is_opened_too(sandbox: Sandbox) -> None:
    """With ``service_url`` the agent sits on a service of its own, and the customer is the usual one."""
    form = {"service_url": "http://127.0.0.1:1/in"}
    opened = (await call(sandbox, "POST", "/sandbox/conversations", form, user=NOBODY)).body
    assert (opened["webhooks"], opened["responders"]) == ([], ["agent http://127.0.0.1:1/in"])
    assert sandbox.world.conversations[opened["conversation"]].customer.address == "whatsapp:+15550100"


async def test_runs_without_a_conversation_are_shown(sandbox: Sandbox) -> None:
    """An execution that REST started has no conversation, and one that has done nothing yet waits nowhere."""
    flow = next(iter(sandbox.world.flows.values()))
    sandbox.world.add_execution(flow, "+15550100")
    (shown,) = (await call(sandbox, "GET", "/sandbox", user=NOBODY)).body["executions"]
    assert (shown["conversation"], shown["waiting_at"], shown["status"]) == (None, None, "active")


async def test_nobody_speaks_in_an_unknown_conversation(sandbox: Sandbox) -> None:
    """Speaking where there is no conversation is 404."""
    answer = await call(sandbox, "POST", "/sandbox/conversations/CH1/says", {"text": "Hello"}, user=NOBODY)
    assert answer.status == 404


@pytest.mark.parametrize(
    ("path", "form", "said"),
    [
        ("/sandbox/conversations/{}/says", {"txt": "Hello"}, "found 'txt', expected a form of text=..."),
        ("/sandbox/conversations/{}/says", {"text": "Hello", "author": "me"}, "found 'author'"),
        ("/sandbox/conversations/{}/says", {"text": ""}, "expected text=..., and it may not be empty"),
        ("/sandbox/conversations/{}/says", {}, "expected text=..., and it may not be empty"),
        ("/sandbox/conversations", {"agent": "http://127.0.0.1:1/in"}, "expected a form of customer=... agent_url=..."),
        (
            "/sandbox/hosts",
            {"host": "x", "uri": "http://127.0.0.1:1"},
            "found 'uri', expected a form of host=... url=...",
        ),
        ("/sandbox/hosts", {"host": "x"}, "expected host=... and url=..."),
        ("/sandbox/faults", {"kind": "slow", "pth": "*"}, "found 'pth', expected a form of kind=... method=..."),
        ("/sandbox/faults/1/release", {"dorp": "true"}, "found 'dorp', expected a form of drop=..."),
    ],
)
async def test_a_field_that_nobody_reads_is_explained(
    sandbox: Sandbox, path: str, form: dict[str, str], said: str
) -> None:
    """A slip of the pen at one of the sandbox's own paths is 400 with what was found and expected; nothing is done."""
    conversation = sandbox.open_conversation()
    await call(sandbox, "POST", "/sandbox/faults", {"kind": "slow", "path": "/nowhere"}, user=NOBODY)
    answer = await call(sandbox, "POST", path.format(conversation.sid), form, user=NOBODY)
    assert answer.status == 400
    assert answer.body.startswith(("the body has fields that nobody reads here: ", "expected "))
    assert said in answer.body
    assert "The sandbox's own paths" in answer.body or "kinds: rate_limited" in answer.body
    assert (list(sandbox.world.conversations), conversation.messages) == ([conversation.sid], [])
    assert (len(sandbox.faults.armed), sandbox.hosts) == (1, {})


async def test_people_arm_and_disarm_faults(sandbox: Sandbox) -> None:
    """A fault from a form strikes as one from Python, and ``DELETE`` ends it."""
    form = {"kind": "refused", "status": "409", "code": "50349", "method": "GET", "path": "/v2/*", "times": "0"}
    armed = await call(sandbox, "POST", "/sandbox/faults", form, user=NOBODY)
    shown = {"fault": 1, "kind": "refused", "method": "GET", "path": "/v2/*", "seen": 0, "hits": 0, "held": 0}
    assert (armed.status, armed.body) == (201, shown)
    for _ in range(2):
        answer = await call(sandbox, "GET", "/v2/Flows")
        assert (answer.status, answer.code) == (409, 50349)
    assert (await call(sandbox, "DELETE", "/sandbox/faults", user=NOBODY)).status == 204
    assert (await call(sandbox, "GET", "/v2/Flows")).status == 200
    form = {"kind": "rate_limited", "retry_after": "2", "skip": "1"}
    await call(sandbox, "POST", "/sandbox/faults", form, user=NOBODY)
    assert [(await call(sandbox, "GET", "/v2/Flows")).headers.get("Retry-After") for _ in range(2)] == [None, "2"]


async def test_people_wait_for_a_fault_to_strike(sandbox: Sandbox) -> None:
    """Whoever waits for it is told when a request is held, and lets it go; the numbers stay each fault's own."""
    await call(sandbox, "POST", "/sandbox/faults", {"kind": "slow", "path": "/v1/*"}, user=NOBODY)
    made = await call(sandbox, "POST", "/sandbox/faults", {"kind": "slow_after", "path": "/v2/*"}, user=NOBODY)
    path = f"/sandbox/faults/{made.body['fault']}"
    assert (await call(sandbox, "GET", path, user=NOBODY)).body["hits"] == 0
    waiting = asyncio.create_task(call(sandbox, "GET", f"{path}?wait=30", user=NOBODY))
    asking = asyncio.create_task(call(sandbox, "GET", "/v2/Flows"))
    found = (await waiting).body
    assert (found["hits"], found["seen"], found["kind"]) == (1, 1, "slow_after")
    await call(sandbox, "POST", f"{path}/release", {}, user=NOBODY)
    assert (await asking).status == 200
    shown = (await call(sandbox, "GET", "/sandbox/faults", user=NOBODY)).body
    assert [(found["fault"], found["hits"], found["held"]) for found in shown] == [(1, 0, 0), (2, 1, 0)]
    await call(sandbox, "DELETE", "/sandbox/faults", user=NOBODY)
    assert (await call(sandbox, "GET", path, user=NOBODY)).status == 404
    assert (await call(sandbox, "POST", f"{path}/release", {}, user=NOBODY)).status == 404
    again = await call(sandbox, "POST", "/sandbox/faults", {"kind": "slow"}, user=NOBODY)
    assert again.body["fault"] == 3


async def test_nobody_waits_for_ever(sandbox: Sandbox) -> None:
    """A wait ends after its seconds, struck or not, and one that is no number is explained."""
    await call(sandbox, "POST", "/sandbox/faults", {"kind": "slow"}, user=NOBODY)
    assert (await call(sandbox, "GET", "/sandbox/faults/1?wait=0.01", user=NOBODY)).body["hits"] == 0
    assert (await call(sandbox, "GET", "/sandbox/faults/1?wait=long", user=NOBODY)).status == 400


@pytest.mark.parametrize(("kind", "done"), [("slow", 0), ("slow_after", 1)])
async def test_what_is_held_may_drop(sandbox: Sandbox, kind: str, done: int) -> None:
    """Released with ``drop`` a request gets no answer; one that was held before its work never takes effect."""
    conversation = sandbox.open_conversation()
    await call(sandbox, "POST", "/sandbox/faults", {"kind": kind, "method": "POST"}, user=NOBODY)
    form = {"Target": "webhook", "Configuration.Url": "https://audit.example/in"}
    asking = asyncio.create_task(call(sandbox, "POST", path_of(conversation, "Webhooks"), form))
    await call(sandbox, "GET", "/sandbox/faults/1?wait=30", user=NOBODY)
    await call(sandbox, "POST", "/sandbox/faults/1/release", {"drop": "true"}, user=NOBODY)
    with pytest.raises(aiohttp.ClientError):
        await asking
    assert len(conversation.webhooks) == done
    assert [entry.status for entry in sandbox.requests] == [0]


async def test_people_look_at_a_conversation_and_end_its_run(sandbox: Sandbox) -> None:
    """One conversation shows its own executions; one that is ended takes its webhook along, however often."""
    flow = next(iter(sandbox.world.flows))
    other, conversation = (sandbox.open_conversation(webhooks=[WebhookSpec.studio(flow)]) for _ in range(2))
    for one in (other, conversation):
        await call(sandbox, "POST", f"/sandbox/conversations/{one.sid}/says", {"text": "Refund"}, user=NOBODY)
    path = f"/sandbox/conversations/{conversation.sid}"
    shown = (await call(sandbox, "GET", path, user=NOBODY)).body
    (execution,) = shown["executions"]
    assert (execution["conversation"], execution["status"]) == (conversation.sid, "active")
    assert shown["responders"] == [f"studio {flow}"]
    for _ in range(2):
        ended = await call(sandbox, "POST", f"/sandbox/executions/{execution['execution']}/end", {}, user=NOBODY)
        assert ended.body["status"] == "ended"
        assert (await call(sandbox, "GET", path, user=NOBODY)).body["webhooks"] == []
    assert other.webhooks
    assert (await call(sandbox, "POST", "/sandbox/executions/FN1/end", {}, user=NOBODY)).status == 404
    assert (await call(sandbox, "GET", "/sandbox/conversations/CH1", user=NOBODY)).status == 404


async def test_people_say_who_stands_for_a_host(sandbox: Sandbox) -> None:
    """From then on what goes to that host reaches the server on this machine."""
    async with receiving() as agent:
        form = {"host": "agent.example", "url": agent.url}
        placed = await call(sandbox, "POST", "/sandbox/hosts", form, user=NOBODY)
        assert placed.body == {"agent.example": agent.url}
        await sandbox.customer_says(sandbox.open_conversation(agent_url="https://agent.example/in"), "Hello")
    assert [received.path for received in agent.received] == ["/in"]
    assert (await call(sandbox, "POST", "/sandbox/hosts", {"host": "x"}, user=NOBODY)).status == 400


@pytest.mark.parametrize("form", [{}, {"kind": "meteor"}, {"kind": "slow", "times": "often"}])
async def test_a_wrong_fault_is_explained(sandbox: Sandbox, form: dict[str, Any]) -> None:
    """A fault that cannot be read arms nothing and is answered with what can be said."""
    answer = await call(sandbox, "POST", "/sandbox/faults", form, user=NOBODY)
    assert answer.status == 400
    assert "kinds: rate_limited" in answer.body
    assert (await call(sandbox, "GET", "/v2/Flows")).status == 200


async def test_the_server_says_how_to_use_it() -> None:
    """``run()`` serves on its port until told to stop, with settings and curl lines that work as they stand."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    told: asyncio.Queue[str] = asyncio.Queue()
    stop = asyncio.Event()
    running = asyncio.create_task(server.run(port, told.put_nowait, stop=stop))
    text = await told.get()
    assert f"export HANDOVER_TWILIO_URL=http://127.0.0.1:{port}\n" in text
    assert "export HANDOVER_PUBLIC_URL=https://handover.example.com\n" in text
    account, webhooks = next(
        (words[2], words[3]) for line in text.splitlines() if len(words := line.split()) == 4 and words[1] == "-u"
    )
    headers = {"Authorization": aiohttp.encode_basic_auth(*account.split(":"))}
    async with aiohttp.ClientSession() as session, session.get(webhooks, headers=headers) as answer:
        assert answer.status == 200
        assert [found["target"] for found in (await answer.json())["webhooks"]] == ["webhook"]
    stop.set()
    await running


async def test_the_server_waits_for_nobody_without_an_end() -> None:
    """Without ``stop`` it serves until its task is cancelled, and its account is the same in every run."""
    texts = []
    for _ in range(2):
        told: asyncio.Queue[str] = asyncio.Queue()
        running = asyncio.create_task(server.run(0, told.put_nowait, flows={}))
        texts.append(await told.get())
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
    accounts = [[line for line in text.splitlines() if "export TWILIO" in line] for text in texts]
    assert accounts[0] == accounts[1]
