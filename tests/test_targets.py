"""Handovers to what plugins begin, end to end at the sandbox: Flex and executions, and what goes wrong with them."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from router.hand_back import hand_back
from router.handover import hand_over
from router.ledger.decisions import admit
from router.ledger.ledger import Filter, Holder
from router.ledger.row import Duty, Row, State
from router.model.handover import Handover
from router.model.outcome import Outcome
from router.model.routes import Limits
from router.sandbox.faults import Fault, Kind
from router.sandbox.flows import shipped_flows
from router.sandbox.world import ChannelStatus, Status, TaskStatus
from tests.fixtures import running_sandbox
from tests.kit import (
    AGENT_URL,
    BILLING,
    FOREIGN,
    HASTY,
    REFUNDS,
    LeapingClock,
    agents,
    call,
    flows,
    foreign,
    make_round,
    open_desk,
    settled,
    witness,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from router.desk import Desk
    from router.sandbox.faults import ArmedFault
    from router.sandbox.sandbox import Sandbox
    from router.sandbox.world import Conversation

WORKSPACE, WORKFLOW = f"WS{'0' * 32}", f"WW{'0' * 32}"
MORE = f"""# targets
  /tools/human: {{flow: human, hand_back: {{within: 5}}}}
  /tools/callback: {{flow: callback, hand_back: {{within: 5}}}}
  /tools/other: {{flow: human}}
  /tools/bills: {{flow: billing}}
  /tools/dry: {{flow: human, dry_run: true}}
  /tools/named: {{flow: billing, query: [flowSid]}}
plugins:
  - use: flex
    config: {{targets: {{human: {{workspace_sid: {WORKSPACE}, workflow_sid: {WORKFLOW}}}}}}}
  - use: studio-execution
    config: {{targets: {{callback: {{flow_sid: {REFUNDS}, from: "whatsapp:+15550199"}}}}}}
"""


@dataclass(frozen=True)
class Place:
    """A kind of target: its tool, where it is begun, found with and without a reference, and what goes on."""

    name: str
    begin: tuple[str, str]
    look: str
    search: str

    @property
    def tool(self) -> str:
        return f"/tools/{self.name}"

    def going_on(self, sandbox: Sandbox) -> list[str]:
        """List what was begun and goes on."""
        world = sandbox.world
        if self.name == "human":
            return [sid for sid, each in world.interactions.items() if each.status is ChannelStatus.ACTIVE]
        return [sid for sid, each in world.executions.items() if each.status is Status.ACTIVE]


FLEX = Place("human", ("POST", "/v1/Interactions"), "/v1/Interactions/KD*/Channels", "/v1/Workspaces/*/Tasks")
EXECUTION = Place(
    "callback", ("POST", "/v2/Flows/FW*/Executions"), "/v2/Flows/FW*/Executions/FN*", "/v2/Flows/FW*/Executions"
)
PLACES = [pytest.param(place, id=place.name) for place in (FLEX, EXECUTION)]
every_place = pytest.mark.parametrize("place", PLACES)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A stand-in for Twilio whose refunds flow can be started by REST too, and waits for a reply then."""
    definitions = shipped_flows()
    start = definitions[REFUNDS]["states"][0]["transitions"]
    next(each for each in start if each["event"] == "incomingRequest")["next"] = "greet"
    async with running_sandbox(flows=definitions) as running:
        yield running


