"""The way through a proxy: one CONNECT, and its answer."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final, cast

from router.twilio.wire.answer import ConnectionCut, NotSent
from router.twilio.wire.request import head_of

if TYPE_CHECKING:
    from router.twilio.wire.peer import Peer

LONGEST_HEAD: Final = 16 * 1024
"""Bytes that a proxy may say before it lets us through."""

_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")
_END: Final = b"\r\n\r\n"


class Tunnel(asyncio.Protocol):
    """Asks a proxy for the way to ``peer``. ``opened`` is done when it is open; it raises NotSent or an OSError."""

    def __init__(self, peer: Peer, login: str) -> None:
        self._end = f"{peer.host}:{peer.port}"
        self._login = login
        self._said = b""
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.opened.add_done_callback(_note)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        headers = {"Host": self._end} | ({"Proxy-Authorization": self._login} if self._login else {})
        request = b"CONNECT %b HTTP/1.1\r\n%b\r\n" % (self._end.encode("ascii"), head_of(headers))
        cast("asyncio.Transport", transport).write(request)

    def data_received(self, data: bytes) -> None:
        """Read until the head is whole."""
        self._said += data
        head, end, surplus = self._said.partition(_END)
        if not end and len(head) <= LONGEST_HEAD:
            return
        status = _STATUS.match(head)
        if status is not None and not status[1].startswith(b"2"):
            self._finish(NotSent(f"the proxy refused the connection with {status[1].decode()}"))
        elif status is None or not end or surplus:
            self._finish(NotSent("the proxy answers with something else than HTTP"))
        else:
            self._finish(None)

    def connection_lost(self, error: Exception | None) -> None:
        """Say that it did not come about, if that is not known yet."""
        self._finish(error if isinstance(error, OSError) else ConnectionCut("the proxy closed the connection"))

    def _finish(self, error: Exception | None) -> None:
        if self.opened.done():
            return
        if error is None:
            self.opened.set_result(None)
        else:
            self.opened.set_exception(error)


def _note(opened: asyncio.Future[None]) -> None:
    """Take note of its error: whoever dialled may have left before, and asyncio would log that nobody did."""
    if not opened.cancelled():
        opened.exception()
