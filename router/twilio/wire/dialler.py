"""How a connection comes about: the name's addresses, the fastest of them, a tunnel through a proxy, TLS."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Final, TypeVar, cast

from aiohappyeyeballs import start_connection

from router.twilio.wire.answer import NotSent
from router.twilio.wire.tunnel import Tunnel

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.twilio.wire.peer import Peer, Proxy
    from router.twilio.wire.resolver import Resolver

HEAD_START: Final = 0.25
"""Seconds that an address has before the next one is tried beside it."""

_Made = TypeVar("_Made", bound=asyncio.Protocol)


class Dialler:
    """Opens connections; ``tls`` checks the names of the servers, and is None where nobody is called by TLS."""

    def __init__(self, resolver: Resolver, tls: ssl.SSLContext | None) -> None:
        self._resolver = resolver
        self._tls = tls

    async def dial(self, peer: Peer, make: Callable[[], _Made]) -> _Made:
        """Connect what ``make`` makes with ``peer``; raises NotSent where that does not come about."""
        end: Peer | Proxy = peer.proxy or peer
        try:
            if peer.proxy is not None:
                return await self._through(peer.proxy, peer, make)
            return (await self._connect(peer, make))[1]
        except ssl.SSLCertVerificationError as error:
            raise NotSent(f"the certificate of {peer.host} is not trusted") from error
        except (OSError, RuntimeError) as error:  # uvloop has RuntimeErrors where others have OSErrors
            why = str(getattr(error, "strerror", None) or error)
            raise NotSent(f"no connection to {end.host}:{end.port}", why) from error

    async def _connect(self, end: Peer | Proxy, make: Callable[[], _Made]) -> tuple[asyncio.Transport, _Made]:
        addresses = await self._resolver.look_up(end.host, end.port)
        opened = await start_connection(addresses, happy_eyeballs_delay=HEAD_START)
        tls, name = (self._tls, end.host) if end.is_tls else (None, None)
        loop = asyncio.get_running_loop()
        return await loop.create_connection(make, sock=opened, ssl=tls, server_hostname=name)

    async def _through(self, proxy: Proxy, peer: Peer, make: Callable[[], _Made]) -> _Made:
        transport, tunnel = await self._connect(proxy, lambda: Tunnel(peer, proxy.login))
        made = make()
        try:
            await tunnel.opened
            loop, tls = asyncio.get_running_loop(), cast("ssl.SSLContext", self._tls)
            secured = await loop.start_tls(transport, made, tls, server_hostname=peer.host)
        except BaseException:
            transport.abort()
            raise
        made.connection_made(cast("asyncio.Transport", secured))  # asyncio tells it to a protocol of its own alone
        return made
