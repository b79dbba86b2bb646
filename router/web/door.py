"""The door: what comes in is read within bounds, and must prove who sent it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse, Response

from router.callers.proof import is_bearer, is_proved, what_lacks
from router.errors import BadRequest
from router.web.body import HungUp, TooLarge, read_request

if TYPE_CHECKING:
    from starlette.types import Receive, Scope

    from router.callers.proof import Signatures
    from router.callers.request import Request
    from router.web.metrics import Metrics
    from router.web.reload import Live


async def read(scope: Scope, receive: Receive, patience: float) -> Request | Response:
    """Read the request, or say why not and close: what is left of its body must not be taken for the next request."""
    try:
        return await read_request(scope, receive, patience)
    except TooLarge:
        return PlainTextResponse("Content Too Large", 413, {"Connection": "close"})
    except BadRequest as error:
        return PlainTextResponse(str(error), 400, {"Connection": "close"})
    except HungUp:  # nobody reads this answer, and nothing is wrong with us
        return Response(status_code=400)


@dataclass(frozen=True, slots=True)
class Door:
    """Who may come in. ``public_url`` is ours as callers call it, which signatures are over."""

    signatures: Signatures
    public_url: str
    admin_token: str
    metrics: Metrics

    def lets_in(self, wire: Request, live: Live) -> bool:
        """Say whether one of the methods of ``auth`` passes; who stays outside is counted, and the log says why."""
        if is_proved(wire, live.methods, self.signatures, self.public_url):
            return True
        self.metrics.unproved()
        lacks = what_lacks(wire, live.methods)
        live.desk.log.warning("unproved", method=wire.method, url=wire.described(self.public_url), reason=lacks)
        return False

    def lets_in_operator(self, wire: Request) -> bool:
        """Say whether the request bears the operators' token."""
        return is_bearer(wire, self.admin_token)
