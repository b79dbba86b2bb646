"""Faults on demand: what goes wrong between a client and Twilio, and when."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

from starlette.responses import HTMLResponse, JSONResponse

from router.sandbox import refusals
from router.sandbox.journal import HANG_UP, is_twilios
from router.sandbox.refusals import error_body

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Kind(StrEnum):
    """What goes wrong."""

    RATE_LIMITED = "rate_limited"
    """429 with code 20429; with ``Retry-After`` where ``retry_after`` is set."""
    UNAVAILABLE = "unavailable"
    """503 before the work."""
    SERVER_ERROR = "server_error"
    """500 before the work."""
    HTML_ERROR = "html_error"
    """502 with a page for people, before the work."""
    REFUSED = "refused"
    """Twilio's error ``code`` with ``status``, before the work."""
    SLOW = "slow"
    """Nothing for ``delay`` seconds (None: until released), then the work."""
    CUT_BEFORE = "cut_before"
    """The connection drops before the work."""
    CUT_AFTER = "cut_after"
    """The work is done, then the connection drops."""
    SLOW_AFTER = "slow_after"
    """The work is done, its answer held for ``delay`` seconds (None: until released)."""
    BAD_JSON = "bad_json"
    """The work is done, its answer broken off in the middle of the JSON."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, where, and how often.

    ``path`` is a pattern with ``*`` over the whole path; the first ``skip`` matching requests pass, and then
    ``times`` of them are struck (0: all of them). Raises ValueError where ``kind`` is none of ``Kind``.
    """

    kind: Kind | str
    method: str = "*"
    path: str = "*"
    times: int = 1
    skip: int = 0
    retry_after: float | None = None
    delay: float | None = None
    status: int = 400
    code: int = refusals.INVALID_PARAMETER

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", Kind(self.kind))

    @classmethod
    def refused(cls, status: int, code: int, *, method: str = "*", path: str = "*", times: int = 1) -> Self:
        """Let Twilio refuse with its own error ``code``."""
        return cls(Kind.REFUSED, method=method, path=path, times=times, status=status, code=code)

    def matches(self, method: str, path: str) -> bool:
        """Say whether a request is one of those meant."""
        return self.method in ("*", method) and fnmatchcase(path, self.path)


@dataclass(slots=True, eq=False)
class ArmedFault:
    """A fault that lies in wait. ``reached`` is set once it has struck; ``release()`` lets held requests go.

    ``number`` is its own for good; ``held`` is how many requests it holds now.
    """

    fault: Fault
    number: int = 0
    seen: int = 0
    hits: int = 0
    held: int = 0
    drops: bool = False
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    def strikes(self, method: str, path: str) -> bool:
        """Count a request, and say whether this fault is for it."""
        if not self.fault.matches(method, path):
            return False
        self.seen += 1
        if self.seen <= self.fault.skip or (self.fault.times and self.hits >= self.fault.times):
            return False
        self.hits += 1
        self.reached.set()
        return True

    def release(self, *, drop: bool = False) -> None:
        """Let what is held go, now and from now on; with ``drop`` its connections drop, and no work is done any more.

        So a request of a client that was killed meanwhile either takes effect late, or never.
        """
        self.drops = drop
        self._released.set()

    async def hold(self) -> None:
        """Wait for ``delay`` seconds, or for the release where that comes first."""
        self.held += 1
        try:
            async with asyncio.timeout(self.fault.delay):
                await self._released.wait()
        except TimeoutError:
            return
        finally:
            self.held -= 1


class Faults:
    """The faults that lie in wait; the first that matches a request strikes."""

    def __init__(self) -> None:
        self._armed: list[ArmedFault] = []
        self._numbers = itertools.count(1)

    @property
    def armed(self) -> tuple[ArmedFault, ...]:
        """Those that lie in wait, the oldest first."""
        return tuple(self._armed)

    def add(self, fault: Fault) -> ArmedFault:
        """Arm a fault, behind those that are armed already."""
        armed = ArmedFault(fault, next(self._numbers))
        self._armed.append(armed)
        return armed

    def clear(self) -> None:
        """Disarm all, and let go what they hold."""
        for armed in self._armed:
            armed.release()
        self._armed.clear()

    def strike(self, method: str, path: str) -> ArmedFault | None:
        """Find the fault for a request."""
        return next((armed for armed in self._armed if armed.strikes(method, path)), None)


class FaultyApp:
    """Wraps the app and lets the faults strike at Twilio's own paths."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or let its fault strike."""
        armed = None
        if scope["type"] == "http" and is_twilios(scope["path"]):
            armed = self._faults.strike(scope["method"], scope["path"])
        if armed is None:
            await self._app(scope, receive, send)
            return
        kind = Kind(armed.fault.kind)
        if kind in _INSTEAD:
            await _INSTEAD[kind](armed.fault)(scope, receive, send)
        elif kind in (Kind.SLOW, Kind.CUT_BEFORE):
            await self._before(armed, scope, receive, send)
        else:
            await self._after(armed, scope, receive, send)

    async def _before(self, armed: ArmedFault, scope: Scope, receive: Receive, send: Send) -> None:
        if armed.fault.kind == Kind.CUT_BEFORE:
            await scope[HANG_UP]()
            return
        await armed.hold()
        if armed.drops:
            await scope[HANG_UP]()
            return
        await self._app(scope, receive, send)

    async def _after(self, armed: ArmedFault, scope: Scope, receive: Receive, send: Send) -> None:
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self._app(scope, receive, keep)
        if armed.fault.kind == Kind.SLOW_AFTER:
            await armed.hold()
        if armed.fault.kind == Kind.CUT_AFTER or armed.drops:
            await scope[HANG_UP]()
            return
        if armed.fault.kind == Kind.BAD_JSON:
            _break_off(answer)
        for message in answer:
            await send(message)


def _break_off(answer: list[Message]) -> None:
    """Shorten the body, and its length in the header with it: HTTP stays whole, the JSON does not."""
    start, body = answer
    if not body["body"]:
        return
    body["body"] = body["body"][: len(body["body"]) // 2]
    kept = [(name, value) for name, value in start["headers"] if name != b"content-length"]
    start["headers"] = [*kept, (b"content-length", str(len(body["body"])).encode())]


def _rate_limited(fault: Fault) -> Response:
    headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
    return JSONResponse(error_body(429, refusals.TOO_MANY_REQUESTS, "Too Many Requests"), 429, headers)


def _unavailable(_fault: Fault) -> Response:
    return JSONResponse(error_body(503, 20503, "Service Unavailable"), 503)


def _server_error(_fault: Fault) -> Response:
    return JSONResponse(error_body(500, 20500, "Internal Server Error"), 500)


def _html_error(_fault: Fault) -> Response:
    return HTMLResponse("<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>", 502)


def _refused(fault: Fault) -> Response:
    body = error_body(fault.status, fault.code, f"Refused with {fault.code} on demand")
    return JSONResponse(body, fault.status)


_INSTEAD: Final[Mapping[Kind, Callable[[Fault], Response]]] = MappingProxyType(
    {
        Kind.RATE_LIMITED: _rate_limited,
        Kind.UNAVAILABLE: _unavailable,
        Kind.SERVER_ERROR: _server_error,
        Kind.HTML_ERROR: _html_error,
        Kind.REFUSED: _refused,
    }
)
