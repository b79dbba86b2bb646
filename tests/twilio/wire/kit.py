"""What the tests of the wire share: a pool, a request, and a certificate."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from router.twilio.wire.dialler import Dialler
from router.twilio.wire.peer import Peer
from router.twilio.wire.pool import Pool
from router.twilio.wire.request import head_of, request_of
from router.twilio.wire.resolver import Resolver

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator
    from pathlib import Path

GET = request_of("GET", "/v1/a", head_of({"Host": "localhost"}), None)
LONGEST = 1000
SOON = 0.2
"""Seconds for what is to end by a time-out, and for nothing else."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The certificate's file, and both sides of TLS with it."""

    path: Path
    server: ssl.SSLContext
    client: ssl.SSLContext


def plain(port: int) -> Peer:
    """Call a port of this machine without TLS."""
    return Peer("127.0.0.1", port, is_tls=False)


@contextlib.asynccontextmanager
async def open_pool(tls: ssl.SSLContext | None = None, **how: Any) -> AsyncIterator[Pool]:
    """Open a pool; ``how`` may have ``most``, ``patience``, ``longest`` and ``idle``."""
    resolver = Resolver()
    pool = Pool(Dialler(resolver, tls), **{"most": 10, "patience": 5.0, "longest": LONGEST} | how)
    try:
        yield pool
    finally:
        await pool.close()
        resolver.close()
