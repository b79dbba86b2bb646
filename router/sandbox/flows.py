"""Twilio's Studio API as far as the router and its users go: flows to read, executions to start, see and end."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from router.bundled import FLOWS
from router.sandbox import refusals
from router.sandbox.refusals import Refused
from router.sandbox.requests import Form, page_of
from router.sandbox.shapes import STUDIO, Shapes
from router.sandbox.world import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from router.sandbox.executions import Studio
    from router.sandbox.world import Execution, Flow, World

PAGE: Final = 50
LARGEST_PAGE: Final = 1000

SHIPPED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "FW00000000000000000000000000000001": "refunds",
        "FW00000000000000000000000000000002": "billing",
    }
)
"""The flows that the shipped ``routes.yaml`` names, and their files in ``examples/flows``."""


ROUTER: Final = "https://handover.example.com"
"""What the shipped flows call to give a conversation back; whoever imports one into Studio sets their own."""


def shipped_flows(router: str = ROUTER) -> dict[str, Any]:
    """Read the definitions of the shipped flows, by Flow SID; they call the router at the base URL ``router``."""
    texts = {sid: (FLOWS / f"{name}.json").read_text(encoding="utf-8") for sid, name in SHIPPED.items()}
    return {sid: json.loads(text.replace(ROUTER, router)) for sid, text in texts.items()}


class StudioApi:
    """The endpoints; each refuses by raising ``Refused``."""

    def __init__(self, world: World, studio: Studio) -> None:
        self._world = world
        self._studio = studio
        self._shapes = Shapes(world)

    def routes(self) -> list[Route]:
        """List the endpoints."""
        executions = "/v2/Flows/{flow}/Executions"
        return [
            Route("/v2/Flows", self.list_flows, methods=["GET"]),
            Route("/v2/Flows/{flow}", self.fetch_flow, methods=["GET"]),
            Route("/v2/Flows/{flow}/Revisions/{revision}", self.fetch_revision, methods=["GET"]),
            Route(executions, self.list_executions, methods=["GET"]),
            Route(executions, self.create_execution, methods=["POST"]),
            Route(f"{executions}/{{execution}}", self.fetch_execution, methods=["GET"]),
            Route(f"{executions}/{{execution}}", self.end_execution, methods=["POST"]),
            Route(f"{executions}/{{execution}}/Context", self.fetch_context, methods=["GET"]),
        ]

    async def list_flows(self, request: Request) -> Response:
        """List the flows."""
        return self._page(request, "flows", [self._shapes.flow(flow) for flow in self._world.flows.values()])

    async def fetch_flow(self, request: Request) -> Response:
        """Fetch a flow with its definition."""
        return JSONResponse(self._shapes.flow(self._flow(request)))

    async def fetch_revision(self, request: Request) -> Response:
        """Fetch a revision by its number, or by one of two names (docs/twilio.md, FLOW-REVISIONS)."""
        flow, name = self._flow(request), request.path_params["revision"]
        named = {"LatestRevision": flow.revision, "LatestPublished": flow.published_revision}
        if name not in named and not name.isdecimal():
            raise Refused(refusals.BAD_REVISION, f"Revision must be a number or one of {', '.join(named)}")
        number = named[name] if name in named else int(name)
        if not 1 <= number <= flow.revision:
            raise _not_found(request)
        return JSONResponse(self._shapes.flow_revision(flow, number))

    async def list_executions(self, request: Request) -> Response:
        """List the runs of a flow, the newest first; ``status`` and ``DateCreatedFrom`` narrow it down."""
        flow, status = self._flow(request), request.query_params.get("status")
        begin = _time(request.query_params.get("DateCreatedFrom", "1970-01-01T00:00:00Z"))
        shown = [
            self._shapes.execution(found)
            for found in reversed(self._world.executions.values())
            if found.flow.sid == flow.sid and status in (None, found.status) and found.created >= begin
        ]
        return self._page(request, "executions", shown)

    async def create_execution(self, request: Request) -> Response:
        """Start a run; ``Parameters`` is a JSON object as text (docs/twilio.md, REST-EXECUTION)."""
        form, flow = await Form.of(request), self._flow(request)
        if not form.one("To") or not form.one("From"):
            raise Refused(refusals.INVALID_PARAMETER, "To and From are required")
        try:
            data = json.loads(form.one("Parameters", "{}"))
        except ValueError:
            raise Refused(refusals.INVALID_PARAMETER, "Parameters must be JSON") from None
        execution = self._studio.start(flow, form.one("To"), form.one("From"), data)
        return JSONResponse(self._shapes.execution(execution), 201)

    async def fetch_execution(self, request: Request) -> Response:
        """Fetch a run."""
        return JSONResponse(self._shapes.execution(self._execution(request)))

    async def fetch_context(self, request: Request) -> Response:
        """Fetch the variables of a run, as they are when it waits or ends."""
        return JSONResponse(self._shapes.execution_context(self._execution(request)))

    async def end_execution(self, request: Request) -> Response:
        """End a run, whatever it waits for (docs/twilio.md, END-EXECUTION)."""
        form, execution = await Form.of(request), self._execution(request)
        if form.one("Status") != Status.ENDED:
            raise Refused(refusals.INVALID_PARAMETER, "Status must be 'ended'")
        self._studio.end(execution)
        return JSONResponse(self._shapes.execution(execution))

    def _flow(self, request: Request) -> Flow:
        flow = self._world.flows.get(request.path_params["flow"])
        if flow is None:
            raise _not_found(request)
        return flow

    def _execution(self, request: Request) -> Execution:
        execution = self._world.executions.get(request.path_params["execution"])
        if execution is None or execution.flow.sid != self._flow(request).sid:
            raise _not_found(request)
        return execution

    def _page(self, request: Request, key: str, items: list[dict[str, Any]]) -> Response:
        url = STUDIO + request.url.path
        return JSONResponse(page_of(request, items, key=key, url=url, size=PAGE, most=LARGEST_PAGE))


def _time(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Refused(
            refusals.INVALID_PARAMETER, "DateCreatedFrom must be a time such as 2026-01-31T12:00:00Z"
        ) from None


def _not_found(request: Request) -> Refused:
    return Refused(refusals.NOT_FOUND, f"The requested resource {request.url.path} was not found")
