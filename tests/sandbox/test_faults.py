from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import aiohttp
import pytest

from router.sandbox.faults import Fault, Kind
from router.sandbox.journal import HANG_UP, Journal
from tests.sandbox.client import call, path_of

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from router.sandbox.sandbox import Sandbox

HOOK = {"Target": "webhook", "Configuration.Url": "https://audit.example/in"}


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Fault("rate_limited"), 429, 20429),
        (Fault("unavailable"), 503, 20503),
        (Fault("server_error"), 500, 20500),
        (Fault.refused(409, 50349), 409, 50349),
    ],
)
async def test_twilio_refuses_on_demand(sandbox: Sandbox, fault: Fault, status: int, code: int) -> None:
    """The answer is Twilio's error object with that status and code, and the work was not done."""
    conversation = sandbox.open_conversation()
    sandbox.faults.add(fault)
    answer = await call(sandbox, "POST", path_of(conversation, "Webhooks"), HOOK)
    assert (answer.status, answer.code, answer.body["status"]) == (status, code, status)
    assert answer.headers["Twilio-Request-Id"].startswith("RQ")
    assert "Retry-After" not in answer.headers
    assert not conversation.webhooks


async def test_the_rate_limit_may_say_when_to_come_back(sandbox: Sandbox) -> None:
    """With ``retry_after`` the 429 has that many seconds in ``Retry-After``."""
    sandbox.faults.add(Fault("rate_limited", retry_after=0.5))
    assert (await call(sandbox, "GET", "/v2/Flows")).headers["Retry-After"] == "0.5"


async def test_a_proxy_may_answer_instead(sandbox: Sandbox) -> None:
    """The HTML error is a 502 with a page that is no JSON."""
    sandbox.faults.add(Fault("html_error"))
    answer = await call(sandbox, "GET", "/v2/Flows")
    assert answer.status == 502
    assert "<title>502 Bad Gateway</title>" in answer.body


async def test_a_connection_drops_before_the_work(sandbox: Sandbox) -> None:
    """The client sees its connection closed without an answer, and nothing was attached.

    (A GET would be sent again: aiohttp repeats idempotent requests once by itself.)
    """
    conversation = sandbox.open_conversation()
    sandbox.faults.add(Fault("cut_before"))
    with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        await call(sandbox, "POST", path_of(conversation, "Webhooks"), HOOK)
    assert not conversation.webhooks
    assert [entry.status for entry in sandbox.requests] == [0]


async def test_a_connection_drops_after_the_work(sandbox: Sandbox) -> None:
    """The client sees its connection closed without an answer, but the webhook is there."""
    conversation = sandbox.open_conversation()
    sandbox.faults.add(Fault("cut_after"))
    with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        await call(sandbox, "POST", path_of(conversation, "Webhooks"), HOOK)
    assert len(conversation.webhooks) == 1
    assert [entry.status for entry in sandbox.requests] == [0]


async def test_the_server_lives_on_after_a_cut(sandbox: Sandbox) -> None:
    """One dropped connection leaves the others, and the next request, as they were."""
    held = sandbox.faults.add(Fault("slow", path="/v2/Flows"))
    waiting = asyncio.create_task(call(sandbox, "GET", "/v2/Flows"))
    await held.reached.wait()
    sandbox.faults.add(Fault("cut_before"))
    with pytest.raises(aiohttp.ClientError):
        await call(sandbox, "POST", "/v1/Conversations", {})
    held.release()
    assert (await waiting).status == 200
    assert (await call(sandbox, "GET", "/v1/Conversations")).status == 200


async def test_only_a_server_with_a_connection_can_hang_up() -> None:
    """Behind anything but uvicorn a cut fails aloud instead of passing for an answer."""

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        await scope[HANG_UP]()

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: Message) -> None:
        raise AssertionError

    journal = Journal(app, lambda prefix: prefix)
    scope = {"type": "http", "method": "GET", "path": "/v1/x", "query_string": b"", "headers": []}
    with pytest.raises(RuntimeError, match=r"only uvicorn's connections can be dropped"):
        await journal(scope, receive, send)


