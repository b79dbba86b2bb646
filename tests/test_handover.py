"""The use case as a whole: the deadline, the guards, the attributes, the observers."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from router.handover import hand_over
from router.model.call import ToolCall
from router.model.messages import Messages
from router.model.outcome import Outcome
from router.model.sids import is_sid
from router.model.webhook import WebhookSpec
from router.sandbox.faults import Kind
from tests.kit import (
    AGENT_URL,
    BILLING,
    CREATE,
    DELETE,
    FETCH,
    FOREIGN,
    HASTY,
    LIST,
    REFUNDS,
    REHEARSED,
    SUCCESS,
    TOOL,
    UNLISTED,
    WRITE,
    agents,
    arm,
    asked,
    call,
    flows,
    open_desk,
    settled,
    until,
    writes,
)

if TYPE_CHECKING:
    from pathlib import Path

    from router.sandbox.sandbox import Sandbox
    from router.sandbox.world import Conversation

SENTENCES = Messages()

OBSERVER = """
import json, pathlib

def note(config, *words):
    with pathlib.Path(config["file"]).open("a") as file:
        print(json.dumps(words), file=file)

@hookimpl
def after_swap(handover, outcome, config):
    note(config, "after_swap", handover.id, handover.flow, str(outcome))

@hookimpl
def swap_failed(handover, error, config):
    note(config, "swap_failed", handover.id, handover.flow, type(error).__name__)
"""


def observed(directory: Path) -> list[list[str]]:
    file = directory / "notes.txt"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def observing(directory: Path, *before: str) -> str:
    entries = [*before, f"{{use: observer, config: {{file: {directory}/notes.txt}}}}"]
    return f"plugins: [{', '.join(entries)}]\n"


def attributes(conversation: Conversation) -> Any:
    return json.loads(conversation.attributes)


async def test_a_call_without_a_conversation_asks_twilio_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """A refusal that the call itself deserves is told at once, under an id of its own."""
    async with open_desk(sandbox, tmp_path) as desk:
        answer = await hand_over(ToolCall(TOOL, "ai_assistants"), desk)
    assert (answer.outcome, answer.message) == (Outcome.NOT_A_CONVERSATION, SENTENCES.not_a_conversation)
    assert is_sid("HO", answer.handover_id)
    assert sandbox.requests == []


async def test_a_path_that_is_no_tools_is_the_callers_fault(sandbox: Sandbox, tmp_path: Path) -> None:
    """Whoever asks for a tool that is not in the routes gets a KeyError, and nothing is begun."""
    async with open_desk(sandbox, tmp_path) as desk:
        with pytest.raises(KeyError):
            await hand_over(ToolCall("/tools/none", "ai_assistants"), desk)
        assert len(desk.background) == 0


async def test_the_deadline_is_kept_and_the_swap_goes_on(sandbox: Sandbox, tmp_path: Path) -> None:
    """Where Twilio is slow, ``pending`` is told in time, and the handover is made and observed afterwards."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    held = arm(sandbox, conversation, LIST, Kind.SLOW)
    plugins = {"observer": OBSERVER}
    async with open_desk(sandbox, tmp_path, observing(tmp_path), plugins=plugins, deadline=0.1) as desk:
        async with asyncio.timeout(1):
            answer = await hand_over(call(conversation), desk)
        assert (answer.outcome, answer.message) == (Outcome.PENDING, SENTENCES.pending)
        assert observed(tmp_path) == []
        held.release()
        await settled(desk)
    assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])
    assert observed(tmp_path) == [["after_swap", answer.handover_id, REFUNDS, "handed_over"]]


async def test_what_is_true_by_the_deadline_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    """The flow answers, only the agent's webhook is not gone yet: that is a handover, and the rest is finished."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    held = arm(sandbox, conversation, DELETE, Kind.SLOW)
    async with open_desk(sandbox, tmp_path, deadline=0.3) as desk:
        answer = await hand_over(call(conversation), desk)
        assert (answer.outcome, answer.message) == (Outcome.HANDED_OVER, SUCCESS)
        assert len(agents(conversation)) == 1
        held.release()
        await settled(desk)
    assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])


async def test_a_delete_that_fails_is_made_up_for(sandbox: Sandbox, tmp_path: Path) -> None:
    """A delete that fails after the create is no failed handover: the agent's webhook is removed a little later."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, DELETE, Kind.UNAVAILABLE, times=3)
    async with open_desk(sandbox, tmp_path) as desk:
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.HANDED_OVER
        assert len(agents(conversation)) == 1
        await settled(desk)
    assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])
    assert asked(sandbox, conversation) == [LIST, CREATE, DELETE, DELETE, DELETE, LIST, DELETE]


