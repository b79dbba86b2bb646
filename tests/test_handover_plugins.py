"""Plugins inside a whole handover: who chooses the intent, and what stands around the writes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from router.handover import hand_over
from router.hooks.calls import Call
from router.ledger.ledger import Filter
from router.line import Line
from router.model.messages import Messages
from router.model.outcome import Outcome
from router.sandbox.faults import Kind
from tests.kit import (
    AGENT_URL,
    BILLING,
    CREATE,
    LIST,
    REFUNDS,
    REHEARSED,
    TOOL,
    agents,
    arm,
    asked,
    call,
    flows,
    open_desk,
    settled,
)

if TYPE_CHECKING:
    from pathlib import Path

    from router.model.call import ToolCall
    from router.model.routes import PluginUse
    from router.sandbox.sandbox import Sandbox
    from router.sandbox.world import Conversation

CHOICE = "/tools/choice"
ROUTES = f"""# more tools
  {CHOICE}:
    messages: {{failure: "No luck with {{input.order}}."}}
    intents:
      refund: {{flow: refunds, aliases: [money back]}}
      billing: {{flow: billing, messages: {{success: "{{intent}} goes on."}}}}
plugins: [{{use: chooser}}]
"""
CHOOSER = """
import asyncio

@hookimpl
async def choose_intent(call, tool):
    wish = call.body_inputs.get("wish")
    if wish == "crash":
        raise ValueError("no such model")
    if wish == "hang":
        await asyncio.Event().wait()
    return wish
"""
AROUND = """
import asyncio
from contextlib import asynccontextmanager

@hookimpl
@asynccontextmanager
async def around_swap(handover, config):
    print("in", handover.flow)
    if config.get("declines"):
        raise Decline("Not at this hour.")
    try:
        yield
    except BaseException as error:
        print("saw", type(error).__name__)
        raise
    finally:
        print("out")
    raise ValueError("never felt")
"""


def wishing(conversation: Conversation, **inputs: str) -> ToolCall:
    return replace(call(conversation, CHOICE), body_inputs=inputs)


@pytest.mark.parametrize(
    ("inputs", "flow"),
    [
        ({"intent": "refund"}, REFUNDS),
        ({"intent": "refund", "wish": "billing"}, BILLING),
        ({"wish": "Money-Back"}, REFUNDS),
    ],
)
async def test_a_plugin_may_choose_the_intent(
    sandbox: Sandbox, tmp_path: Path, inputs: dict[str, str], flow: str
) -> None:
    """What it chooses goes before what the inputs name; where it chooses none, they decide."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path, ROUTES, plugins={"chooser": CHOOSER}) as desk:
        answer = await hand_over(wishing(conversation, **inputs), desk)
        await settled(desk)
    assert (answer.outcome, answer.flow) == (Outcome.HANDED_OVER, flow)
    assert flows(conversation) == [flow]
    if flow == BILLING:
        assert (answer.intent, answer.message) == ("billing", "billing goes on.")


async def test_a_chooser_that_fails_ends_the_call_before_anything_is_touched(sandbox: Sandbox, tmp_path: Path) -> None:
    """The model is told the tool's own sentence, and the log why."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path, ROUTES, plugins={"chooser": CHOOSER}) as desk:
        answer = await hand_over(wishing(conversation, wish="crash", intent="refund", order="A-17"), desk)
        assert await desk.ledger.next_due() is None
    assert (answer.outcome, answer.message, answer.key) == (Outcome.FAILED, "No luck with A-17.", "failure")
    assert answer.detail.startswith("plugin 'chooser' failed in choose_intent: ValueError: no such model")
    assert sandbox.requests == []


async def test_the_choice_counts_into_the_deadline(sandbox: Sandbox, tmp_path: Path) -> None:
    """A call whose chooser hangs is answered in time, and nothing goes on."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path, ROUTES, plugins={"chooser": CHOOSER}, deadline=0.1) as desk:
        async with asyncio.timeout(0.9):
            answer = await hand_over(wishing(conversation, wish="hang", intent="refund"), desk)
        assert len(desk.background) == 0
    assert (answer.outcome, answer.message) == (Outcome.FAILED, Messages().busy)
    assert sandbox.requests == []


async def test_nobody_is_asked_where_there_is_nothing_to_choose(sandbox: Sandbox, tmp_path: Path) -> None:
    """A tool without intents, a call without a conversation, a fragment with faults: the chooser hears of none."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path, ROUTES, plugins={"chooser": CHOOSER}) as desk:
        crash = {"wish": "crash"}
        lost = replace(wishing(conversation, **crash), conversation=None)
        assert (await hand_over(lost, desk)).outcome is Outcome.NOT_A_CONVERSATION
        tools = desk.routes.tools
        broken = replace(desk.routes, tools={**tools, CHOICE: replace(tools[CHOICE], out_of_order=True)})
        answer = await hand_over(wishing(conversation, **crash), replace(desk, routes=broken))
        assert (answer.outcome, answer.key) == (Outcome.FAILED, "out_of_order")
        answer = await hand_over(replace(call(conversation), body_inputs=crash), desk)
        assert answer.outcome is Outcome.HANDED_OVER
        await settled(desk)


async def test_nobody_chooses_where_the_line_is_full(sandbox: Sandbox, tmp_path: Path) -> None:
    """The call is told so at once."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    line = Line(queue=0)
    async with open_desk(sandbox, tmp_path, ROUTES, plugins={"chooser": CHOOSER}, line=line) as desk:
        answer = await hand_over(wishing(conversation, wish="billing"), desk)
    assert (answer.outcome, answer.key, answer.intent) == (Outcome.FAILED, "busy", "")