@pytest.mark.parametrize("kind", ["slow", "slow_after"])
async def test_an_answer_may_take_its_time(sandbox: Sandbox, kind: str) -> None:
    """Both slow faults answer rightly after ``delay`` seconds."""
    conversation = sandbox.open_conversation()
    sandbox.faults.add(Fault(kind, delay=0.2))
    begun = time.perf_counter()
    answer = await call(sandbox, "POST", path_of(conversation, "Webhooks"), HOOK)
    assert answer.status == 201
    assert time.perf_counter() - begun >= 0.2
    assert len(conversation.webhooks) == 1


@pytest.mark.parametrize(("kind", "done"), [("slow", 0), ("slow_after", 1)])
async def test_an_answer_is_held_until_released(sandbox: Sandbox, kind: str, done: int) -> None:
    """Without a delay the answer waits for ``release()``; with ``slow`` the work waits too."""
    conversation = sandbox.open_conversation()
    held = sandbox.faults.add(Fault(kind))
    asking = asyncio.create_task(call(sandbox, "POST", path_of(conversation, "Webhooks"), HOOK))
    await held.reached.wait()
    await asyncio.sleep(0.05)
    assert (len(conversation.webhooks), asking.done()) == (done, False)
    held.release()
    assert (await asking).status == 201
    assert len(conversation.webhooks) == 1


async def test_clearing_lets_go_what_is_held(sandbox: Sandbox) -> None:
    """``clear()`` releases held answers and disarms the rest."""
    held = sandbox.faults.add(Fault("slow_after"))
    sandbox.faults.add(Fault("server_error", times=0))
    asking = asyncio.create_task(call(sandbox, "GET", "/v2/Flows"))
    await held.reached.wait()
    sandbox.faults.clear()
    assert (await asking).status == 200
    assert (await call(sandbox, "GET", "/v2/Flows")).status == 200


async def test_json_may_break_off(sandbox: Sandbox) -> None:
    """The work is done and its status sent, but the body is no JSON any more; an empty body stays empty."""
    conversation = sandbox.open_conversation()
    sandbox.faults.add(Fault("bad_json", times=2))
    with pytest.raises(json.JSONDecodeError):
        await call(sandbox, "POST", path_of(conversation, "Webhooks"), HOOK)
    (webhook,) = conversation.webhooks
    gone = await call(sandbox, "DELETE", path_of(conversation, "Webhooks", webhook.sid))
    assert (gone.status, gone.body) == (204, None)
    assert [entry.status for entry in sandbox.requests] == [201, 204]


async def test_faults_strike_where_and_when_they_should(sandbox: Sandbox) -> None:
    """Method and path choose the requests, ``skip`` lets the first pass, ``times`` ends it; 0 never ends."""
    armed = sandbox.faults.add(Fault("unavailable", method="GET", path="*/Conversations", skip=1, times=2))
    found = [(await call(sandbox, "GET", "/v1/Conversations")).status for _ in range(4)]
    assert found == [200, 503, 503, 200]
    assert (await call(sandbox, "POST", "/v1/Conversations", {})).status == 201
    assert (await call(sandbox, "GET", "/v2/Flows")).status == 200
    assert (armed.hits, armed.seen) == (2, 4)
    sandbox.faults.add(Fault("unavailable", path="/v2/*", times=0))
    assert {(await call(sandbox, "GET", "/v2/Flows")).status for _ in range(3)} == {503}


async def test_the_first_fault_armed_strikes_first(sandbox: Sandbox) -> None:
    """Of two faults for the same request the older one strikes, and the other waits for the next."""
    sandbox.faults.add(Fault("unavailable"))
    sandbox.faults.add(Fault("server_error"))
    assert [(await call(sandbox, "GET", "/v2/Flows")).status for _ in range(3)] == [503, 500, 200]


async def test_the_sandbox_itself_does_not_fail(sandbox: Sandbox) -> None:
    """Faults strike at Twilio's paths alone, and only those are in the request log."""
    sandbox.faults.add(Fault("server_error", times=0))
    assert (await call(sandbox, "GET", "/sandbox")).status == 200
    assert not sandbox.requests


def test_an_unknown_kind_is_refused() -> None:
    """A fault that does not exist is said when it is made, and every kind there is can be made."""
    with pytest.raises(ValueError, match="'meteor' is not a valid Kind"):
        Fault("meteor")
    assert [Fault(kind.value).kind for kind in Kind] == list(Kind)
