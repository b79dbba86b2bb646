"""Twilio's Flex API as far as the router's users go: interactions with their one channel, and the tasks they make."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from router.sandbox import refusals
from router.sandbox.refusals import Refused
from router.sandbox.requests import Form, page_of
from router.sandbox.shapes import FLEX, TASKROUTER, Shapes
from router.sandbox.world import ChannelStatus, State, TaskStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from router.sandbox.world import Interaction, World

PAGE: Final = 50

TYPES: Final = ("voice", "sms", "email", "web", "whatsapp", "chat", "messenger", "gbm")
"""What a channel may be; what else there is, is refused."""

_EQUAL: Final = re.compile(r"""\s*([\w.]+)\s*==?\s*["']([^"']*)["']\s*""")
"""The one expression over the attributes of tasks that the sandbox reads."""


class InteractionsApi:
    """The endpoints; each refuses by raising ``Refused``."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._shapes = Shapes(world)

    def routes(self) -> list[Route]:
        """List the endpoints that Twilio's description of Flex has."""
        one = "/v1/Interactions/{interaction}"
        return [
            Route("/v1/Interactions", self.create, methods=["POST"]),
            Route(one, self.fetch, methods=["GET"]),
            Route(f"{one}/Channels", self.list_channels, methods=["GET"]),
            Route(f"{one}/Channels/{{channel}}", self.fetch_channel, methods=["GET"]),
            Route(f"{one}/Channels/{{channel}}", self.update_channel, methods=["POST"]),
        ]

    def task_routes(self) -> list[Route]:
        """List the endpoints of TaskRouter."""
        return [Route("/v1/Workspaces/{workspace}/Tasks", self.list_tasks, methods=["GET"])]

    async def create(self, request: Request) -> Response:
        """Begin an interaction for a conversation that is there: its task waits.

        docs/twilio.md, FLEX, FLEX-CLOSED.
        """
        form = await Form.of(request)
        channel, routing = _json(form, "Channel"), _json(form, "Routing")
        properties: Mapping[str, Any] = routing.get("properties", {})
        sid = channel.get("properties", {}).get("media_channel_sid", "")
        conversation = self._world.conversations.get(sid)
        if channel.get("type") not in TYPES or not {"workspace_sid", "workflow_sid"} <= properties.keys():
            raise Refused(refusals.INVALID_PARAMETER, "Channel and Routing are incomplete")
        if conversation is None:
            raise Refused(refusals.NOT_FOUND, f"The conversation {sid} was not found")
        if conversation.state == State.CLOSED:
            raise Refused(refusals.INTERACTION_CLOSED, "The conversation is closed")
        made = self._world.add_interaction(conversation, channel["type"], properties)
        return JSONResponse(self._shapes.interaction(made))

    async def fetch(self, request: Request) -> Response:
        """Fetch an interaction."""
        return JSONResponse(self._shapes.interaction(self._interaction(request)))

    async def list_channels(self, request: Request) -> Response:
        """List the channels of an interaction: it has one."""
        found = self._interaction(request)
        url = FLEX + request.url.path
        shown = [self._shapes.interaction_channel(found)]
        return JSONResponse(page_of(request, shown, key="channels", url=url, size=PAGE, most=PAGE))

    async def fetch_channel(self, request: Request) -> Response:
        """Fetch a channel."""
        return JSONResponse(self._shapes.interaction_channel(self._channel(request)))

    async def update_channel(self, request: Request) -> Response:
        """Close a channel, and its conversation with it, or let it rest (docs/twilio.md, FLEX-CLOSE, FLEX-INACTIVE)."""
        form, found = await Form.of(request), self._channel(request)
        status = form.one("Status")
        is_over = _json(form, "Routing").get("status") == "closed" if "Routing" in form.values else False
        if status not in (ChannelStatus.CLOSED, ChannelStatus.INACTIVE):
            raise Refused(refusals.INVALID_PARAMETER, "Status must be 'closed' or 'inactive'")
        if status == ChannelStatus.INACTIVE and not is_over:
            raise Refused(refusals.INVALID_PARAMETER, "Routing status is required, and must be 'closed'")
        found.status = ChannelStatus(status)
        found.task_status = TaskStatus.COMPLETED if is_over else TaskStatus.WRAPPING
        if status == ChannelStatus.CLOSED:
            found.conversation.state = State.CLOSED
        return JSONResponse(self._shapes.interaction_channel(found))

    async def list_tasks(self, request: Request) -> Response:
        """List the tasks of a workspace, the oldest first; ``EvaluateTaskAttributes`` narrows them down."""
        workspace = request.path_params["workspace"]
        wanted = _EQUAL.fullmatch(request.query_params.get("EvaluateTaskAttributes", ""))
        shown = [
            self._shapes.task(found)
            for found in self._world.interactions.values()
            if found.workspace == workspace and (wanted is None or str(found.attributes.get(wanted[1])) == wanted[2])
        ]
        url = TASKROUTER + request.url.path
        return JSONResponse(page_of(request, shown, key="tasks", url=url, size=PAGE, most=PAGE))

    def _interaction(self, request: Request) -> Interaction:
        found = self._world.interactions.get(request.path_params["interaction"])
        if found is None:
            raise Refused(refusals.NOT_FOUND, f"The requested resource {request.url.path} was not found")
        return found

    def _channel(self, request: Request) -> Interaction:
        found = self._interaction(request)
        if found.channel != request.path_params["channel"]:
            raise Refused(refusals.NOT_FOUND, f"The requested resource {request.url.path} was not found")
        return found


def _json(form: Form, name: str) -> Mapping[str, Any]:
    """Read a field that is a JSON object as text; refuses anything else."""
    try:
        value = json.loads(form.one(name))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Refused(refusals.INVALID_PARAMETER, f"{name} must be a JSON object")
    return value
