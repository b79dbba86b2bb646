"""Plugins that are asked before a conversation goes back to the agent."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import pytest

from router.clock import Clock
from router.hand_back import going_back
from router.ledger.ledger import Holder
from router.ledger.memory import MemoryLedger
from router.ledger.row import Duty, Row, State
from tests.web.kit import REFUNDS, ROUTES, SECRET, running_router

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.web.kit import Reply, Router

GUARD = """
import asyncio
from router import Decline, hookimpl

CALLS = []

@hookimpl
async def before_hand_back(handover, config, twilio):
    CALLS.append(handover.id)
    print(handover.intent, handover.flow, handover.identity, handover.inputs, len(CALLS), flush=True)
    if config["mood"] == "refuse":
        raise Decline("This one\\nstays with us.")
    if config["mood"] == "crash":
        raise ValueError("no such +15550100 queue")
    if config["mood"] == "hang":
        await asyncio.Event().wait()
"""


def config(mood: str) -> str:
    return ROUTES + f"plugins: [{{use: guard, config: {{mood: {mood}}}}}]\n"


def write(directory: Path) -> None:
    (directory / "plugins").mkdir(exist_ok=True)
    (directory / "plugins" / "guard.py").write_text(GUARD)


async def hand_over(router: Router) -> str:
    reply = await router.call("/tools/support", {"intent": "refund", "name": "Lovelace"})
    await router.handed_over()
    return str(reply.json["handover_id"])


async def give_back(router: Router) -> Reply:
    headers = {"Content-Type": "application/json", "X-Handover-Secret": SECRET}
    body = json.dumps({"conversation": router.conversation.sid}).encode()
    return await router.send("POST", "/-/hand-back", headers=headers, body=body)


async def test_a_guard_may_refuse_the_way_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The flow is answered 409 with its sentence, and goes on; the guard knows no address and no input."""
    write(tmp_path)
    async with running_router(tmp_path, config("refuse")) as router:
        handover_id = await hand_over(router)
        for _ in range(2):
            reply = await give_back(router)
            said = {"outcome": "declined", "message": "This one stays with us.", "handover_id": handover_id}
            assert (reply.status, reply.json) == (409, said)
        assert len(router.flows) == 1
        told = [entry for entry in router.entries if entry["event"] == "hand_back declined"]
        assert [(entry["handover"], entry["plugin"]) for entry in told] == [(handover_id, "guard")] * 2
        assert not [entry for entry in router.entries if entry["event"] == "hand_back"]
    first, _second = capfd.readouterr().out.splitlines()
    assert first == f"refund {REFUNDS} whatsapp:+1…00 {{}} 1"


@pytest.mark.parametrize("mood", ["crash", "hang"])
async def test_a_guard_that_fails_stops_nothing(tmp_path: Path, mood: str) -> None:
    """A flow that is about to end must not leave the customer alone; the failure is logged and counted."""
    write(tmp_path)
    async with running_router(tmp_path, config(mood)) as router:
        await hand_over(router)
        reply = await give_back(router)
        assert (reply.status, reply.json["outcome"]) == (200, "handed_back")
        (entry,) = [entry for entry in router.entries if entry["event"] == "plugin failed"]
        assert (entry["plugin"], entry["hook"]) == ("guard", "before_hand_back")


async def test_a_hand_back_is_answered_within_the_deadline(tmp_path: Path) -> None:
    """Guards get half of it; what they have not decided by then stops nothing, and the log says so."""
    write(tmp_path)
    async with running_router(tmp_path, config("hang"), HANDOVER_DEADLINE="0.8") as router:
        await hand_over(router)
        begun = time.monotonic()
        reply = await give_back(router)
        assert time.monotonic() - begun < 1
        assert (reply.status, reply.json["outcome"] in {"handed_back", "handing_back"}) == (200, True)
        (entry,) = [entry for entry in router.entries if entry["event"] == "hand_back unguarded"]
        assert entry["reason"] == "the plugins did not decide within half of the deadline"


async def test_a_guard_is_asked_once_for_each_way_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A repeat of the request is told how it went, and where nothing was handed over there is nothing to ask."""
    write(tmp_path)
    async with running_router(tmp_path, config("agree")) as router:
        assert (await give_back(router)).status == 404
        await hand_over(router)
        for _ in range(2):
            assert (await give_back(router)).json["outcome"] == "handed_back"
    assert len(capfd.readouterr().out.splitlines()) == 1


async def test_what_somebody_has_in_hand_is_waited_for() -> None:
    """Another process has the conversation in hand: which handover goes back is known when it lets go."""
    clock = Clock()
    ledger, now = MemoryLedger(clock), clock.now()
    before = Row("HO1", "CH1", "IS1", now, flow="FW1", state=State.ACCEPTED, finished=now)
    held = Row("HO2", "CH1", "IS1", now, flow="FW2", duty=Duty.SETTLE).hold(Holder("another", 60), now)

    async def keep(*rows: Row) -> None:
        def decision(_rows: Sequence[Row]) -> tuple[None, Sequence[Row]]:
            return None, rows

        await ledger.decide("CH1", decision)

    await keep(before)
    await keep(held)
    asking = asyncio.create_task(going_back("CH1", ledger, clock))
    await asyncio.sleep(0)
    assert not asking.done()
    await keep(held.change(state=State.FAILED).close(now))
    async with asyncio.timeout(5):
        found = await asking
    assert found is not None
    assert found.id == "HO1"
