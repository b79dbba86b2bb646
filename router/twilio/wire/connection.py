"""One connection, which carries one request after the other, and knows when it must carry no more."""

from __future__ import annotations

import asyncio
import select
from typing import TYPE_CHECKING, Final, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from router.twilio.wire.answer import Answer, AnswerMalformed, ConnectionCut

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.twilio.wire.peer import Peer

LONGEST_HEAD: Final = 64 * 1024
"""Bytes that may come before the headers of an answer are whole."""

MOST_HEADERS: Final = 128
"""So many headers and trailers an answer may have."""

FIRST_ANSWER: Final = 200
"""The lowest status of an answer: what is below announces one, and is none."""

_WASTE: Final = 8
"""So many times an answer's own length may come over the wire: a chunk of one byte has six."""

_FRAMING: Final = "framing"
_ROLES: Final = {
    b"retry-after": "Retry-After",
    b"twilio-request-id": "Twilio-Request-Id",
    b"content-length": _FRAMING,
    b"transfer-encoding": _FRAMING,
}
"""The headers that are looked at: by what name they are kept, or that they say where a body ends."""


class Connection(asyncio.Protocol):
    """Carries requests to ``peer``, and reads ``longest`` bytes of an answer's body at the most.

    ``is_ready`` says that a request may be sent; ``on_lost`` is told when it is gone. The methods whose names begin
    with ``on_`` are for httptools to call.
    """

    def __init__(self, peer: Peer, longest: int, on_lost: Callable[[Connection], None]) -> None:
        self.peer = peer
        self.is_ready = False
        self.idle_since = 0.0
        self._longest = longest
        self._most_bytes = LONGEST_HEAD + _WASTE * longest
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unread = select.poll()
        self._parser = HttpResponseParser(self)
        self._answer: asyncio.Future[Answer] | None = None
        self._bytes = 0
        self._expect()

    @property
    def is_quiet(self) -> bool:
        """Nothing has come that the event loop has not seen yet, such as the peer's end."""
        return not self._unread.poll(0)

    async def exchange(self, request: bytes, until: float) -> Answer:
        """Send ``request`` and give its answer. To be called only where it ``is_ready``; then it is sent for sure.

        ``until`` is a time of the event loop's. Raises an OSError where there is no answer: TimeoutError where there
        was none in time. After any end but a clean one, the caller's own included, the connection is closed.
        """
        transport = cast("asyncio.Transport", self._transport)
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._answer = answer
        self.is_ready = False
        timer = self._loop.call_at(until, self._expire)
        transport.write(request)
        try:
            return await answer
        except BaseException:
            self.is_ready = False  # also where a whole answer came just when the caller left
            raise
        finally:
            timer.cancel()
            self._answer = None
            self._bytes = 0
            self._expect()  # here and not before the next one: a customer's words are not kept
            if not self.is_ready:
                transport.abort()

    def abort(self) -> None:
        """Close it, whatever is under way."""
        self.is_ready = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._unread.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        self.is_ready = True

    def data_received(self, data: bytes) -> None:
        """Read on, if somebody waits for it."""
        if self._answer is None:
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self._fail(AnswerMalformed())
        self._bytes += len(data)
        if self._bytes > (self._most_bytes if self._has_head else LONGEST_HEAD):
            self._fail(AnswerMalformed())

    def eof_received(self) -> None:
        """Take the end for the end of the answer, where nothing else would have told it."""
        if self._has_head and not self._is_framed:
            self._finish()
        self.is_ready = False

    def connection_lost(self, error: Exception | None) -> None:
        """Say so to whoever waits."""
        self._fail(error if isinstance(error, OSError) else ConnectionCut())
        self._on_lost(self)

    def on_message_begin(self) -> None:
        """Refuse what comes behind an answer."""
        if self._is_whole:
            raise AnswerMalformed

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep what is read later; trailers are none of it."""
        self._headers_left -= 1
        if self._headers_left < 0:
            raise AnswerMalformed
        role = _ROLES.get(name.lower())
        if role is None:
            return
        if role is _FRAMING:
            self._is_framed = True
        elif not self._has_head:
            self._headers.setdefault(role, value.strip(b" \t").decode("latin-1"))

    def on_headers_complete(self) -> None:
        """Take note of the status, and whether the connection may be used again."""
        self._status = self._parser.get_status_code()
        if self._status >= FIRST_ANSWER:
            self._has_head = True
            self._is_kept = self._parser.should_keep_alive() and self._parser.get_http_version() == "1.1"

    def on_body(self, data: bytes) -> None:
        """Keep it, up to a length."""
        self._room -= len(data)
        self._body.append(data)
        if self._room < 0:
            self._finish(is_cut=True)
            raise AnswerMalformed

    def on_message_complete(self) -> None:
        """Give the answer to whoever waits."""
        if not self._has_head:
            self._expect()
            return
        self._is_whole = True
        transport = cast("asyncio.Transport", self._transport)
        self.is_ready = self._is_kept and not transport.get_write_buffer_size()
        self._finish()

    def _expect(self) -> None:
        """Be ready for the head of an answer."""
        self._headers_left = MOST_HEADERS
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._room = self._longest
        self._is_framed = self._has_head = self._is_whole = False

    def _finish(self, *, is_cut: bool = False) -> None:
        if self._answer is not None and not self._answer.done():
            body = b"".join(self._body)[: self._longest]
            self._answer.set_result(Answer(self._status, self._headers, body, is_cut))

    def _expire(self) -> None:
        self._fail(TimeoutError())

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        self.abort()
