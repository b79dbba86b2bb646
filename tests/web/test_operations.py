from __future__ import annotations

from typing import TYPE_CHECKING

from router.ledger.memory import MemoryLedger
from tests.web.kit import ADMIN, BILLING, CUSTOMER, OLD_TOKEN, REFUNDS, SECRET, running_router

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.web.kit import Router


async def test_alive_is_said_without_proof(router: Router) -> None:
    """``/healthz`` answers whoever asks, and asks nobody."""
    reply = await router.send("GET", "/healthz")
    assert (reply.status, reply.text) == (200, "alive\n")
    assert (await router.send("HEAD", "/healthz")).status == 200
    assert router.sandbox.requests == []


async def test_ready_gives_its_reasons(router: Router) -> None:
    """``/readyz`` says what is loaded and that the ledger can be reached."""
    reply = await router.send("GET", "/readyz")
    first, config, ledger = reply.text.splitlines()
    assert (reply.status, first, ledger) == (200, "ready", "ledger: reachable")
    assert config.startswith("config: 5 tools, digest ")


async def test_a_ledger_that_does_not_work_is_not_ready(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    """What keeps the ledger from working is a 503 with the reason; the process is alive all the same."""
    monkeypatch.setattr(MemoryLedger, "faults", lambda _self: ("the disk is full",))
    reply = await router.send("GET", "/readyz")
    assert reply.status == 503
    assert reply.text.startswith("not ready\n")
    assert "ledger: the disk is full" in reply.text
    assert (await router.send("GET", "/healthz")).status == 200


async def test_the_figures_count_and_tell_nothing_of_a_customer(router: Router) -> None:
    """``/metrics`` counts by tool, intent, outcome and operation; no secret, SID of a person or address is in it."""
    await router.call("/tools/support", {"intent": "refund", "name": "Lovelace"})
    await router.call("/tools/support", {"intent": "refund"})
    await router.call("/tools/support", {"intent": "nonsense from the model"})
    await router.call("/no/such/path", {})
    reply = await router.send("GET", "/metrics")
    assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    for line in (
        'handover_calls_total{intent="refund",outcome="handed_over",tool="/tools/support"} 1.0',
        'handover_calls_total{intent="refund",outcome="already_handed_over",tool="/tools/support"} 1.0',
        'handover_calls_total{intent="",outcome="unknown_intent",tool="/tools/support"} 1.0',
        'handover_seconds_count{tool="/tools/support"} 3.0',
        'handover_twilio_requests_total{operation="create_webhook",status="201"} 1.0',
        'handover_twilio_requests_total{operation="list_webhooks",status="200"} 2.0',
    ):
        assert line in reply.text.splitlines()
    conversation = router.conversation
    people = [found.sid for found in conversation.participants]
    hidden = [SECRET, ADMIN, OLD_TOKEN, router.sandbox.auth_token, router.sandbox.account_sid, "Lovelace", "nonsense"]
    for text in (*hidden, *people, conversation.sid, conversation.service.sid, CUSTOMER.partition(":")[2], "/no/such"):
        assert text not in reply.text


async def test_two_apps_count_apart(router: Router, tmp_path: Path) -> None:
    """Two apps in one process have figures of their own."""
    await router.call("/tools/echo", {})
    async with running_router(tmp_path) as other:
        assert 'tool="/tools/echo"' not in (await other.send("GET", "/metrics")).text
        assert (await other.call("/tools/echo", {})).json["outcome"] == "handed_over"
        assert other.writes != router.writes
    assert REFUNDS in router.flows
    assert BILLING not in router.flows
