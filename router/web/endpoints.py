"""The endpoints: the tools, and what operators ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, PlainTextResponse, Response

from router.callers.assistants import read_call
from router.config.editor import merged_schema
from router.errors import BadRequest, LedgerError
from router.handover import hand_over
from router.hooks.overview import overview
from router.model.messages import render
from router.model.outcome import Answer, Outcome
from router.model.tracing import REQUESTS
from router.web.answers import respond
from router.web.door import read
from router.web.reload import Result

if TYPE_CHECKING:
    from starlette.requests import Request as WebRequest
    from starlette.types import Receive, Scope, Send

    from router.config.loading import Frozen
    from router.desk import Desk
    from router.ledger.ledger import Ledger
    from router.model.call import ToolCall
    from router.web.door import Door
    from router.web.metrics import Metrics
    from router.web.reload import Live, Receipt, Reloader

METHODS = ("GET", "POST")
"""A tool of the agent has no other method (docs/twilio.md, TOOL-FORM)."""


class Tools:
    """Answers on every tool path of the configuration in use, as an ASGI app: paths change with a reload."""

    def __init__(self, reloader: Reloader, door: Door, metrics: Metrics) -> None:
        self._reloader = reloader
        self._door = door
        self._metrics = metrics

    def have(self, path: str) -> bool:
        """Say whether ``path`` is a tool's."""
        return path in self._reloader.live.desk.routes.tools

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a tool call: 404, 405, 413, 403 and 400 in this order, else 200 with a sentence."""
        live = self._reloader.live
        with live.desk.plugins.held():
            response = await self._answer(scope, receive, live)
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, live: Live) -> Response:
        if scope["path"] not in live.desk.routes.tools:
            return PlainTextResponse("Not Found", 404)
        if scope["method"] not in METHODS:
            return PlainTextResponse("Method Not Allowed", 405, {"Allow": ", ".join(METHODS)})
        wire = await read(scope, receive, live.desk.deadline)
        if isinstance(wire, Response):
            return wire
        if not self._door.lets_in(wire, live):
            return PlainTextResponse("Forbidden", 403)
        try:
            call = read_call(wire)
        except BadRequest as error:
            live.desk.log.warning("unreadable", tool=wire.path, reason=str(error))
            return PlainTextResponse(str(error), 400)
        return respond(await self._hand_over(call, live.desk), wire.header("accept"))

    async def _hand_over(self, call: ToolCall, desk: Desk) -> Answer:
        """Hand over and take note; a fault of our own is told as a failure, since a model cannot read a 500."""
        started = desk.clock.monotonic()
        try:
            answer = await hand_over(call, desk)
        except Exception:
            answer = _fault(call, desk)
            desk.log.exception("fault", handover=answer.handover_id, tool=call.path)
        seconds = desk.clock.monotonic() - started
        self._metrics.answered(answer, seconds)
        desk.log.info(
            "handover",
            handover=answer.handover_id,
            outcome=answer.outcome,
            tool=answer.tool,
            intent=answer.intent,
            flow=answer.flow,
            conversation=call.conversation.sid if call.conversation else "",
            identity=call.identity.masked if call.identity else "",
            caller=call.caller,
            seconds=round(seconds, 3),
            detail=answer.detail,
            requests=REQUESTS.get() or [],
        )
        return answer


class Operations:
    """What operators ask: alive, ready, how much, and please read the files anew."""

    def __init__(self, reloader: Reloader, door: Door, metrics: Metrics) -> None:
        self._reloader = reloader
        self._door = door
        self._metrics = metrics

    async def healthz(self, _request: WebRequest) -> Response:
        """Alive."""
        return PlainTextResponse("alive\n")

    async def readyz(self, _request: WebRequest) -> Response:
        """Ready, with what is not as it should be; or why not: 503."""
        live = self._reloader.live
        tools = len(live.desk.routes.tools)
        faults = await _faults_of(live.desk.ledger)
        state = "degraded" if live.troubles else "ready"
        lines = [
            "not ready" if faults else state,
            f"config: {tools} tool{'' if tools == 1 else 's'}, digest {live.digest[:12]}",
            *(f"config: {trouble}" for trouble in live.troubles),
            *(f"ledger: {fault}" for fault in faults or ("reachable",)),
        ]
        return PlainTextResponse("\n".join(lines) + "\n", 503 if faults else 200)

    async def metrics(self, _request: WebRequest) -> Response:
        """All figures as Prometheus text; those of the ledger are missing while it does not work."""
        desk = self._reloader.live.desk
        try:
            figures = await desk.ledger.figures()
        except LedgerError:
            figures = None
        self._metrics.ledger.count_open(figures, desk.clock.now())
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4")

    async def reload(self, request: WebRequest) -> Response:
        """Read the files anew: 200 with a receipt, 304 where nothing changed, 422 with the faults; then all stays."""
        wire = await read(request.scope, request.receive, self._reloader.live.desk.deadline)
        if isinstance(wire, Response):
            return wire
        if not self._door.lets_in_operator(wire):
            return PlainTextResponse("Forbidden", 403)
        receipt = await self._reloader.reload("request", may_shrink=request.query_params.get("shorter") == "accept")
        if receipt.result is Result.UNCHANGED:
            return Response(status_code=304)
        if receipt.result is Result.REFUSED:
            return JSONResponse({"diagnostics": _diagnostics(receipt)}, 422)
        told: dict[str, Any] = {"digest": receipt.digest, "changes": list(receipt.changes)}
        if receipt.frozen:
            told["degraded"] = [_frozen(each) for each in receipt.frozen]
        return JSONResponse(told)

    async def plugins(self, request: WebRequest) -> Response:
        """What the plugins in use are and have done, in their order, with the figures of each hook."""
        live = self._reloader.live
        wire = await read(request.scope, request.receive, live.desk.deadline)
        if isinstance(wire, Response):
            return wire
        if not self._door.lets_in_operator(wire):
            return PlainTextResponse("Forbidden", 403)
        return JSONResponse({"plugins": overview(live.desk.plugins, live.desk.plugins.started)})

    async def schema(self, _request: WebRequest) -> Response:
        """The grammar of routes.yaml with the configs of the plugins that are installed, for an editor."""
        return JSONResponse(merged_schema(self._reloader.live.available), media_type="application/schema+json")


async def _faults_of(ledger: Ledger) -> tuple[str, ...]:
    """Try whether the ledger can be written, and say why not."""
    try:
        await ledger.probe()
    except LedgerError as error:
        return (str(error),)
    return ()


def _fault(call: ToolCall, desk: Desk) -> Answer:
    tool = desk.routes.tools[call.path]
    sentence = render(tool.route.messages.failure, {"tool": tool.path, "identity": str(call.identity or "")}, {})
    return Answer(Outcome.FAILED, sentence, desk.new_id(), tool.path, detail="a fault of the router")


def _diagnostics(receipt: Receipt) -> list[dict[str, Any]]:
    settings = [{"severity": "error", "code": "settings", "message": receipt.settings}] if receipt.settings else []
    return [*settings, *(diagnostic.as_json() for diagnostic in receipt.diagnostics)]


def _frozen(frozen: Frozen) -> dict[str, Any]:
    state = "last_good" if frozen.has_good_form else "out_of_order"
    return {"file": frozen.file, "state": state, "diagnostics": [error.as_json() for error in frozen.errors]}
