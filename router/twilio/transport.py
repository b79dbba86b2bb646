"""Our HTTP client under the SDK: one attempt a call, pooled, bounded in time and size, silent in the logs."""

from __future__ import annotations

import asyncio
import logging
import re
from base64 import b64encode
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlencode
from urllib.request import getproxies, proxy_bypass

import aiohttp
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from yarl import URL

from router.errors import SettingsError, TwilioError, TwilioUncertain
from router.model.tracing import note_request
from router.twilio.faults import Answer, fault_of_answer, fault_of_network
from router.twilio.names import Names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from router.clock import Clock

OPERATION: ContextVar[str] = ContextVar("operation", default="request")
"""What the gateway is doing: each task has its own, so that requests side by side do not mix."""

_TWILIO: Final = re.compile(r"https://[a-z0-9.-]+\.twilio\.com", re.IGNORECASE)
_BASE: Final = re.compile(r"https?://(?:[\w.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?(?:/[^\s?#@]*)?", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a request may take and a connection may be built, in seconds; how many connections; bytes an answer."""

    total: float = 2.0
    connect: float = 1.0
    connections: int = 100
    answer: int = 1024 * 1024


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One HTTP attempt, for logs and figures: no address, no header, no body. ``status`` 0 means no answer."""

    operation: str
    status: int
    code: int
    seconds: float
    request_id: str


class Transport(AsyncHttpClient):  # type: ignore[misc]  # the SDK has no types
    """Carries the SDK's requests, and raises our TwilioErrors: the SDK's lose the headers (docs/twilio.md, SDK-ERRORS).

    Open it with ``async with`` inside the loop that uses it. ``base_url`` replaces scheme and host of every request and
    may have a path, which is put in front. Without it requests go to Twilio alone, through the proxy that the
    environment names.
    """

    def __init__(
        self, *, base_url: str, limits: Limits, clock: Clock, on_request: Callable[[RequestRecord], None]
    ) -> None:
        super().__init__(logging.getLogger(__name__), is_async=True, timeout=limits.total)
        self._base = _checked_base(base_url)
        self._limits = limits
        self._clock = clock
        self._on_request = on_request
        self._session: aiohttp.ClientSession | None = None
        self._proxies: Mapping[str, str] = {}

    async def __aenter__(self) -> Self:
        limits = self._limits
        self._proxies = {} if self._base else getproxies()
        self._names = Names()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limits.connections, resolver=self._names),
            timeout=aiohttp.ClientTimeout(total=limits.total, connect=min(limits.connect, limits.total)),
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(_send_once,),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()
            await self._names.close()

    async def request(
        self,
        method: str,
        uri: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109, ARG002 - the SDK's signature; ours is set for all
        allow_redirects: bool = False,  # noqa: FBT001, FBT002, ARG002 - the SDK's signature; we never follow one
    ) -> Response:
        """Do one HTTP attempt. ``data`` goes as a form, its lists as repeated names.

        Raises TwilioRefused, TwilioBusy or TwilioUncertain; never one of the SDK's exceptions or of aiohttp's.
        """
        operation = OPERATION.get()
        started = self._clock.monotonic()
        status, code, request_id = 0, 0, ""
        try:
            url = self._address(operation, uri, params)
            answer = await self._exchange(operation, method, url, data, {**(headers or {}), **_login(auth)})
            status, request_id = answer.status, answer.request_id
            fault = fault_of_answer(operation, answer, self._clock.now())
            if fault is not None:
                raise fault
            return Response(answer.status, answer.body.decode(), answer.headers)
        except TwilioError as error:
            code = error.code
            raise
        finally:
            note_request(request_id)
            seconds = self._clock.monotonic() - started
            self._on_request(RequestRecord(operation, status, code, seconds, request_id))

    async def _exchange(
        self, operation: str, method: str, url: URL, data: Mapping[str, object] | None, headers: Mapping[str, str]
    ) -> Answer:
        if self._session is None:
            raise RuntimeError("the gateway is not open: use it inside 'async with'")
        body = urlencode(data, doseq=True).encode() if data else None
        proxy = self._proxy(url)
        try:
            async with self._session.request(
                method, url, data=body, headers=headers, allow_redirects=False, proxy=proxy
            ) as response:
                return await self._read(response)
        except (aiohttp.ClientError, OSError) as error:
            raise fault_of_network(operation, error, self._limits.total) from error

    async def _read(self, response: aiohttp.ClientResponse) -> Answer:
        try:
            body = await response.content.readexactly(self._limits.answer + 1)
        except asyncio.IncompleteReadError as whole:
            return Answer(response.status, response.headers, whole.partial)
        return Answer(response.status, response.headers, body[:-1], is_cut=True)

    def _address(self, operation: str, uri: str, params: Mapping[str, object] | None) -> URL:
        """Give the address to call, with every encoded byte as it was.

        The SDK follows ``next_page_url`` wherever an answer points it and takes the credentials along: not so here.
        """
        scheme, _, rest = uri.partition("://")
        host, _, path = rest.partition("/")
        origin = f"{scheme}://{host}"
        if not self._base and not _TWILIO.fullmatch(origin):
            raise TwilioUncertain(operation, "Twilio's answer points to another host; nothing was sent there")
        query = urlencode(params, doseq=True) if params else ""
        separator = ("&" if "?" in path else "?") if query else ""
        return URL(f"{self._base or origin}/{path}{separator}{query}", encoded=True)

    def _proxy(self, url: URL) -> str | None:
        """Look the proxy up once for all: aiohttp's own look-up reads a file in a thread for each request."""
        if not self._proxies or proxy_bypass(url.host or ""):
            return None
        return self._proxies.get(url.scheme) or self._proxies.get("all")


class _ConnectionCut(aiohttp.ClientError):
    """The connection broke after the request may have been sent."""


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from repeating GET and DELETE by itself: repeats are the gateway's."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _ConnectionCut(type(error).__name__) from error


def _login(auth: tuple[str, str] | None) -> dict[str, str]:
    return {} if auth is None else {"Authorization": "Basic " + b64encode(":".join(auth).encode()).decode()}


def _checked_base(base_url: str) -> str:
    if base_url and not _BASE.fullmatch(base_url):
        raise SettingsError("HANDOVER_TWILIO_URL: expected http(s)://HOST[:PORT][/PATH], without credentials and query")
    return base_url.rstrip("/")
