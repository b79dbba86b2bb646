"""``POST /-/hand-back`` as a flow, a person and a stranger meet it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from router.errors import LedgerError
from router.ledger.durable import DurableLedger
from router.sandbox.faults import Fault, Kind
from tests.web.kit import ADMIN, AGENT_URL, PUBLIC, SECRET, hashed, running_router

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.web.kit import Reply, Router

PATH = "/-/hand-back"
EXECUTION = "FN" + "a" * 32
FORM = "application/x-www-form-urlencoded"


async def hand_over(router: Router) -> str:
    """Hand the conversation over, and give the id of its handover."""
    reply = await router.call("/tools/support", {"intent": "refund"})
    await router.handed_over()
    return str(reply.json["handover_id"])


async def ask(router: Router, headers: Mapping[str, str], **given: str) -> Reply:
    body = json.dumps({"conversation": router.conversation.sid, **given}).encode()
    return await router.send("POST", PATH, headers={"Content-Type": "application/json", **headers}, body=body)


async def came_back(router: Router) -> None:
    """Wait until the agent answers alone."""
    async with asyncio.timeout(5):
        while [found.name for found in router.sandbox.responders(router.conversation)] != [AGENT_URL]:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("names", [("conversation", "execution"), ("ConversationSid", "ExecutionSid")])
async def test_a_flow_asks_with_a_signed_form(router: Router, names: tuple[str, str]) -> None:
    """In our words or Twilio's: it is told that the agent answers again, and that is true."""
    handover_id = await hand_over(router)
    form = dict(zip(names, (router.conversation.sid, EXECUTION), strict=True))
    reply = await router.signed(PATH, urlencode(form).encode(), form=form)
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json")
    assert (reply.json["outcome"], reply.json["handover_id"]) == ("handed_back", handover_id)
    assert AGENT_URL in [found.name for found in router.sandbox.responders(router.conversation)]
    (entry,) = [entry for entry in router.entries if entry["event"] == "hand_back"]
    assert (entry["handover"], entry["execution"]) == (handover_id, EXECUTION)


async def test_a_flow_asks_with_signed_json(router: Router) -> None:
    """With the hash of its body in the URL, as Twilio signs what is no form."""
    await hand_over(router)
    body = json.dumps({"conversation": router.conversation.sid}).encode()
    reply = await router.signed(hashed(PATH, body), body)
    assert (reply.status, reply.json["outcome"]) == (200, "handed_back")


@pytest.mark.parametrize("headers", [{"X-Handover-Secret": SECRET}, {"Authorization": f"Bearer {ADMIN}"}])
async def test_a_person_asks_with_a_secret(router: Router, headers: dict[str, str]) -> None:
    """The shared secret or the operators' token; the agent answers again, and a second request is told so."""
    handover_id = await hand_over(router)
    reply = await ask(router, headers)
    assert (reply.status, reply.json["outcome"], reply.json["handover_id"]) == (200, "handed_back", handover_id)
    await came_back(router)
    again = await ask(router, headers)
    assert (again.status, again.json["outcome"], again.json["handover_id"]) == (200, "handed_back", handover_id)


async def test_a_stranger_is_not_let_in(router: Router) -> None:
    """Without proof, with a signature of another body or another token: 403, and nothing comes back."""
    await hand_over(router)
    form = {"conversation": router.conversation.sid}
    body = urlencode(form).encode()
    for reply in (
        await ask(router, {}),
        await ask(router, {"X-Handover-Secret": "wrong"}),
        await ask(router, {"Authorization": f"Bearer {SECRET}x"}),
        await router.signed(PATH, body, form={**form, "conversation": "CH" + "0" * 32}),
        await router.signed(PATH, body, form=form, url=f"{PUBLIC}/tools/support"),
    ):
        assert (reply.status, reply.text) == (403, "Forbidden")
    assert [entry for entry in router.entries if entry["event"] == "hand_back"] == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "'conversation' is missing"),
        ({"conversation": ""}, "'conversation' is missing"),
        ({"conversation": "CH1"}, "'conversation' is no SID"),
        ({"conversation": 7}, "'conversation' is no SID"),
        ({"ConversationSid": "../x"}, "'ConversationSid' is no SID"),
        ({"conversation": "CH" + "0" * 32, "execution": "CH" + "0" * 32}, "'execution' is no SID"),
    ],
)
async def test_what_cannot_be_meant_is_named(router: Router, given: dict[str, object], said: str) -> None:
    """400 says which parameter is wrong and what was expected."""
    headers = {"X-Handover-Secret": SECRET, "Content-Type": "application/json"}
    reply = await router.send("POST", PATH, headers=headers, body=json.dumps(given).encode())
    assert reply.status == 400
    assert said in reply.text
    assert "32 hex digits" in reply.text


