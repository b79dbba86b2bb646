"""Flex in the sandbox: what closing a channel does, and which tasks are listed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from router.sandbox.world import State
from tests.sandbox.client import call

if TYPE_CHECKING:
    from router.sandbox.sandbox import Sandbox
    from router.sandbox.world import Conversation

WORKSPACE = f"WS{'0' * 32}"


async def begin(sandbox: Sandbox, conversation: Conversation) -> tuple[str, str]:
    """Begin an interaction, and give its SID and the path of its channel."""
    channel = {"type": "chat", "properties": {"media_channel_sid": conversation.sid}}
    routing = {"properties": {"workspace_sid": WORKSPACE, "workflow_sid": f"WW{'0' * 32}", "attributes": {"a": 1}}}
    form = {"Channel": json.dumps(channel), "Routing": json.dumps(routing)}
    made = (await call(sandbox, "POST", "/v1/Interactions", form)).body
    return made["sid"], f"/v1/Interactions/{made['sid']}/Channels/{made['channel']['sid']}"


async def test_a_channel_that_rests_leaves_its_conversation_open(sandbox: Sandbox) -> None:
    """One that is closed closes it for good; who would answer follows the channel."""
    conversation = sandbox.open_conversation()
    sid, channel = await begin(sandbox, conversation)
    assert [(each.kind, each.name) for each in sandbox.responders(conversation)] == [("flex", sid)]
    await call(sandbox, "POST", channel, {"Status": "inactive", "Routing": '{"status": "closed"}'})
    assert (sandbox.responders(conversation), conversation.state) == ((), State.ACTIVE)
    await call(sandbox, "POST", channel, {"Status": "closed"})
    assert conversation.state == State.CLOSED


async def test_tasks_are_found_by_an_attribute(sandbox: Sandbox) -> None:
    """Each task has what Flex adds to its attributes; another workspace has none."""
    first, second = (sandbox.open_conversation() for _ in range(2))
    sid, _channel = await begin(sandbox, first)
    await begin(sandbox, second)
    tasks = f"/v1/Workspaces/{WORKSPACE}/Tasks"
    query = f"?EvaluateTaskAttributes=conversationSid%20%3D%3D%20%22{first.sid}%22"
    (found,) = (await call(sandbox, "GET", tasks + query)).body["tasks"]
    assert (json.loads(found["attributes"])["flexInteractionSid"], found["assignment_status"]) == (sid, "pending")
    assert len((await call(sandbox, "GET", tasks)).body["tasks"]) == 2
    assert (await call(sandbox, "GET", f"/v1/Workspaces/WS{'1' * 32}/Tasks")).body["tasks"] == []
