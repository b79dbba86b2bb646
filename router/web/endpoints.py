"""The endpoints: the tools, and what operators ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, PlainTextResponse, Response

from router.callers.assistants import read_call
from router.callers.proof import is_bearer, is_proved, what_lacks
from router.errors import BadRequest, ConfigError, SettingsError
from router.handover import hand_over
from router.model.messages import render
from router.model.outcome import Answer, Outcome
from router.web.answers import respond
from router.web.body import TooLarge, read_request

if TYPE_CHECKING:
    from starlette.requests import Request as WebRequest

    from router.callers.proof import Signatures
    from router.callers.request import Request
    from router.desk import Desk
    from router.model.call import ToolCall
    from router.web.metrics import Metrics
    from router.web.reload import Reloader

METHODS = ("GET", "POST")
"""A tool of the agent has no other method (docs/twilio.md, TOOL-FORM)."""


class Tools:
    """Answers on every tool path of the configuration in use."""

    def __init__(self, reloader: Reloader, signatures: Signatures, public_url: str, metrics: Metrics) -> None:
        self._reloader = reloader
        self._signatures = signatures
        self._public_url = public_url
        self._metrics = metrics

    async def answer(self, request: WebRequest) -> Response:
        """Answer a tool call: 404, 405, 413, 403 and 400 in this order, else 200 with a sentence."""
        live = self._reloader.live
        if request.scope["path"] not in live.desk.routes.tools:
            return PlainTextResponse("Not Found", 404)
        if request.method not in METHODS:
            return PlainTextResponse("Method Not Allowed", 405, {"Allow": ", ".join(METHODS)})
        wire = await _read(request, live.desk.deadline)
        if isinstance(wire, Response):
            return wire
        if not is_proved(wire, live.methods, self._signatures, self._public_url):
            self._metrics.unproved()
            lacks = what_lacks(wire, live.methods)
            live.desk.log.warning("unproved", method=wire.method, url=wire.described(self._public_url), reason=lacks)
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
        )
        return answer


class Operations:
    """What operators ask: alive, ready, how much, and please read the files anew."""

    def __init__(self, reloader: Reloader, admin_token: str, metrics: Metrics) -> None:
        self._reloader = reloader
        self._admin_token = admin_token
        self._metrics = metrics

    async def healthz(self, _request: WebRequest) -> Response:
        """Alive."""
        return PlainTextResponse("alive\n")

    async def readyz(self, _request: WebRequest) -> Response:
        """Ready, or why not: 503."""
        live = self._reloader.live
        faults = live.desk.ledger.faults()
        lines = [
            "not ready" if faults else "ready",
            f"config: {len(live.desk.routes.tools)} tools, digest {live.digest[:12]}",
            *(f"ledger: {fault}" for fault in faults or ("reachable",)),
        ]
        return PlainTextResponse("\n".join(lines) + "\n", 503 if faults else 200)

    async def metrics(self, _request: WebRequest) -> Response:
        """All figures as Prometheus text."""
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4")

    async def reload(self, request: WebRequest) -> Response:
        """Read the files anew: 200 with a receipt, 304 where nothing changed, 422 with the faults; then all stays."""
        wire = await _read(request, self._reloader.live.desk.deadline)
        if isinstance(wire, Response):
            return wire
        if not is_bearer(wire, self._admin_token):
            return PlainTextResponse("Forbidden", 403)
        log = self._reloader.live.desk.log
        try:
            receipt = await self._reloader.reload()
        except (ConfigError, SettingsError) as error:
            self._metrics.reloaded("refused")
            log.error("reload refused", reason=str(error))  # noqa: TRY400 - the user's mistake needs no traceback
            return JSONResponse({"diagnostics": _diagnostics(error)}, 422)
        if receipt.changes is None:
            self._metrics.reloaded("unchanged")
            return Response(status_code=304)
        self._metrics.reloaded("changed")
        log.info("reloaded", digest=receipt.digest, changes=list(receipt.changes))
        return JSONResponse({"digest": receipt.digest, "changes": list(receipt.changes)})


async def _read(request: WebRequest, patience: float) -> Request | Response:
    """Read the request, or say why not and close: what is left of its body must not be taken for the next request."""
    try:
        return await read_request(request, patience)
    except TooLarge:
        return PlainTextResponse("Content Too Large", 413, {"Connection": "close"})
    except BadRequest as error:
        return PlainTextResponse(str(error), 400, {"Connection": "close"})


def _fault(call: ToolCall, desk: Desk) -> Answer:
    tool = desk.routes.tools[call.path]
    sentence = render(tool.route.messages.failure, {"tool": tool.path, "identity": str(call.identity or "")}, {})
    return Answer(Outcome.FAILED, sentence, desk.new_id(), tool.path, detail="a fault of the router")


def _diagnostics(error: ConfigError | SettingsError) -> list[dict[str, Any]]:
    if isinstance(error, SettingsError):
        return [{"severity": "error", "code": "settings", "message": str(error)}]
    return [diagnostic.as_json() for diagnostic in error.diagnostics]