@pytest.fixture
async def desk(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk with both plugins."""
    async with open_desk(sandbox, tmp_path, MORE) as opened:
        yield opened


def strike(sandbox: Sandbox, request: tuple[str, str], kind: Kind, **how: object) -> ArmedFault:
    """Let a fault lie in wait for a request of a target's."""
    return sandbox.faults.add(Fault(kind, *request, **how))  # type: ignore[arg-type]  # as the fault has them


async def newest(desk: Desk) -> Row:
    return (await desk.ledger.history(Filter(limit=1)))[0]


def later(desk: Desk, seconds: float) -> None:
    assert isinstance(desk.clock, LeapingClock)
    desk.clock.leap(desk.clock.now() + timedelta(seconds=seconds))


async def give_back(conversation: Conversation, desk: Desk) -> Row:
    """Give a conversation back, and let all be done that follows."""
    assert await hand_back(conversation.sid, desk.ledger, desk.clock) is not None
    await settled(desk)
    return await newest(desk)


@every_place
async def test_the_target_is_begun_and_then_the_agent_goes(sandbox: Sandbox, desk: Desk, place: Place) -> None:
    """The row names the target and what was begun; the agent's webhook goes, the others stay."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=FOREIGN[:2])
    answer = await hand_over(call(conversation, place.tool), desk)
    assert (answer.outcome, answer.flow) == (Outcome.HANDED_OVER, place.name)
    await settled(desk)
    (begun,) = place.going_on(sandbox)
    assert (agents(conversation), flows(conversation)) == ([], [])
    assert len(foreign(conversation)) == 2
    row = await newest(desk)
    assert (row.state, row.duty, row.flow) == (State.ACCEPTED, Duty.NONE, place.name)
    assert row.journal.begun == (f"{place.name}:{begun}",)


@every_place
async def test_a_repeat_begins_nothing(sandbox: Sandbox, desk: Desk, place: Place) -> None:
    """The same call, at once and after the window, is told that it is handed over already."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    await hand_over(call(conversation, place.tool), desk)
    await settled(desk)
    at_once = await hand_over(call(conversation, place.tool), desk)
    later(desk, 3000)
    long_after = await hand_over(call(conversation, place.tool), desk)
    await settled(desk)
    assert [each.outcome for each in (at_once, long_after)] == [Outcome.ALREADY_HANDED_OVER] * 2
    assert len(place.going_on(sandbox)) == 1
    row = await newest(desk)
    assert len(row.journal.begun) == 1


@every_place
async def test_one_that_has_ended_is_begun_anew(sandbox: Sandbox, desk: Desk, place: Place) -> None:
    """A repeat is asked whether it is still true; where the target has ended since, it is a new handover."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    await hand_over(call(conversation, place.tool), desk)
    await settled(desk)
    end_all(sandbox)
    assert (await hand_over(call(conversation, place.tool), desk)).outcome is Outcome.HANDED_OVER
    assert len(place.going_on(sandbox)) == 1


@every_place
async def test_a_lost_answer_is_looked_up_beside_what_is_known(sandbox: Sandbox, desk: Desk, place: Place) -> None:
    """What was begun before and has ended hides nothing that was begun since."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    await hand_over(call(conversation, place.tool), desk)
    await settled(desk)
    end_all(sandbox)
    strike(sandbox, place.begin, Kind.CUT_AFTER)
    assert (await hand_over(call(conversation, place.tool), desk)).outcome is Outcome.HANDED_OVER
    assert len(place.going_on(sandbox)) == 1
    await give_back(conversation, desk)
    assert place.going_on(sandbox) == []


async def test_what_studio_puts_back_beside_a_target_goes(sandbox: Sandbox, desk: Desk) -> None:
    """An execution that ran when a target took over puts its webhook back at its end: it is removed then."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    await hand_over(call(conversation, "/tools/bills"), desk)
    await settled(desk)
    await sandbox.customer_says(conversation, "My bill is wrong")
    await sandbox.settled()
    (execution,) = sandbox.world.executions.values()
    assert (await hand_over(call(conversation, FLEX.tool), desk)).outcome is Outcome.HANDED_OVER
    await desk.background.drain(20)
    assert await make_round(desk)
    assert flows(conversation) == []
    sandbox.end(execution)
    assert flows(conversation) == [BILLING]
    await settled(desk)
    assert (flows(conversation), len(FLEX.going_on(sandbox)), agents(conversation)) == ([], 1, [])


def end_all(sandbox: Sandbox) -> None:
    """Let all that was begun come to its end by itself."""
    for interaction in sandbox.world.interactions.values():
        interaction.status, interaction.task_status = ChannelStatus.INACTIVE, TaskStatus.COMPLETED
    for execution in sandbox.world.executions.values():
        sandbox.end(execution)


@every_place
@pytest.mark.parametrize("kind", [Kind.CUT_AFTER, Kind.BAD_JSON])
async def test_a_lost_answer_is_looked_up(sandbox: Sandbox, desk: Desk, place: Place, kind: Kind) -> None:
    """What was begun although no answer came is found at once, and not begun twice."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    fault = strike(sandbox, place.begin, kind)
    assert (await hand_over(call(conversation, place.tool), desk)).outcome is Outcome.HANDED_OVER
    await settled(desk)
    assert fault.hits == 1
    (begun,) = place.going_on(sandbox)
    assert agents(conversation) == []
    assert (await newest(desk)).journal.begun == (f"{place.name}:{begun}",)


@every_place
async def test_what_is_found_late_is_accepted(sandbox: Sandbox, desk: Desk, place: Place) -> None:
    """Where it cannot be looked up at once the model is told that it is pending; the agent goes once it is found."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    strike(sandbox, place.begin, Kind.CUT_AFTER)
    strike(sandbox, ("GET", place.search), Kind.REFUSED, status=400, skip=1)
    assert (await hand_over(call(conversation, place.tool), desk)).outcome is Outcome.PENDING
    assert len(agents(conversation)) == 1
    await settled(desk)
    row = await newest(desk)
    (begun,) = place.going_on(sandbox)
    assert (row.state, row.journal.begun) == (State.ACCEPTED, (f"{place.name}:{begun}",))
    assert agents(conversation) == []


@every_place
async def test_what_was_not_begun_is_never_begun_late(sandbox: Sandbox, desk: Desk, place: Place) -> None:
    """A start of which nothing is known is not repeated, neither by the rounds nor by a call; the agent stays."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    strike(sandbox, place.begin, Kind.CUT_BEFORE)
    first = await hand_over(call(conversation, place.tool), desk)
    assert first.outcome is Outcome.PENDING
    assert await make_round(desk)
    assert (await newest(desk)).duty is Duty.SETTLE
    again = await hand_over(call(conversation, place.tool), desk)
    assert (again.outcome, again.handover_id) == (Outcome.PENDING, first.handover_id)
    await settled(desk)
    assert (await newest(desk)).state is State.FAILED
    assert place.going_on(sandbox) == []
    assert len(agents(conversation)) == 1
    later(desk, 100)
    assert (await hand_over(call(conversation, place.tool), desk)).outcome is Outcome.HANDED_OVER


async def test_another_tool_does_not_begin_what_may_have_been(sandbox: Sandbox, desk: Desk) -> None:
    """While nobody knows what came of a start, another call for the same target fails, and the row is settled."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    strike(sandbox, FLEX.begin, Kind.CUT_BEFORE)
    assert (await hand_over(call(conversation, FLEX.tool), desk)).outcome is Outcome.PENDING
    other = await hand_over(call(conversation, "/tools/other"), desk)
    assert other.outcome is Outcome.FAILED
    assert "nobody knows yet" in other.detail
    await settled(desk)
    assert FLEX.going_on(sandbox) == []
    assert len(agents(conversation)) == 1


@every_place
async def test_one_that_turns_up_late_goes_again(sandbox: Sandbox, desk: Desk, place: Place) -> None:
    """A flow took over while nobody knew what came of a start: what turns up then is stopped."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    strike(sandbox, place.begin, Kind.CUT_BEFORE)
    assert (await hand_over(call(conversation, place.tool), desk)).outcome is Outcome.PENDING
    assert (await hand_over(call(conversation, "/tools/bills"), desk)).outcome is Outcome.HANDED_OVER
    await desk.background.drain(20)
    row = await newest(desk)
    await desk.targets[place.name].start(replace(handover(conversation), flow=place.name), desk.twilio)
    assert len(place.going_on(sandbox)) == 1
    await settled(desk)
    assert place.going_on(sandbox) == []
    assert (row.flow, flows(conversation), agents(conversation)) == (BILLING, [BILLING], [])


@every_place
async def test_one_that_a_dead_call_brings_late_goes_again(sandbox: Sandbox, desk: Desk, place: Place) -> None:
    """It had taken over another dead call's handover, and neither came about: it is stopped, and not begun again."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    for number, flow in enumerate((BILLING, place.name)):
        now, dead = desk.clock.now(), Holder(f"dead {number}", -1)
        wish = Row(f"HO{number:032x}", conversation.sid, conversation.ref.service, now, flow=flow, key=flow)
        decision = partial(admit, wish=wish.change(identity="whatsapp:+1…00"), limits=Limits(), holder=dead, now=now)
        await desk.ledger.decide(conversation.sid, decision)
    assert await make_round(desk)
    assert (await newest(desk)).state is State.FAILED
    await desk.targets[place.name].start(replace(handover(conversation), flow=place.name), desk.twilio)
    for execution in sandbox.world.executions.values():
        sandbox.resume_conversation(execution, conversation)
    seen = witness(sandbox, conversation)
    await settled(desk)
    assert {row.state for row in await desk.ledger.history(Filter())} == {State.FAILED}
    assert (place.going_on(sandbox), flows(conversation), len(agents(conversation))) == ([], [], 1)
    assert len(sandbox.world.interactions) + len(sandbox.world.executions) == 1
    assert all(seen)


def handover(conversation: Conversation) -> Handover:
    return Handover(
        "HO1", "/tools/x", "", "", "", conversation.sid, conversation.service.sid, identity="whatsapp:+15550100"
    )


@every_place
async def test_a_refusal_changes_nothing(sandbox: Sandbox, desk: Desk, place: Place) -> None:
    """The model is told that it failed; the agent stays. Twilio's code is about the target, not the conversation."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    strike(sandbox, place.begin, Kind.REFUSED, status=404, code=20404)
    answer = await hand_over(call(conversation, place.tool), desk)
    assert (answer.outcome, answer.key) == (Outcome.FAILED, "failure")
    assert f"the target '{place.name}' of the plugin" in answer.detail
    await settled(desk)
    assert (place.going_on(sandbox), len(agents(conversation))) == ([], 1)
    assert (await newest(desk)).state is State.FAILED


@every_place
async def test_no_place_is_needed(sandbox: Sandbox, desk: Desk, place: Place) -> None:
    """In a full house the target is begun and only then the agent goes; the way back puts it back to its place."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=FOREIGN[:4])
    assert (await hand_over(call(conversation, place.tool), desk)).outcome is Outcome.HANDED_OVER
    await settled(desk)
    assert (len(agents(conversation)), len(foreign(conversation))) == (0, 4)
    row = await give_back(conversation, desk)
    assert (row.state, place.going_on(sandbox)) == (State.COMPLETED, [])
    assert (len(agents(conversation)), len(foreign(conversation))) == (1, 4)


@every_place
async def test_the_agent_on_the_service_is_not_touched(sandbox: Sandbox, desk: Desk, place: Place) -> None:
    """Nothing is removed and nothing put back; the target is begun, and stopped on the way back."""
    conversation = sandbox.open_conversation(service_url=AGENT_URL, webhooks=FOREIGN)
    assert (await hand_over(call(conversation, place.tool), desk)).outcome is Outcome.HANDED_OVER
    assert len(place.going_on(sandbox)) == 1
    await settled(desk)
    row = await give_back(conversation, desk)
    assert (row.state, place.going_on(sandbox)) == (State.COMPLETED, [])
    assert len(conversation.webhooks) == 5


@every_place
async def test_the_way_back(sandbox: Sandbox, desk: Desk, place: Place) -> None:
    """The agent answers again first; then the target is stopped, also where its first stop is lost."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    await hand_over(call(conversation, place.tool), desk)
    await settled(desk)
    strike(sandbox, ("POST", f"{place.look}*"), Kind.CUT_BEFORE)
    row = await give_back(conversation, desk)
    assert (row.state, row.duty) == (State.COMPLETED, Duty.NONE)
    assert (place.going_on(sandbox), len(agents(conversation))) == ([], 1)


@every_place
async def test_from_a_flow_and_back_to_it(sandbox: Sandbox, desk: Desk, place: Place) -> None:
    """The flow's webhook is released for a target, and the target stopped for the flow."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    await hand_over(call(conversation, "/tools/bills"), desk)
    await settled(desk)
    assert (await hand_over(call(conversation, place.tool), desk)).outcome is Outcome.HANDED_OVER
    await settled(desk)
    assert (flows(conversation), len(place.going_on(sandbox)), agents(conversation)) == ([], 1, [])
    assert (await hand_over(call(conversation, "/tools/bills"), desk)).outcome is Outcome.HANDED_OVER
    await settled(desk)
    assert (flows(conversation), place.going_on(sandbox), agents(conversation)) == ([BILLING], [], [])
    await give_back(conversation, desk)
    assert (flows(conversation), len(agents(conversation))) == ([], 1)


async def test_from_one_target_to_another(sandbox: Sandbox, desk: Desk) -> None:
    """What went on before is stopped once the new one is begun."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    await hand_over(call(conversation, FLEX.tool), desk)
    await settled(desk)
    assert (await hand_over(call(conversation, EXECUTION.tool), desk)).outcome is Outcome.HANDED_OVER
    await settled(desk)
    assert (FLEX.going_on(sandbox), len(EXECUTION.going_on(sandbox)), agents(conversation)) == ([], 1, [])


async def test_a_webhook_that_an_execution_brings_is_its_own(sandbox: Sandbox, desk: Desk) -> None:
    """Resume Conversation attaches a studio webhook of the flow: it stays, is met, and goes with the execution."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    await hand_over(call(conversation, EXECUTION.tool), desk)
    (execution,) = sandbox.world.executions.values()
    sandbox.resume_conversation(execution, conversation)
    await settled(desk)
    assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])
    again = await hand_over(call(conversation, EXECUTION.tool), desk)
    assert again.outcome is Outcome.ALREADY_HANDED_OVER
    assert (await hand_over(call(conversation, FLEX.tool), desk)).outcome is Outcome.HANDED_OVER
    await settled(desk)
    assert (flows(conversation), EXECUTION.going_on(sandbox), len(FLEX.going_on(sandbox))) == ([], [], 1)


async def test_an_execution_gives_its_conversation_back(sandbox: Sandbox, desk: Desk) -> None:
    """It is waited for as for any flow's, and its own webhook goes with it."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    await hand_over(call(conversation, EXECUTION.tool), desk)
    (execution,) = sandbox.world.executions.values()
    sandbox.resume_conversation(execution, conversation)
    await settled(desk)
    assert await hand_back(conversation.sid, desk.ledger, desk.clock, execution.sid) is not None
    assert await make_round(desk)
    assert (len(agents(conversation)), flows(conversation)) == (1, [REFUNDS])
    assert await make_round(desk)
    assert execution.status is Status.ACTIVE
    sandbox.end(execution)
    await settled(desk)
    assert (len(agents(conversation)), flows(conversation)) == (1, [])
    assert (await newest(desk)).state is State.COMPLETED


@every_place
@pytest.mark.parametrize("is_begun", [True, False])
async def test_a_crash_between_start_and_word_is_settled(
    sandbox: Sandbox, desk: Desk, place: Place, *, is_begun: bool
) -> None:
    """The process died in the middle: what it had begun is found and accepted; where it had not, the agent answers."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    now = desk.clock.now()
    row = Row(
        "HO" + "1" * 32,
        conversation.sid,
        conversation.service.sid,
        now,
        tool=place.tool,
        flow=place.name,
        identity="whatsapp:+1…00",
        duty=Duty.SETTLE,
        owed=now,
        due=now,
    )
    await desk.ledger.decide(conversation.sid, lambda _rows: (None, (row,)))
    if is_begun:
        await desk.targets[place.name].start(handover(conversation), desk.twilio)
    await settled(desk)
    found = await newest(desk)
    if is_begun:
        (begun,) = place.going_on(sandbox)
        assert (found.state, found.journal.begun) == (State.ACCEPTED, (f"{place.name}:{begun}",))
        assert agents(conversation) == []
    else:
        assert (found.state, place.going_on(sandbox), len(agents(conversation))) == (State.FAILED, [], 1)


@every_place
async def test_a_start_that_hangs_is_told_as_pending(sandbox: Sandbox, tmp_path: Path, place: Place) -> None:
    """The answer leaves in time; what was begun is found then, and the agent goes."""
    async with open_desk(sandbox, tmp_path, MORE, limits=HASTY, deadline=0.5) as desk:
        conversation = sandbox.open_conversation(agent_url=AGENT_URL)
        strike(sandbox, place.begin, Kind.SLOW_AFTER)
        strike(sandbox, ("GET", place.search), Kind.SLOW, skip=1)
        assert (await hand_over(call(conversation, place.tool), desk)).outcome is Outcome.PENDING
        sandbox.faults.clear()
        await settled(desk)
        assert (len(place.going_on(sandbox)), agents(conversation)) == (1, [])


@every_place
async def test_a_target_that_ends_lets_the_agent_answer(sandbox: Sandbox, desk: Desk, place: Place) -> None:
    """While the conversation is looked at again a target that is over is not begun anew: the agent is put back."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    strike(sandbox, place.begin, Kind.CUT_AFTER)  # an answer that was lost is looked after for two minutes
    await hand_over(call(conversation, place.tool), desk)
    await desk.background.drain(20)
    assert agents(conversation) == []
    end_all(sandbox)
    await settled(desk)
    assert (place.going_on(sandbox), len(agents(conversation))) == ([], 1)


async def test_what_cannot_be_asked_decides_nothing(sandbox: Sandbox, desk: Desk) -> None:
    """While a target cannot say whether it goes on, nothing is changed, and the call fails."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    await hand_over(call(conversation, FLEX.tool), desk)
    await settled(desk)
    strike(sandbox, ("GET", FLEX.look), Kind.REFUSED, status=403, code=20003, times=0)
    answer = await hand_over(call(conversation, "/tools/bills"), desk)
    assert (answer.outcome, flows(conversation)) == (Outcome.FAILED, [])
    assert len(FLEX.going_on(sandbox)) == 1


async def test_a_target_whose_plugin_is_gone(sandbox: Sandbox, desk: Desk, tmp_path: Path) -> None:
    """The way back puts the agent back all the same; the row stays open and says why; other handovers go on."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    await hand_over(call(conversation, FLEX.tool), desk)
    await settled(desk)
    stream = io.StringIO()
    (tmp_path / "other").mkdir()
    bills = "# more\n  /tools/bills: {flow: billing}\n"
    async with open_desk(sandbox, tmp_path / "other", bills, stream=stream) as opened:
        without = replace(opened, ledger=desk.ledger, clock=desk.clock)
        assert await hand_back(conversation.sid, desk.ledger, desk.clock) is not None
        for _round in range(5):
            await make_round(without)
        row = await newest(desk)
        assert (row.duty, row.state) == (Duty.HAND_BACK, State.ACCEPTED)
        assert row.reason == "target: no plugin registers the target 'human' any more: switch its plugin on again"
        assert len(agents(conversation)) == 1
        later(desk, 1)
        assert (await hand_over(call(conversation, "/tools/bills"), without)).outcome is Outcome.HANDED_OVER
        assert "target gone" in stream.getvalue()


async def test_a_dry_run_begins_nothing(sandbox: Sandbox, desk: Desk) -> None:
    """It looks whether the target goes on already, and writes nothing."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    assert (await hand_over(call(conversation, "/tools/dry"), desk)).outcome is Outcome.DRY_RUN
    await settled(desk)
    assert (FLEX.going_on(sandbox), len(agents(conversation))) == ([], 1)
    assert any(entry.path.endswith("/Tasks") for entry in sandbox.requests)


async def test_a_guard_may_name_a_target(sandbox: Sandbox, tmp_path: Path) -> None:
    """The name of a target is on the allow-list of guards like a flow's."""
    guard = "@hookimpl\ndef before_swap(handover): return handover.replace(flow='human')"
    more = MORE.replace("plugins:\n", "plugins:\n  - use: sends\n")
    async with open_desk(sandbox, tmp_path, more, plugins={"sends": guard}) as desk:
        conversation = sandbox.open_conversation(agent_url=AGENT_URL)
        answer = await hand_over(call(conversation, "/tools/bills"), desk)
        assert (answer.outcome, answer.flow) == (Outcome.HANDED_OVER, "human")
        await settled(desk)
        assert len(FLEX.going_on(sandbox)) == 1


async def test_the_url_names_no_target(sandbox: Sandbox, desk: Desk) -> None:
    """``flowSid`` is a Flow SID of 'flows', and nothing else."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    asked = replace(call(conversation, "/tools/named"), url_inputs={"flowSid": "human"})
    assert (await hand_over(asked, desk)).outcome is Outcome.DECLINED
    assert FLEX.going_on(sandbox) == []


async def test_without_an_address_an_execution_is_declined(sandbox: Sandbox, desk: Desk) -> None:
    """Before anything is read or changed the model is told what is missing."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    answer = await hand_over(call(conversation, EXECUTION.tool, identity=None), desk)
    assert answer.outcome is Outcome.DECLINED
    assert "which telephone number" in answer.message
    assert sandbox.requests == []


async def test_two_calls_at_once_begin_one(sandbox: Sandbox, desk: Desk) -> None:
    """The second waits for the first, and is told the same."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    answers = await asyncio.gather(*(hand_over(call(conversation, FLEX.tool), desk) for _ in range(2)))
    assert {answer.outcome for answer in answers} == {Outcome.HANDED_OVER}
    await settled(desk)
    assert len(FLEX.going_on(sandbox)) == 1
