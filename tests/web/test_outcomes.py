from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from router.ledger.durable import DurableLedger
from router.sandbox.faults import Fault, Kind
from tests.web.kit import AGENT_URL, BILLING, CUSTOMER, REFUNDS, ROUTES, SECRET, UNLISTED, running_router

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.web.kit import Reply, Router

FAILURE = "The handover did not work. Apologise and offer to try again."


def is_told(reply: Reply, outcome: str, message: str | None = None) -> bool:
    """Say whether a reply is the object of that outcome, with everything that the contract names."""
    told = reply.json
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json"
    assert re.fullmatch(r"HO[0-9a-f]{32}", told["handover_id"])
    assert {"outcome", "message", "handover_id"} <= told.keys()
    assert message is None or told["message"] == message
    return bool(told["outcome"] == outcome) and bool(told["message"])


async def test_a_handover_is_told_and_true(router: Router) -> None:
    """``handed_over``: the flow of the intent answers when the sentence arrives, and a moment later alone."""
    reply = await router.call("/tools/support", {"intent": "Money-Back", "name": "Ada"})
    assert is_told(reply, "handed_over", "Ada is refunded")
    assert (reply.json["tool"], reply.json["intent"], reply.json["flow"]) == ("/tools/support", "refund", REFUNDS)
    assert router.flows == [REFUNDS]
    await router.handed_over()
    assert [(each.kind, each.name) for each in router.sandbox.responders(router.conversation)] == [("studio", REFUNDS)]


async def test_the_same_sentence_comes_as_text(router: Router) -> None:
    """Without an Accept header the answer is one sentence of plain text in UTF-8."""
    reply = await router.call("/tools/any", {"wish": "refund"}, headers={"Accept": ""})
    assert (reply.status, reply.text) == (200, "Conversation handed over")
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"


async def test_a_second_call_changes_nothing(router: Router) -> None:
    """``already_handed_over``: the same call again is told the same sentence about the same handover."""
    first = await router.call("/tools/support", {"intent": "billing"})
    await router.handed_over()
    before = router.writes
    reply = await router.call("/tools/support", {"intent": "billing"})
    assert is_told(reply, "already_handed_over", first.json["message"])
    assert reply.json["handover_id"] == first.json["handover_id"]
    assert router.writes == before
    assert router.flows == [BILLING]


async def test_another_intent_that_leads_to_the_same_flow_finds_it_there(router: Router) -> None:
    """Another call, but nothing to do: the flow answers already, and the sentence says so."""
    await router.call("/tools/support", {"intent": "billing"})
    await router.handed_over()
    before = router.writes
    reply = await router.call("/tools/any", {"wish": "billing"})
    assert is_told(reply, "already_handed_over")
    assert "already handed over" in reply.json["message"]
    assert router.writes == before


async def test_an_unlisted_flow_is_declined(router: Router) -> None:
    """``declined``: a ``flowSid`` that is not in ``flows`` is refused without one request to Twilio."""
    reply = await router.call(f"/tools/studio-handover?flowSid={UNLISTED}", {})
    assert is_told(reply, "declined")
    assert reply.json["message"].startswith("Nothing was handed over")
    assert router.sandbox.requests == []


async def test_an_unknown_intent_lists_the_known_ones(router: Router) -> None:
    """``unknown_intent``: the model is told which intents there are, and nothing is asked of Twilio."""
    reply = await router.call("/tools/support", {"intent": "sue you"})
    assert is_told(reply, "unknown_intent")
    assert "refund, billing" in reply.json["message"]
    assert router.sandbox.requests == []


async def test_a_voice_session_is_not_a_conversation(router: Router) -> None:
    """``not_a_conversation``: a session of another channel is told so, and nothing is asked of Twilio."""
    reply = await router.call("/tools/support", {"intent": "refund"}, session="voice__VX0123/CA0123")
    assert is_told(reply, "not_a_conversation")
    assert router.sandbox.requests == []


async def test_a_slow_twilio_leaves_a_call_pending_and_it_goes_on(tmp_path: Path) -> None:
    """``pending``: the deadline answers first, and the handover ends in the background."""
    async with running_router(tmp_path, HANDOVER_DEADLINE="1") as router:
        slow = router.sandbox.faults.add(Fault(Kind.SLOW, path="*/Webhooks", method="POST"))
        reply = await router.call("/tools/support", {"intent": "billing"})
        assert is_told(reply, "pending")
        assert "not confirmed yet" in reply.json["message"]
        slow.release()
        await router.handed_over()
    assert router.flows == [BILLING]


async def test_work_in_flight_outlives_the_server(tmp_path: Path) -> None:
    """A stop waits for a handover that was told as pending: no customer is left between two responders."""
    async with running_router(tmp_path, HANDOVER_DEADLINE="1") as router:
        router.sandbox.faults.add(Fault(Kind.SLOW, path="*/Webhooks", method="POST", delay=1.5))
        assert is_told(await router.call("/tools/support", {"intent": "billing"}), "pending")
        assert router.flows == []
    assert router.flows == [BILLING]
    assert len(router.conversation.webhooks) == 1