async def test_a_caller_that_hangs_up_ends_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """A swap that has begun is brought to its end though nobody waits for the answer any more."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL, webhooks=FOREIGN[:4])
    held = arm(sandbox, conversation, DELETE, Kind.SLOW_AFTER)
    async with open_desk(sandbox, tmp_path) as desk:
        waiting = asyncio.create_task(hand_over(call(conversation), desk))
        await until(lambda: not agents(conversation))
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        held.release()
        await settled(desk)
    assert flows(conversation) == [REFUNDS]


async def test_a_repeat_while_the_outcome_is_unknown_is_told_the_same(sandbox: Sandbox, tmp_path: Path) -> None:
    """A second call after ``pending`` is the same handover, which is under way and not confirmed; one flow comes."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, CREATE, Kind.SLOW_AFTER, delay=0.5)
    arm(sandbox, conversation, LIST, Kind.UNAVAILABLE, skip=1, times=3)
    async with open_desk(sandbox, tmp_path, limits=HASTY) as desk:
        first = await hand_over(call(conversation), desk)
        second = await hand_over(call(conversation), desk)
        await settled(desk)
    assert first.outcome is Outcome.PENDING
    assert (second.outcome, second.message, second.handover_id) == (first.outcome, first.message, first.handover_id)
    assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])


async def test_an_error_of_our_own_is_raised(sandbox: Sandbox, tmp_path: Path) -> None:
    """What is neither Twilio's doing nor a plugin's is not told as if it were."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path, may_break=True) as desk:
        await desk.gateway.__aexit__()  # type: ignore[attr-defined]  # a gateway that is not open
        with pytest.raises(RuntimeError, match="not open"):
            await hand_over(call(conversation), desk)


async def test_a_guard_declines_with_its_own_sentence(sandbox: Sandbox, tmp_path: Path) -> None:
    """The model gets the guard's words, Twilio is asked nothing, and no observer is told."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    guard = """
    @hookimpl
    def before_swap(handover):
        raise Decline("Our refunds desk is closed until Monday.")
    """
    plugins = {"guard": guard, "observer": OBSERVER}
    async with open_desk(sandbox, tmp_path, observing(tmp_path, "{use: guard}"), plugins=plugins) as desk:
        answer = await hand_over(call(conversation), desk)
        await settled(desk)
    assert (answer.outcome, answer.message) == (Outcome.DECLINED, "Our refunds desk is closed until Monday.")
    assert sandbox.requests == []
    assert len(agents(conversation)) == 1
    assert observed(tmp_path) == []


async def test_a_guard_may_choose_another_listed_flow(sandbox: Sandbox, tmp_path: Path) -> None:
    """It names it by alias; the flow's SID is what is attached, answered and observed, with the guard's sentence."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    guard = """
    @hookimpl
    def before_swap(handover):
        return handover.replace(flow="billing", message="Billing takes over.")
    """
    plugins = {"guard": guard, "observer": OBSERVER}
    async with open_desk(sandbox, tmp_path, observing(tmp_path, "{use: guard}"), plugins=plugins) as desk:
        first = await hand_over(call(conversation), desk)
        second = await hand_over(call(conversation), desk)
        await settled(desk)
    assert (first.outcome, first.message, first.flow) == (Outcome.HANDED_OVER, "Billing takes over.", BILLING)
    assert (second.outcome, second.flow) == (Outcome.ALREADY_HANDED_OVER, BILLING)
    assert flows(conversation) == [BILLING]
    assert [told[2:] for told in observed(tmp_path)] == [[BILLING, "handed_over"]]


async def test_a_guard_cannot_choose_a_flow_that_is_not_listed(sandbox: Sandbox, tmp_path: Path) -> None:
    """The allow-list holds for plugins too: the handover fails, nothing is changed, and the detail names the flow."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    guard = f"""
    @hookimpl
    def before_swap(handover):
        return handover.replace(flow="{UNLISTED}")
    """
    plugins = {"guard": guard, "observer": OBSERVER}
    async with open_desk(sandbox, tmp_path, observing(tmp_path, "{use: guard}"), plugins=plugins) as desk:
        answer = await hand_over(call(conversation), desk)
        await settled(desk)
    assert (answer.outcome, answer.message) == (Outcome.FAILED, SENTENCES.failure)
    assert UNLISTED in answer.detail
    assert "guard" in answer.detail
    assert sandbox.requests == []
    assert observed(tmp_path) == [["swap_failed", answer.handover_id, REFUNDS, "PluginFailed"]]


@pytest.mark.parametrize(
    ("on_error", "outcome", "attached"), [("stop", Outcome.FAILED, []), ("continue", Outcome.HANDED_OVER, [REFUNDS])]
)
async def test_a_guards_crash_does_what_its_entry_says(
    sandbox: Sandbox, tmp_path: Path, on_error: str, outcome: Outcome, attached: list[str]
) -> None:
    """``stop`` ends the handover with nothing changed, ``continue`` goes on as if the guard were not there."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    guard = """
    @hookimpl
    def before_swap(handover):
        raise RuntimeError("it broke")
    """
    routes = f"plugins: [{{use: guard, on_error: {on_error}}}]"
    async with open_desk(sandbox, tmp_path, routes, plugins={"guard": guard}) as desk:
        assert (await hand_over(call(conversation), desk)).outcome is outcome
    assert flows(conversation) == attached


CONTRIBUTOR = """
@hookimpl
def add_attributes(handover):
    return {"ours": {"id": handover.id, "text": "x" * SIZE}}
