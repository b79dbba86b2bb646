"""The app around the endpoints: who may call, and how a refusal is written."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response

from router.sandbox import refusals
from router.sandbox.journal import is_twilios
from router.sandbox.refusals import Refused, error_body

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from starlette.requests import Request
    from starlette.routing import Route
    from starlette.types import ASGIApp, Receive, Scope, Send

    from router.sandbox.world import World


def rest_app(
    world: World,
    routes: Sequence[Route],
    statuses: Mapping[int, int],
    lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]],
) -> Starlette:
    """Put ``routes`` together; ``statuses`` overrides the HTTP status of error codes."""
    known = {**refusals.STATUSES, **statuses}
    known_paths = {405: refusals.METHOD_NOT_ALLOWED}

    async def refuse(_request: Request, problem: Exception) -> Response:
        assert isinstance(problem, Refused)  # noqa: S101 - Starlette hands over nothing else
        status = known.get(problem.code, refusals.UNDOCUMENTED)
        return JSONResponse(error_body(status, problem.code, problem.message), status)

    async def refuse_path(request: Request, problem: Exception) -> Response:
        assert isinstance(problem, HTTPException)  # noqa: S101 - Starlette hands over nothing else
        code = known_paths.get(problem.status_code, refusals.NOT_FOUND)
        message = f"{request.method} {request.url.path}: {problem.detail}"
        return JSONResponse(error_body(problem.status_code, code, message), problem.status_code, problem.headers)

    return Starlette(
        routes=list(routes),
        middleware=[Middleware(Doorkeeper, world=world)],
        exception_handlers={Refused: refuse, HTTPException: refuse_path},
        lifespan=lifespan,
    )


class Doorkeeper:
    """Lets nobody at Twilio's paths without the account's credentials, or an API key's, by Basic authentication."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self._app = app
        self._known = [
            f"{user}:{password}".encode()
            for user, password in ((world.account_sid, world.auth_token), (world.api_key, world.api_secret))
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 401 with code 20003."""
        if scope["type"] == "http" and is_twilios(scope["path"]) and not self._knows(HTTPConnection(scope)):
            body = error_body(401, refusals.UNAUTHENTICATED, "Authenticate")
            answer = JSONResponse(body, 401, {"WWW-Authenticate": 'Basic realm="Twilio API"'})
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _knows(self, connection: HTTPConnection) -> bool:
        scheme, _, text = connection.headers.get("authorization", "").partition(" ")
        try:
            found = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            return False
        return scheme.lower() == "basic" and any(hmac.compare_digest(found, known) for known in self._known)
