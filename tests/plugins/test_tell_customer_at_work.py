"""``tell-customer`` in whole handovers: with a replay, with failures, and when the call is repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.handover import hand_over
from router.model.outcome import Outcome
from router.sandbox.faults import Kind
from tests.kit import (
    AGENT_URL,
    CREATE,
    REFUNDS,
    REHEARSED,
    REPLAYING,
    TOOL,
    agents,
    arm,
    call,
    flows,
    open_desk,
    settled,
)

if TYPE_CHECKING:
    from pathlib import Path

    from router.sandbox.sandbox import Sandbox
    from router.sandbox.world import Conversation

SAID = "Our refunds desk takes over."
POST = ("POST", "/Messages")


def switched_on(when: str = "after", on_error: str = "stop") -> str:
    config = f"{{message: {SAID}, when: {when}}}"
    return f"plugins: [{{use: tell-customer, on_error: {on_error}, config: {config}}}]\n"


def told(conversation: Conversation) -> int:
    return [message.body for message in conversation.messages].count(SAID)


@pytest.mark.parametrize("when", ["after", "before"])
async def test_the_customer_is_told_once(sandbox: Sandbox, tmp_path: Path, when: str) -> None:
    """The flow answers, the message is there, and the same call again adds none."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path, switched_on(when)) as desk:
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.HANDED_OVER
        await settled(desk)
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.ALREADY_HANDED_OVER
        assert (await hand_over(call(conversation, REPLAYING), desk)).outcome is Outcome.ALREADY_HANDED_OVER
        await settled(desk)
    assert (flows(conversation), agents(conversation), told(conversation)) == ([REFUNDS], [], 1)


async def test_a_replay_still_starts_the_flow(sandbox: Sandbox, tmp_path: Path) -> None:
    """The newest message was the customer's when the swap looked, and ours comes after that."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    customer = conversation.customer.address
    sandbox.world.add_message(conversation, author=customer, body="I want my money back.")
    async with open_desk(sandbox, tmp_path, switched_on()) as desk:
        assert (await hand_over(call(conversation, REPLAYING), desk)).outcome is Outcome.HANDED_OVER
        await settled(desk)
        await sandbox.settled()
    assert told(conversation) == 1
    assert [execution.flow.sid for execution in sandbox.world.executions.values()] == [REFUNDS]


@pytest.mark.parametrize("on_error", ["stop", "continue"])
async def test_after_the_swap_a_failure_is_not_felt(sandbox: Sandbox, tmp_path: Path, on_error: str) -> None:
    """The handover is true by then, whatever becomes of the message."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, POST, Kind.SERVER_ERROR)
    async with open_desk(sandbox, tmp_path, switched_on(on_error=on_error)) as desk:
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.HANDED_OVER
        await settled(desk)
    assert (flows(conversation), agents(conversation), told(conversation)) == ([REFUNDS], [], 0)


async def test_before_the_swap_a_failure_stops_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nothing was changed, and the agent goes on; the next call hands over and tells."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, POST, Kind.SERVER_ERROR)
    async with open_desk(sandbox, tmp_path, switched_on("before")) as desk:
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.FAILED
        await settled(desk)
        assert (flows(conversation), len(agents(conversation)), told(conversation)) == ([], 1, 0)
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.HANDED_OVER
        await settled(desk)
    assert (flows(conversation), agents(conversation), told(conversation)) == ([REFUNDS], [], 1)


async def test_before_the_swap_a_failure_may_be_passed_over(sandbox: Sandbox, tmp_path: Path) -> None:
    """With ``on_error: continue`` the customer is handed over without the message."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, POST, Kind.SERVER_ERROR)
    async with open_desk(sandbox, tmp_path, switched_on("before", "continue")) as desk:
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.HANDED_OVER
        await settled(desk)
    assert (flows(conversation), agents(conversation), told(conversation)) == ([REFUNDS], [], 0)


async def test_what_did_not_come_true_is_not_told(sandbox: Sandbox, tmp_path: Path) -> None:
    """Where Twilio refuses the flow nothing is said; the call that works says it once."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    arm(sandbox, conversation, CREATE, Kind.REFUSED)
    async with open_desk(sandbox, tmp_path, switched_on()) as desk:
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.FAILED
        await settled(desk)
        assert (len(agents(conversation)), told(conversation)) == (1, 0)
        assert (await hand_over(call(conversation, TOOL), desk)).outcome is Outcome.HANDED_OVER
        await settled(desk)
    assert told(conversation) == 1


@pytest.mark.parametrize("when", ["after", "before"])
async def test_a_dry_run_tells_nobody(sandbox: Sandbox, tmp_path: Path, when: str) -> None:
    """The customer knows nothing of a rehearsal."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path, switched_on(when)) as desk:
        assert (await hand_over(call(conversation, REHEARSED), desk)).outcome is Outcome.DRY_RUN
        await settled(desk)
    assert told(conversation) == 0