"""


def contributor(on_error: str = "stop", size: int = 0) -> tuple[str, dict[str, str]]:
    source = CONTRIBUTOR.replace("SIZE", str(size))
    return f"plugins: [{{use: notes, on_error: {on_error}}}]", {"notes": source}


def with_attributes(sandbox: Sandbox, text: str = '{"theirs": [1, "ü"]}') -> Conversation:
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    conversation.attributes = text
    return conversation


async def test_attributes_are_written_before_the_flow_can_read_them(sandbox: Sandbox, tmp_path: Path) -> None:
    """They are read beside the webhooks, written before the create, and what others wrote is kept."""
    conversation = with_attributes(sandbox)
    routes, plugins = contributor()
    async with open_desk(sandbox, tmp_path, routes, plugins=plugins) as desk:
        answer = await hand_over(call(conversation), desk)
    assert answer.outcome is Outcome.HANDED_OVER
    assert writes(sandbox, conversation) == [WRITE, CREATE, DELETE]
    assert attributes(conversation) == {"theirs": [1, "ü"], "ours": {"id": answer.handover_id, "text": ""}}


async def test_attributes_of_a_repeat_are_not_written(sandbox: Sandbox, tmp_path: Path) -> None:
    """The flow is there already and has read its attributes: a second call leaves them alone."""
    conversation = with_attributes(sandbox)
    sandbox.world.add_webhook(conversation, WebhookSpec.studio(REFUNDS))
    routes, plugins = contributor()
    async with open_desk(sandbox, tmp_path, routes, plugins=plugins) as desk:
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.ALREADY_HANDED_OVER
    assert attributes(conversation) == {"theirs": [1, "ü"]}


@pytest.mark.parametrize("text", ["no JSON", "[1]"])
@pytest.mark.parametrize(
    ("on_error", "outcome", "attached"), [("stop", Outcome.FAILED, []), ("continue", Outcome.HANDED_OVER, [REFUNDS])]
)
async def test_attributes_are_never_written_after_a_read_that_failed(
    sandbox: Sandbox, tmp_path: Path, text: str, on_error: str, outcome: Outcome, attached: list[str]
) -> None:
    """A write replaces the whole, so what cannot be read is not written over: it fails, or goes on without."""
    conversation = with_attributes(sandbox, text)
    routes, plugins = contributor(on_error)
    async with open_desk(sandbox, tmp_path, routes, plugins=plugins) as desk:
        assert (await hand_over(call(conversation), desk)).outcome is outcome
    assert WRITE not in asked(sandbox, conversation)
    assert (conversation.attributes, flows(conversation)) == (text, attached)


async def test_attributes_that_twilio_does_not_give_are_not_written(sandbox: Sandbox, tmp_path: Path) -> None:
    """A refused read is a failed read."""
    conversation = with_attributes(sandbox)
    arm(sandbox, conversation, FETCH, Kind.REFUSED, status=401, code=20003)
    routes, plugins = contributor()
    async with open_desk(sandbox, tmp_path, routes, plugins=plugins) as desk:
        answer = await hand_over(call(conversation), desk)
    assert (answer.outcome, answer.message) == (Outcome.FAILED, SENTENCES.failure)
    assert writes(sandbox, conversation) == []


@pytest.mark.parametrize(
    ("on_error", "outcome", "attached"), [("stop", Outcome.FAILED, []), ("continue", Outcome.HANDED_OVER, [REFUNDS])]
)
async def test_attributes_over_the_limit_are_not_written(
    sandbox: Sandbox, tmp_path: Path, on_error: str, outcome: Outcome, attached: list[str]
) -> None:
    """More than 16 kB with what others wrote: it fails, or goes on without, and theirs are untouched."""
    conversation = with_attributes(sandbox, json.dumps({"theirs": "y" * 9000}))
    routes, plugins = contributor(on_error, size=9000)
    async with open_desk(sandbox, tmp_path, routes, plugins=plugins) as desk:
        assert (await hand_over(call(conversation), desk)).outcome is outcome
    assert attributes(conversation) == {"theirs": "y" * 9000}
    assert flows(conversation) == attached


async def test_attributes_of_a_failed_handover_are_taken_back(sandbox: Sandbox, tmp_path: Path) -> None:
    """Where the create is refused, our keys are gone again and those of others are there."""
    conversation = with_attributes(sandbox)
    arm(sandbox, conversation, CREATE, Kind.REFUSED, code=50367)
    routes, plugins = contributor()
    async with open_desk(sandbox, tmp_path, routes, plugins=plugins) as desk:
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.FAILED
    assert attributes(conversation) == {"theirs": [1, "ü"]}


async def test_a_dry_run_writes_no_attributes_and_tells_no_observer(sandbox: Sandbox, tmp_path: Path) -> None:
    """It reads the attributes that it would have written, and after_swap is not called for what did not happen."""
    conversation = with_attributes(sandbox)
    routes = observing(tmp_path, "{use: notes}")
    plugins = {**contributor()[1], "observer": OBSERVER}
    async with open_desk(sandbox, tmp_path, routes, plugins=plugins) as desk:
        assert (await hand_over(call(conversation, REHEARSED), desk)).outcome is Outcome.DRY_RUN
        await settled(desk)
    assert FETCH in asked(sandbox, conversation)
    assert {entry.method for entry in sandbox.requests} == {"GET"}
    assert observed(tmp_path) == []


async def test_observers_hear_what_went_wrong(sandbox: Sandbox, tmp_path: Path) -> None:
    """``swap_failed`` gets what Twilio said, and the handover that it was about."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, CREATE, Kind.REFUSED, code=50367)
    plugins = {"observer": OBSERVER}
    async with open_desk(sandbox, tmp_path, observing(tmp_path), plugins=plugins) as desk:
        answer = await hand_over(call(conversation), desk)
        await settled(desk)
    assert observed(tmp_path) == [["swap_failed", answer.handover_id, REFUNDS, "TwilioRefused"]]
    assert "code 50367" in answer.detail


