from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest

from router.sandbox.demo import SECRET, invitation, offers, play, set_up
from router.sandbox.faults import Fault, Kind
from router.serving import listen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from router.sandbox.demo import Stage

REFUNDS = "FW00000000000000000000000000000001"


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """Sandbox, agent and router, each on its port."""
    async with set_up() as ready:
        yield ready


async def test_the_play_goes_right_and_shows_everything(stage: Stage) -> None:
    """Agent, flow, agent answer in this order; each request of the tool call and of the way back is shown."""
    lines: list[str] = []
    assert await play(stage, lines.append) == []
    text = "\n".join(lines)
    speakers = [line.split()[0] for line in lines if line.startswith("  ") and not line.strip().startswith(("[", "WH"))]
    to_the_flow = ["customer", "agent", "customer", "agent", "customer", "flow", "flow"]
    assert speakers == [*to_the_flow, "customer", "flow", "customer", "agent"]
    before, after = (line for line in lines if line.strip().startswith("WH"))
    assert "the agent (https://support-agent.twil.io/" in before
    assert before.split()[1:] == after.split()[1:]
    assert before.split()[0] != after.split()[0]
    assert "[back] POST" in text
    assert "[back]   POST   Webhooks" in text
    for request in ("GET    Webhooks", "POST   Webhooks", "DELETE Webhooks/WH", "POST   (the conversation itself)"):
        assert f"[tool]   {request}" in text
    assert SECRET not in text


async def test_a_second_play_goes_as_right_as_the_first(stage: Stage) -> None:
    """Each play has a conversation of its own, and nothing of the first is left to disturb it."""
    plays: list[list[str]] = [[], []]
    for told in plays:
        assert await play(stage, told.append) == []
    said = [[line for line in told if not line.strip().startswith(("[", "WH", "conv"))] for told in plays]
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault.refused(400, 50099, method="POST", path="*/Webhooks", times=0), "to answer, found [('agent', "),
        (Fault(Kind.SERVER_ERROR, "POST", "*/Messages", times=0), "ClientResponseError: 500"),
    ],
)
async def test_what_goes_wrong_is_told(stage: Stage, fault: Fault, told: str) -> None:
    """A broken play says what was expected and what was found."""
    stage.sandbox.faults.add(fault)
    faults = await play(stage, lambda _line: None, patience=0.2)
    assert any(told in each for each in faults)


async def test_the_invitation_holds_what_it_says(stage: Stage) -> None:
    """The printed call works as it stands, on a conversation that has its agent until then."""
    text = invitation(stage)
    assert stage.router_url in text
    assert stage.sandbox.url in text
    conversation = list(stage.sandbox.world.conversations.values())[-1]
    assert [found.kind for found in stage.sandbox.responders(conversation)] == ["agent"]
    headers = {"X-Handover-Secret": SECRET, "X-Session-Id": conversation.session}
    assert all(value in text for value in headers.values())
    url = f"{stage.router_url}/tools/support"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, headers=headers, json={"intent": "billing"}) as answer,
    ):
        assert (answer.status, await answer.text()) == (200, "Conversation handed over")
    assert [found.kind for found in stage.sandbox.responders(conversation)] == ["studio"]


async def test_the_tools_are_offered_with_their_intents(stage: Stage) -> None:
    """The agent knows each tool by its URL and description, and each intent by its other words."""
    support, recipe = offers(stage.routes, "http://h.example")
    assert (support.name, support.url) == ("Support Handover", "http://h.example/tools/support")
    assert support.intents["refund"] == ("money back", "chargeback", "the customer wants money back")
    assert recipe.intents == {}


async def test_a_taken_port_raises_and_leaves_nothing_open() -> None:
    """Nothing is started where the router's port is taken."""
    listener, url = listen()
    tasks = asyncio.all_tasks()
    with listener, pytest.raises(OSError, match="in use"):
        async with set_up(int(url.rpartition(":")[2])):
            pass
    assert asyncio.all_tasks() == tasks
