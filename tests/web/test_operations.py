from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from router.errors import LedgerError
from router.ledger.durable import DurableLedger
from router.sandbox.faults import Fault, Kind
from tests.web.kit import ADMIN, BILLING, CUSTOMER, OLD_TOKEN, REFUNDS, ROUTES, SECRET, running_router

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from router.ledger.row import Row
    from tests.web.kit import Router

DEAF = """
from router import hookimpl

@hookimpl
def plugin_info():
    return {"background": True}

@hookimpl
async def after_swap():
    raise RuntimeError("it hears nothing")
"""


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


async def test_one_tool_is_counted_as_one(tmp_path: Path) -> None:
    """The line is a sentence for people."""
    tools = "tools: {/tools/support: {flow: FW00000000000000000000000000000001}}\n"
    async with running_router(tmp_path, routes="version: 1\nauth: [twilio_signature]\n" + tools) as router:
        assert "\nconfig: 1 tool, digest " in (await router.send("GET", "/readyz")).text


async def test_a_ledger_that_does_not_work_is_not_ready(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    """What keeps the ledger from working is a 503 with the reason; the process is alive all the same."""

    async def fail(_ledger: DurableLedger) -> None:
        raise LedgerError("the disk is full")

    monkeypatch.setattr(DurableLedger, "probe", fail)
    reply = await router.send("GET", "/readyz")
    assert reply.status == 503
    assert reply.text.startswith("not ready\n")
    assert "ledger: the disk is full" in reply.text
    assert (await router.send("GET", "/healthz")).status == 200


async def test_a_ledger_that_does_not_work_at_the_start_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The app does not start, and its log names the ledger, without a traceback."""
    (tmp_path / "handovers.db").mkdir()
    with pytest.raises(RuntimeError, match="did not start"):
        async with running_router(tmp_path) as _router:
            raise AssertionError("it started")
    assert capsys.readouterr().err == ""


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
        'handover_seconds_count{intent="refund",outcome="handed_over",tool="/tools/support"} 1.0',
        'handover_sentences_total{sentence="unknown_intent",tool="/tools/support"} 1.0',
        'handover_twilio_requests_total{operation="create_webhook",status="201"} 1.0',
        'handover_twilio_requests_total{operation="list_webhooks",status="200"} 2.0',
    ):
        assert line in reply.text.splitlines()
    conversation = router.conversation
    people = [found.sid for found in conversation.participants]
    hidden = [SECRET, ADMIN, OLD_TOKEN, router.sandbox.auth_token, router.sandbox.account_sid, "Lovelace", "nonsense"]
    for text in (*hidden, *people, conversation.sid, conversation.service.sid, CUSTOMER.partition(":")[2], "/no/such"):
        assert text not in reply.text


async def test_the_figures_tell_what_is_owed(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many handovers are open, by what is owed, and for how long; without a ledger there are none."""
    router.sandbox.faults.add(Fault(Kind.RATE_LIMITED, "DELETE", "*/Webhooks/WH*", times=0))
    assert (await router.call("/tools/support", {"intent": "billing"})).json["outcome"] == "handed_over"
    desk = router.app.state.reloader.live.desk
    async with asyncio.timeout(10):
        while len(desk.background):
            await asyncio.sleep(0.01)

    async def figures() -> dict[str, float]:
        lines = (await router.send("GET", "/metrics")).text.splitlines()
        found = (
            line.rpartition(" ") for line in lines if line.startswith(("handover_open{", "handover_o", "handover_l"))
        )
        return {name: float(value) for name, _space, value in found}

    told = await figures()
    assert (told['handover_open{duty="tidy"}'], told['handover_open{duty="restore"}']) == (1, 0)
    assert 0 < told["handover_oldest_open_seconds"] < 60
    assert told["handover_ledger_works"] == 1
    assert told["handover_ledger_commit_seconds_count"] > 0

    async def fail(_ledger: DurableLedger) -> None:
        raise LedgerError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(DurableLedger, "figures", fail)
        blind = await figures()
    assert blind["handover_ledger_works"] == 0
    assert not {name for name in blind if name.startswith(("handover_open", "handover_oldest"))}
    router.sandbox.faults.clear()
    async with asyncio.timeout(10):
        while (await figures())['handover_open{duty="tidy"}']:
            await asyncio.sleep(0.05)
    assert (await figures())["handover_oldest_open_seconds"] == 0


async def test_the_figures_tell_who_has_not_heard(tmp_path: Path) -> None:
    """How many handovers a plugin is still to be told of, and since when; and what it will not hear any more."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "deaf.py").write_text(DEAF)
    async with running_router(tmp_path, routes=ROUTES + "plugins: [use: deaf]\n") as router:
        live = router.app.state.reloader.live
        await router.call("/tools/support", {"intent": "billing"})

        async def figures() -> dict[str, float]:
            lines = (await router.send("GET", "/metrics")).text.splitlines()
            found = (line.rpartition(" ") for line in lines if line.startswith("handover_news"))
            return {name: float(value) for name, _space, value in found}

        async with asyncio.timeout(10):
            while not live.desk.plugins.figures:
                await asyncio.sleep(0.01)
        told = await figures()
        assert told["handover_news_open"] == 1
        assert 0 < told["handover_news_oldest_seconds"] < 60

        def wear_out(rows: Sequence[Row]) -> tuple[None, Sequence[Row]]:
            (row,) = rows
            return None, [row.change(news=tuple(replace(each, attempts=10, due=row.created) for each in row.news))]

        await live.desk.ledger.decide(router.conversation.sid, wear_out)
        live.desk.owed.set()
        async with asyncio.timeout(10):
            while (await figures())["handover_news_open"]:
                await asyncio.sleep(0.05)
        told = await figures()
        assert told["handover_news_oldest_seconds"] == 0
        assert told['handover_news_given_up_total{hook="after_swap",plugin="deaf"}'] == 1


async def test_two_apps_count_apart(router: Router, tmp_path: Path) -> None:
    """Two apps in one process have figures of their own."""
    await router.call("/tools/echo", {})
    async with running_router(tmp_path) as other:
        assert 'tool="/tools/echo"' not in (await other.send("GET", "/metrics")).text
        assert (await other.call("/tools/echo", {})).json["outcome"] == "handed_over"
        assert other.writes != router.writes
    assert REFUNDS in router.flows
    assert BILLING not in router.flows


async def test_a_setting_that_is_none_is_told_at_the_start(tmp_path: Path) -> None:
    """A slip in a setting's name is a line of the log, by name alone, and the router serves all the same."""
    async with running_router(tmp_path, HANDOVER_TOKN="12345678") as router:
        assert (await router.send("GET", "/readyz")).status == 200
        (told,) = [entry["told"] for entry in router.entries if entry["event"] == "settings"]
        assert told.startswith("HANDOVER_TOKN is no setting")
        assert "12345678" not in router.log.getvalue()
