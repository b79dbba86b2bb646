"""Requests that leave the sandbox, signed as Twilio signs them. None of them leaves this machine."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit, urlunsplit

import aiohttp
from yarl import URL

from router.sandbox.exchange import FORM, Reply, Request
from router.twilio.signatures import sign

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request: ``event`` is what caused it, ``status`` 0 where no answer came, and ``error`` then says why.

    ``url`` is a Flow SID where it was for a flow that is not played.
    """

    url: str
    event: str
    status: int
    error: str
    seconds: float


class Outside:
    """Everything beyond the account of ``token``; ``hosts`` maps a URL's host to the base URL that stands for it.

    ``tell`` is told a line where something is not there to be reached.
    """

    def __init__(self, token: str, hosts: Mapping[str, str], tell: Callable[[str], None]) -> None:
        self._token = token
        self._hosts = hosts
        self._tell = tell
        self.deliveries: deque[Delivery] = deque(maxlen=10_000)

    async def ask(self, event: str, request: Request, patience: float) -> Reply:
        """Make a request that ``event`` caused, wait ``patience`` seconds at the most, and take note of it."""
        begun = time.perf_counter()
        reply = await self._reach(_with_hash(request), request, patience)
        self.deliveries.append(Delivery(request.url, event, reply.status, reply.error, time.perf_counter() - begun))
        return reply

    def miss(self, event: str, flow: str) -> None:
        """Take note that ``event`` was to reach a flow which is not among those that are played."""
        error = f"{flow} is not played here; --flow {flow}=FILE"
        self.deliveries.append(Delivery(flow, event, 0, error, 0.0))
        self._tell(error)

    async def _reach(self, url: str, request: Request, patience: float) -> Reply:
        try:
            where = self._where(url)
        except ValueError:
            return Reply(error="not a URL")
        if not _is_here(where):
            return Reply(error="not on this machine")
        return await self._send(url, where, request, patience)

    async def _send(self, url: str, where: URL, request: Request, patience: float) -> Reply:
        is_form = request.body is not None and request.content_type.startswith(FORM)
        fields = parse_qs(request.body, keep_blank_values=True) if is_form else {}
        headers = {"X-Twilio-Signature": sign(self._token, url, fields), "User-Agent": "TwilioProxy/1.1"}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        timeout = aiohttp.ClientTimeout(total=patience)
        method, data = ("GET", None) if request.body is None else ("POST", request.body.encode())
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.request(method, where, data=data, headers=headers, allow_redirects=False) as answer,
            ):
                text = (await answer.read()).decode("utf-8", "replace")
                return Reply(answer.status, answer.headers.get("Content-Type", ""), text)
        except (aiohttp.ClientError, TimeoutError) as problem:
            return Reply(error=type(problem).__name__)

    def _where(self, url: str) -> URL:
        """Find where ``url`` is served: at the local server that stands for its host, or where it says."""
        parts = urlsplit(url)
        base = self._hosts.get(parts.netloc)
        if base is None:
            return URL(url, encoded=True)
        stand_in = urlsplit(base)
        return URL(urlunsplit((stand_in.scheme, stand_in.netloc, parts.path, parts.query, "")), encoded=True)


def _with_hash(request: Request) -> str:
    """Give the URL, with the hash of a body that is no form (docs/twilio.md, BODY-HASH)."""
    if request.body is None or request.content_type.startswith(FORM):
        return request.url
    found = hashlib.sha256(request.body.encode()).hexdigest()
    return f"{request.url}{'&' if '?' in request.url else '?'}bodySHA256={found}"


def _is_here(url: URL) -> bool:
    """Say whether ``url`` is on this machine: what a sandbox plays must never reach a real agent."""
    host = url.host or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