async def test_what_cannot_be_read_is_refused(router: Router) -> None:
    """Broken JSON is 400, too much is 413, another method 405."""
    headers = {"X-Handover-Secret": SECRET, "Content-Type": "application/json"}
    assert (await router.send("POST", PATH, headers=headers, body=b"{")).status == 400
    assert (await router.send("POST", PATH, headers=headers, body=b" " * 70_000)).status == 413
    assert (await router.send("GET", PATH, headers=headers)).status == 405


async def test_what_was_never_handed_over_is_not_found(router: Router) -> None:
    """404 with words that a flow can read."""
    reply = await ask(router, {"X-Handover-Secret": SECRET})
    assert (reply.status, reply.json["outcome"], reply.json["handover_id"]) == (404, "not_handed_over", "")


async def test_a_ledger_that_does_not_work_is_told(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    """503: nothing was noted, so the flow may ask again; it goes on answering meanwhile."""
    await hand_over(router)

    async def fail(*_: object) -> None:
        raise LedgerError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(DurableLedger, "decide", fail)
        reply = await ask(router, {"X-Handover-Secret": SECRET})
    assert (reply.status, reply.json["outcome"]) == (503, "failed")
    said = [entry for entry in router.entries if entry["event"] == "unrecorded" and "conversation" in entry]
    assert [(entry["conversation"], entry["reason"]) for entry in said] == [
        (router.conversation.sid, "the disk is full")
    ]
    assert (await ask(router, {"X-Handover-Secret": SECRET})).status == 200


async def test_a_slow_twilio_is_not_waited_for_longer_than_a_call(tmp_path: Path) -> None:
    """The agent is not there by the deadline: the flow is told ``handing_back``, and it comes about all the same."""
    async with running_router(tmp_path, HANDOVER_DEADLINE="0.5") as router:
        handover_id = await hand_over(router)
        held = router.sandbox.faults.add(Fault(Kind.SLOW, path="*/Webhooks", method="POST"))
        reply = await ask(router, {"X-Handover-Secret": SECRET})
        assert (reply.status, reply.json["outcome"], reply.json["handover_id"]) == (200, "handing_back", handover_id)
        held.release()
        await came_back(router)


async def test_a_handover_under_way_is_not_waited_for_longer_than_a_call(tmp_path: Path) -> None:
    """A flow that answers asks back while another handover hangs: 503, so that its widget asks again."""
    async with running_router(tmp_path, HANDOVER_DEADLINE="0.5") as router:
        await hand_over(router)
        held = router.sandbox.faults.add(Fault(Kind.SLOW, path="*/Webhooks/WH*", method="POST"))
        other = asyncio.create_task(router.call("/tools/support", {"intent": "billing"}))
        await held.reached.wait()
        reply = await ask(router, {"X-Handover-Secret": SECRET})
        assert (reply.status, reply.json["outcome"]) == (503, "failed")
        assert "under way" in reply.json["message"]
        held.release()
        assert (await other).json["outcome"] == "pending"
        await eventually_not_held(router)
        assert (await ask(router, {"X-Handover-Secret": SECRET})).status == 200


@pytest.mark.parametrize("decisions", [0, 1], ids=["the note", "the look"])
async def test_a_ledger_that_hangs_is_not_waited_for_longer_than_a_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decisions: int
) -> None:
    """503, in time and not untrue: whether it was noted or not, the flow had better ask again than end now."""
    async with running_router(tmp_path, HANDOVER_DEADLINE="0.5") as router:
        await hand_over(router)
        decide, left, works = DurableLedger.decide, iter(range(decisions)), asyncio.Event()

        async def hang(ledger: DurableLedger, *given: Any) -> object:
            if next(left, None) is None:
                await works.wait()
            return await decide(ledger, *given)

        monkeypatch.setattr(DurableLedger, "decide", hang)
        async with asyncio.timeout(4):
            reply = await ask(router, {"X-Handover-Secret": SECRET})
        assert (reply.status, reply.json["outcome"]) == (503, "failed")
        assert "the ledger does not answer" in reply.json["message"]
        works.set()
        assert (await ask(router, {"X-Handover-Secret": SECRET})).status == 200
        await came_back(router)


async def eventually_not_held(router: Router) -> None:
    desk = router.app.state.reloader.live.desk
    async with asyncio.timeout(5):
        while len(desk.background):
            await asyncio.sleep(0.01)