async def test_a_stop_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that does not end within the patience of a stop is ended, and the log counts it."""
    monkeypatch.setattr("router.web.lifespan.PATIENCE", 0.05)
    async with running_router(tmp_path, HANDOVER_DEADLINE="0.5") as router:
        router.sandbox.faults.add(Fault(Kind.SLOW, path="*/Webhooks", method="POST"))
        assert is_told(await router.call("/tools/support", {"intent": "billing"}), "pending")
    assert [entry["left"] for entry in router.entries if entry["event"] == "stopped with work in flight"] == [1]


async def test_a_refusal_of_twilio_is_a_failure(router: Router) -> None:
    """``failed``: what Twilio refuses is told as a failure, and the agent still answers the customer."""
    router.sandbox.faults.add(Fault.refused(400, 50099, method="POST", path="*/Webhooks"))
    reply = await router.call("/tools/support", {"intent": "refund"})
    assert is_told(reply, "failed", FAILURE)
    assert [each.name for each in router.sandbox.responders(router.conversation)] == [AGENT_URL]


async def test_a_dry_run_reads_and_does_not_write(router: Router) -> None:
    """``dry_run``: the conversation is looked at, and nothing of it is changed."""
    reply = await router.call("/tools/rehearsal", {})
    assert is_told(reply, "dry_run")
    assert router.sandbox.requests != []
    assert router.writes == []


async def test_an_unknown_conversation_fails_with_its_own_sentence(router: Router) -> None:
    """A conversation that Twilio does not know fails, and the model is told why."""
    session = f"conversations__{router.conversation.service.sid}/CH{'0' * 32}"
    reply = await router.call("/tools/support", {"intent": "refund"}, session=session)
    assert is_told(reply, "failed")
    assert "no such conversation" in reply.json["message"]


async def test_a_fault_of_our_own_is_told_as_a_failure(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model cannot read a 500: our own fault is a failure with the tool's filled sentence, and a log entry."""

    def broken(*_: Any) -> None:
        raise RuntimeError("the ledger broke")

    router.allow_faults = True
    monkeypatch.setattr(DurableLedger, "decide", broken)
    reply = await router.call("/tools/echo", {})
    assert is_told(reply, "failed", f"/tools/echo failed for {CUSTOMER}")
    (fault,) = [entry for entry in router.entries if entry["event"] == "fault"]
    assert fault["handover"] == reply.json["handover_id"]
    assert "the ledger broke" in fault["exception"]
    assert router.writes == []


async def test_calls_at_the_same_time_give_one_handover(router: Router) -> None:
    """Eight equal calls side by side are one: the same outcome, sentence and id to all, and one studio webhook."""
    replies = await asyncio.gather(*(router.call("/tools/support", {"intent": "billing"}) for _ in range(8)))
    assert {reply.json["outcome"] for reply in replies} == {"handed_over"}
    assert len({(reply.json["message"], reply.json["handover_id"]) for reply in replies}) == 1
    await router.handed_over()
    assert [write.split()[0] for write in router.writes] == ["POST", "DELETE"]


async def test_a_caller_that_hangs_up_does_not_stop_its_handover(router: Router) -> None:
    """Who leaves before the answer leaves a conversation with one responder all the same."""
    armed = router.sandbox.faults.add(Fault(Kind.SLOW, path="*/Webhooks", method="POST"))
    session = router.conversation.session
    async with router.connection() as (_reader, writer):
        writer.write(
            f"GET /tools/support?intent=billing HTTP/1.1\r\nHost: x\r\nX-Session-Id: {session}\r\n"
            f"X-Handover-Secret: {SECRET}\r\n\r\n".encode()
        )
        await armed.reached.wait()
    armed.release()
    await router.handed_over()
    assert router.flows == [BILLING]


async def test_a_call_leaves_one_line_in_the_log(router: Router) -> None:
    """The log has the outcome, the route and a masked identity of each call, and no input."""
    await router.call("/tools/support", {"intent": "refund", "name": "Ada Lovelace"})
    router.secrets.append("Lovelace")
    (entry,) = [entry for entry in router.entries if entry["event"] == "handover"]
    assert entry["identity"] == "whatsapp:+1…00"
    assert (entry["outcome"], entry["intent"], entry["flow"]) == ("handed_over", "refund", REFUNDS)
    assert entry["conversation"] == router.conversation.sid
    assert entry["seconds"] >= 0


async def test_the_log_names_twilios_requests(router: Router) -> None:
    """Whoever has to ask Twilio about a handover finds the names that Twilio gave its requests by then."""
    held = router.sandbox.faults.add(Fault(Kind.SLOW, path="*/Webhooks/WH*", method="DELETE"))
    await router.call("/tools/support", {"intent": "refund"})
    (entry,) = [entry for entry in router.entries if entry["event"] == "handover"]
    assert entry["requests"] == [asked.request_id for asked in router.sandbox.requests]
    assert len(entry["requests"]) == 2
    held.release()
    await router.handed_over()


async def test_a_call_that_asks_twilio_nothing_has_no_requests(router: Router) -> None:
    """A refusal that the call itself deserves names no request, also behind another call on the same connection."""
    await router.call("/tools/support", {"intent": "refund"})
    await router.call("/tools/support", {"intent": "sue you"})
    entries = [entry for entry in router.entries if entry["event"] == "handover"]
    assert [bool(entry["requests"]) for entry in entries] == [True, False]


async def test_a_plugin_that_fails_is_counted_and_logged(tmp_path: Path) -> None:
    """A failing plugin is named in the log and in the figures; the call is answered."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "grumpy.py").write_text(
        "from router import hookimpl\n\n\n@hookimpl\ndef before_swap(handover, config):\n    raise ValueError('no')\n"
    )
    routes = ROUTES.replace("tools:\n", "plugins: [{use: grumpy}]\ntools:\n", 1)
    async with running_router(tmp_path, routes) as router:
        reply = await router.call("/tools/any", {})
        assert is_told(reply, "failed", FAILURE)
        (entry,) = [entry for entry in router.entries if entry["event"] == "plugin failed"]
        assert (entry["plugin"], entry["hook"]) == ("grumpy", "before_swap")
        assert entry["handover"] == reply.json["handover_id"]
        figures = (await router.send("GET", "/metrics")).text
        assert 'handover_plugin_failures_total{hook="before_swap",plugin="grumpy"} 1.0' in figures
        assert router.writes == []
