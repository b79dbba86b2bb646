"""The line before Twilio: who waits, who is answered at once, and that nobody has to wait for ever."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from router.handover import hand_over
from router.line import Line
from router.model.messages import Messages
from router.model.outcome import Outcome
from router.sandbox.faults import Kind
from tests.kit import AGENT_URL, LIST, arm, asked, call, flows, open_desk, settled, until

if TYPE_CHECKING:
    from pathlib import Path

    from router.sandbox.sandbox import Sandbox

SENTENCES = Messages()


async def test_who_asks_plugins_first_counts_too() -> None:
    """A call whose intent plugins choose is in flight while they do, and no more when they have."""
    line = Line(queue=1)
    with line.counted():
        assert line.is_full
    assert not line.is_full


async def test_a_line_is_full_with_as_many_calls_as_its_queue_holds() -> None:
    """A call counts before it has done anything; each that ends, also by an error, makes room for one."""
    line, ends = Line(places=1, queue=2), [asyncio.Event(), asyncio.Event()]

    async def work(end: asyncio.Event) -> None:
        await end.wait()
        raise KeyError

    calls = [asyncio.create_task(work(end)) for end in ends]
    seen = []
    for each in calls:
        seen.append(line.is_full)
        line.join(each)
    seen.append(line.is_full)
    ends[0].set()
    await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    assert [*seen, line.is_full] == [False, False, True, False]
    ends[1].set()
    assert [type(error) for error in await asyncio.gather(*calls, return_exceptions=True)] == [KeyError, KeyError]


async def test_where_the_line_is_full_a_call_is_answered_at_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """One call more would only wait: it is told that we are busy, and nothing of it is begun."""
    first, second = (sandbox.open_conversation(agent_url=AGENT_URL) for _ in range(2))
    held = arm(sandbox, first, LIST, Kind.SLOW)
    async with open_desk(sandbox, tmp_path, line=Line(places=1, queue=1)) as desk:
        waiting = asyncio.create_task(hand_over(call(first), desk))
        await held.reached.wait()
        async with asyncio.timeout(1):
            answer = await hand_over(call(second), desk)
        assert (answer.outcome, answer.message, answer.key) == (Outcome.FAILED, SENTENCES.busy, "busy")
        assert (asked(sandbox, second), len(desk.background)) == ([], 1)
        held.release()
        assert (await waiting).outcome is Outcome.HANDED_OVER
        await settled(desk)
        assert (await hand_over(call(second), desk)).outcome is Outcome.HANDED_OVER


async def test_a_call_that_did_not_begin_by_its_deadline_never_does(sandbox: Sandbox, tmp_path: Path) -> None:
    """All places are taken until it is too late: the model is told that nothing happened, and that stays true."""
    first, second = (sandbox.open_conversation(agent_url=AGENT_URL) for _ in range(2))
    held = arm(sandbox, first, LIST, Kind.SLOW)
    async with open_desk(sandbox, tmp_path, line=Line(places=1), deadline=0.2) as desk:
        waiting = asyncio.create_task(hand_over(call(first), desk))
        await held.reached.wait()
        late = await hand_over(call(second), desk)
        assert (late.outcome, late.message, late.key) == (Outcome.FAILED, SENTENCES.busy, "busy")
        assert (await waiting).outcome is Outcome.PENDING
        held.release()
        await settled(desk)
    assert (flows(second), asked(sandbox, second)) == ([], [])
    assert len(flows(first)) == 1


OBSERVER = """
import asyncio

@hookimpl
async def after_swap():
    await asyncio.Event().wait()

@hookimpl
async def swap_failed():
    await asyncio.Event().wait()
"""
CRASH = """
@hookimpl
def before_swap():
    raise ValueError
"""


@pytest.mark.parametrize(("guard", "outcome"), [("", Outcome.HANDED_OVER), (CRASH, Outcome.FAILED)])
async def test_observers_keep_nobody_in_the_line(
    sandbox: Sandbox, tmp_path: Path, guard: str, outcome: Outcome
) -> None:
    """A handover whose observers hang is over for the line, however it went; the next one may begin."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    plugins, use = {"observer": OBSERVER + guard}, "plugins: [{use: observer, on_error: stop}]\n"
    async with open_desk(sandbox, tmp_path, use, plugins=plugins, line=Line(queue=1)) as desk:
        assert (await hand_over(call(conversation), desk)).outcome is outcome
        await until(lambda: not desk.line.is_full)
        assert len(desk.background) == 1