@pytest.mark.parametrize(("fault", "outcome"), [(None, Outcome.HANDED_OVER), (Kind.REFUSED, Outcome.FAILED)])
async def test_an_observers_crash_is_not_felt(
    sandbox: Sandbox, tmp_path: Path, fault: Kind | None, outcome: Outcome
) -> None:
    """Whatever an observer raises, the answer is the same and no work breaks."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    if fault:
        arm(sandbox, conversation, CREATE, fault)
    crash = """
    @hookimpl
    def after_swap(handover):
        raise SystemExit(1)

    @hookimpl
    async def swap_failed(handover):
        raise RuntimeError("it broke")
    """
    async with open_desk(sandbox, tmp_path, "plugins: [{use: crash}]", plugins={"crash": crash}) as desk:
        answer = await hand_over(call(conversation), desk)
        await settled(desk)
        assert [figures.failures for figures in desk.plugins.figures.values()] == [1]
    assert answer.outcome is outcome


async def test_what_breaks_afterwards_takes_no_sentence_back(sandbox: Sandbox, tmp_path: Path) -> None:
    """The flow answers; that a plugin then ends the work around it changes nothing about that."""
    plugin = """
    import asyncio
    @hookimpl
    def after_swap():
        asyncio.current_task().cancel()
    """
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path, "plugins: [{use: last}]\n", plugins={"last": plugin}) as desk:
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.HANDED_OVER
    assert (flows(conversation), agents(conversation)) == ([REFUNDS], [])