def around(config: str = "") -> str:
    return f"plugins: [{{use: around, config: {{{config}}}}}]\n"


async def test_plugins_stand_around_the_writes(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Entered when all was read and nothing written; what goes wrong on leaving is never felt."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path, around(), plugins={"around": AROUND}) as desk:
        held = arm(sandbox, conversation, CREATE, Kind.SLOW)
        work = asyncio.create_task(hand_over(call(conversation), desk))
        await held.reached.wait()
        assert capsys.readouterr().out == f"in {REFUNDS}\n"
        assert asked(sandbox, conversation)[:1] == [LIST]
        held.release()
        assert (await work).outcome is Outcome.HANDED_OVER
        await settled(desk)
        assert desk.plugins.figures["around", "around_swap"].last_error.startswith("ValueError: never felt")
    assert capsys.readouterr().out == "out\n"
    assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])


async def test_they_see_that_a_swap_failed(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the model is told what Twilio said, not what a plugin made of it."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, CREATE, Kind.REFUSED, times=9)
    async with open_desk(sandbox, tmp_path, around(), plugins={"around": AROUND}) as desk:
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.FAILED
        await settled(desk)
    assert capsys.readouterr().out.splitlines() == [f"in {REFUNDS}", "saw SwapFailed", "out"]
    assert len(agents(conversation)) == 1


async def test_one_may_decline_before_the_first_write(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nothing is changed, the model is told its sentence, and the ledger whose it is."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path, around("declines: true"), plugins={"around": AROUND}) as desk:
        answer = await hand_over(call(conversation), desk)
        await settled(desk)
        (row,) = await desk.ledger.history(Filter(conversation=conversation.sid))
    assert answer.detail == row.reason == "plugin 'around' declined"
    assert (answer.outcome, answer.message) == (Outcome.DECLINED, "Not at this hour.")
    assert [method for method, _path in asked(sandbox, conversation)] == ["GET"]


NOTING = """
@hookimpl
@asynccontextmanager
async def around_swap(handover, twilio):
    url = f"https://conversations.twilio.com/v1/Services/{handover.service}/Conversations/{handover.conversation}"
    await twilio.request("POST", url, form={"Attributes": '{"theirs": 1}'})
    yield

@hookimpl
def add_attributes():
    return {"ours": 2}
"""


@pytest.mark.parametrize("enters", [True, False])
async def test_attributes_that_came_before_the_writes_are_kept(
    sandbox: Sandbox, tmp_path: Path, *, enters: bool
) -> None:
    """What was written while plugins were entered is read before ours is; nobody else pays for that look."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    source = "from contextlib import asynccontextmanager\n" + (NOTING if enters else NOTING[NOTING.rindex("@hook") :])
    async with open_desk(sandbox, tmp_path, around(), plugins={"around": source}) as desk:
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.HANDED_OVER
        await settled(desk)
    assert json.loads(conversation.attributes) == ({"theirs": 1} if enters else {}) | {"ours": 2}
    assert asked(sandbox, conversation).count(LIST) == (2 if enters else 1)


@pytest.mark.parametrize("tool", [TOOL, REHEARSED])
async def test_they_are_not_entered_where_nothing_is_written(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str], tool: str
) -> None:
    """Not for a dry run, and not where the flow answers already."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path, around(), plugins={"around": AROUND}) as desk:
        if tool == TOOL:
            await hand_over(call(conversation), replace(desk, plugins=type(desk.plugins).of(())))
            await settled(desk)
        answer = await hand_over(call(conversation, tool), replace(desk, ledger=type(desk.ledger)(desk.clock)))  # type: ignore[call-arg]  # the one in memory
        await settled(desk)
    assert answer.outcome is (Outcome.ALREADY_HANDED_OVER if tool == TOOL else Outcome.DRY_RUN)
    assert capsys.readouterr().out == ""


async def test_the_end_of_the_server_unwinds_them(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a plugin opened around a swap is closed, also where the swap is cancelled in the middle."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    held = arm(sandbox, conversation, CREATE, Kind.SLOW)
    async with open_desk(sandbox, tmp_path, around(), plugins={"around": AROUND}, deadline=0.1) as desk:
        work = asyncio.create_task(hand_over(call(conversation), desk))
        await held.reached.wait()
        await work
        assert await desk.background.drain(0) == 1
        held.release()
    assert capsys.readouterr().out.splitlines() == [f"in {REFUNDS}", "saw CancelledError", "out"]


async def test_a_route_pays_only_for_its_own_plugins(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A route that switches its only plugin off calls none; for another, the second handover works out no call anew."""
    worked_out: list[str] = []
    of = Call.of

    def noted(impl: Any, hook: str, used: PluginUse, plugin: Any) -> Call:
        worked_out.append(hook)
        return of(impl, hook, used, plugin)

    monkeypatch.setattr(Call, "of", noted)
    free = f"# more tools\n  /tools/free: {{flow: refunds, plugins: {{around: false}}}}\n{around()}"
    async with open_desk(sandbox, tmp_path, free, plugins={"around": AROUND}) as desk:
        for tool, called in (("/tools/free", 0), (TOOL, 2), (TOOL, 4)):
            conversation = sandbox.open_conversation(agent_url=AGENT_URL)
            assert (await hand_over(call(conversation, tool), desk)).outcome is Outcome.HANDED_OVER
            await settled(desk)
            assert sum(each.calls for each in desk.plugins.figures.values()) == called
            assert worked_out == ["around_swap"][:called]
