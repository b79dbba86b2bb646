"""The faults over HTTP: arm them, wait until they strike, let go what they hold."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from router.sandbox.faults import Fault, Kind
from router.sandbox.readable import ReadableResponse
from router.sandbox.requests import Form

if TYPE_CHECKING:
    from starlette.requests import Request

    from router.sandbox.faults import ArmedFault, Faults

HELP: Final = f"""\
  POST   /sandbox/faults                                   let a request go wrong: kind=..., method=, path=, times=,
                                                           skip=, delay=, retry_after=, status=, code=
  GET    /sandbox/faults                                   the faults that lie in wait, by number
  GET    /sandbox/faults/1?wait=5                          one of them; waits so many seconds for it to strike
  POST   /sandbox/faults/1/release                         let go what it holds; with drop=true the connections drop
  DELETE /sandbox/faults                                   let nothing go wrong any more
  kinds: {" ".join(Kind)}
"""

FIELDS: Final = ("kind", "method", "path", "times", "skip", "delay", "retry_after", "status", "code")
"""What a fault is armed with."""

LONGEST_WAIT: Final = 60.0


class FaultControl:
    """The endpoints under ``/sandbox/faults``."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def routes(self) -> list[Route]:
        """List the endpoints."""
        return [
            Route("/sandbox/faults", self.arm, methods=["POST"]),
            Route("/sandbox/faults", self.show_all, methods=["GET"]),
            Route("/sandbox/faults", self.disarm, methods=["DELETE"]),
            Route("/sandbox/faults/{number:int}", self.show, methods=["GET"]),
            Route("/sandbox/faults/{number:int}/release", self.release, methods=["POST"]),
        ]

    async def arm(self, request: Request) -> Response:
        """Let requests go wrong as ``Fault`` says."""
        form = await Form.of(request)
        if strange := form.strange(*FIELDS):
            return PlainTextResponse(f"{strange}\n\n{HELP}", 400)
        try:
            fault = Fault(
                kind=form.one("kind"),
                method=form.one("method", "*"),
                path=form.one("path", "*"),
                times=int(form.one("times", "1")),
                skip=int(form.one("skip", "0")),
                retry_after=_seconds(form, "retry_after"),
                delay=_seconds(form, "delay"),
                status=int(form.one("status", "400")),
                code=int(form.one("code", "20001")),
            )
        except ValueError as problem:
            return PlainTextResponse(f"{problem}\n\n{HELP}", 400)
        return ReadableResponse(_shown(self._faults.add(fault)), 201)

    async def show_all(self, _request: Request) -> Response:
        """Show every fault that lies in wait."""
        return ReadableResponse([_shown(armed) for armed in self._faults.armed])

    async def show(self, request: Request) -> Response:
        """Show a fault, at once or, with ``wait``, when it has struck or those seconds have passed."""
        armed = self._armed(request)
        try:
            seconds = min(float(request.query_params.get("wait", "0")), LONGEST_WAIT)
        except ValueError as problem:
            return PlainTextResponse(f"wait: {problem}\n\n{HELP}", 400)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await armed.reached.wait()
        return ReadableResponse(_shown(armed))

    async def release(self, request: Request) -> Response:
        """Let go what a fault holds, now and from now on."""
        armed, form = self._armed(request), await Form.of(request)
        if strange := form.strange("drop"):
            return PlainTextResponse(f"{strange}\n\n{HELP}", 400)
        armed.release(drop=form.one("drop") == "true")
        return ReadableResponse(_shown(armed))

    async def disarm(self, _request: Request) -> Response:
        """Let nothing go wrong any more."""
        self._faults.clear()
        return Response(status_code=204)

    def _armed(self, request: Request) -> ArmedFault:
        for armed in self._faults.armed:
            if armed.number == request.path_params["number"]:
                return armed
        raise HTTPException(404)


def _shown(armed: ArmedFault) -> dict[str, Any]:
    fault = armed.fault
    return {
        "fault": armed.number,
        "kind": fault.kind,
        "method": fault.method,
        "path": fault.path,
        "seen": armed.seen,
        "hits": armed.hits,
        "held": armed.held,
    }


def _seconds(form: Form, name: str) -> float | None:
    return float(form.one(name)) if form.one(name) else None
