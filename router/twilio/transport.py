"""One request to Twilio and its end: sent once, bounded in time and size, recorded, silent in the logs."""

from __future__ import annotations

import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

from router.errors import TwilioError, TwilioUncertain
from router.model.tracing import note_request
from router.model.twilio import NOTHING
from router.twilio.faults import fault_of_answer, fault_of_network
from router.twilio.hosts import Hosts
from router.twilio.wire.answer import NotSent
from router.twilio.wire.dialler import Dialler
from router.twilio.wire.pool import Pool
from router.twilio.wire.request import encoded, request_of
from router.twilio.wire.resolver import Resolver

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.clock import Clock
    from router.model.twilio import Fields
    from router.twilio.account import Account
    from router.twilio.wire.answer import Answer
    from router.twilio.wire.peer import Peer


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a request may take and a connection may be built, in seconds; how many connections; bytes an answer."""

    total: float = 2.0
    connect: float = 1.0
    connections: int = 100
    answer: int = 1024 * 1024


class RequestRecord(NamedTuple):
    """One HTTP attempt, for logs and figures: no address, no header, no body. ``status`` 0 means no answer."""

    operation: str
    status: int
    code: int
    seconds: float
    request_id: str


class Transport:
    """Sends requests as ``account``, and raises our TwilioErrors.

    Open it with ``async with`` inside the loop that uses it. ``base_url`` replaces scheme and host of every request and
    may have a path, which is put in front. Without it requests go to Twilio alone, through the proxy that the
    environment names.
    """

    def __init__(
        self,
        account: Account,
        *,
        base_url: str,
        limits: Limits,
        clock: Clock,
        on_request: Callable[[RequestRecord], None],
    ) -> None:
        self._hosts = Hosts(account, base_url)
        self._limits = limits
        self._clock = clock
        self._on_request = on_request
        self._stack = AsyncExitStack()
        self._pool: Pool | None = None

    async def __aenter__(self) -> Self:
        limits = self._limits
        self._hosts.look_up_proxies()
        resolver = Resolver()
        self._stack.callback(resolver.close)
        dialler = Dialler(resolver, _tls() if self._hosts.uses_tls else None)
        patience = min(limits.connect, limits.total)
        self._pool = Pool(dialler, most=limits.connections, patience=patience, longest=limits.answer)
        self._stack.push_async_callback(self._pool.close)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._pool = None
        await self._stack.aclose()

    async def ask(
        self, operation: str, method: str, url: str, *, form: Fields | str = NOTHING, query: Fields = NOTHING
    ) -> Answer:
        """Do one HTTP attempt, and give its answer, which is a success.

        ``url`` is one of Twilio's. ``form`` is a POST's, a text where it is encoded already; its lists go as repeated
        names, and so do those of ``query``. Raises TwilioRefused, TwilioBusy or TwilioUncertain.
        """
        started = self._clock.monotonic()
        status, code, request_id = 0, 0, ""
        try:
            peer, request = self._compose(operation, method, url, form, query)
            try:
                answer = await self._opened.exchange(peer, request, self._limits.total)
            except (NotSent, OSError) as error:
                raise fault_of_network(operation, error, self._limits.total) from error
            status, request_id = answer.status, answer.request_id
            fault = fault_of_answer(operation, answer, self._clock.now)
            if fault is not None:
                raise fault
        except TwilioError as error:
            code = error.code
            raise
        else:
            return answer
        finally:
            note_request(request_id)
            seconds = self._clock.monotonic() - started
            self._on_request(RequestRecord(operation, status, code, seconds, request_id))

    @property
    def _opened(self) -> Pool:
        if self._pool is None:
            raise RuntimeError("the gateway is not open: use it inside 'async with'")
        return self._pool

    def _compose(self, operation: str, method: str, url: str, form: Fields | str, query: Fields) -> tuple[Peer, bytes]:
        """Write the request, with every encoded byte of ``url`` as it was; raises TwilioUncertain for an unfit one."""
        scheme, _, rest = url.partition("://")
        name, _, path = rest.partition("/")
        try:
            if query:
                path += ("&" if "?" in path else "?") + encoded(query)
            body = (form if isinstance(form, str) else encoded(form)).encode() if method == "POST" else None
            host = self._hosts.find(f"{scheme}://{name}")
            return host.peer, request_of(method, f"{host.prefix}/{path}", host.heads[method], body)
        except ValueError as error:  # the address of a next page: all others are made or checked by us
            raise TwilioUncertain(operation, f"Twilio's answer points to {error}; nothing was sent there") from error


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
