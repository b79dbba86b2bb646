"""Where a request goes, and what it says of us: prepared once for each host."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from router.errors import SettingsError
from router.twilio.wire.peer import Peer, Proxy
from router.twilio.wire.request import head_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.twilio.account import Account

METHODS: Final = ("GET", "POST", "DELETE")

MOST: Final = 64
"""So many hosts are remembered: plugins choose some of them."""

_TWILIO: Final = re.compile(r"https://(?:[a-z0-9-]{1,63}\.)+twilio\.com", re.IGNORECASE)
_BASE: Final = re.compile(
    r'https?://(?:[\w.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?(?:/[!"$->A-~]*)?', re.IGNORECASE | re.ASCII
)


@dataclass(frozen=True, slots=True)
class Host:
    """Whom to connect with, what stands before each path, and the headers of each method."""

    peer: Peer
    prefix: str
    heads: Mapping[str, bytes]


class Hosts:
    """Finds the host for Twilio's own; ``base_url`` stands for all of them, where there is one.

    Without it they are reached through the proxy that the environment names. Raises SettingsError for a ``base_url``
    that cannot be right.
    """

    def __init__(self, account: Account, base_url: str) -> None:
        self._account = account
        self._base = _checked_base(base_url) if base_url else None
        self._base_peer = _peer(self._base, None) if self._base else None
        self._proxies: Mapping[str, str] = {}
        self.find = lru_cache(MOST)(self._find)

    @property
    def uses_tls(self) -> bool:
        """Some of them are called by TLS."""
        return self._base_peer is None or self._base_peer.is_tls

    def look_up_proxies(self) -> None:
        """Read the environment; raises SettingsError where it names a proxy that cannot be one."""
        self.find.cache_clear()
        if self._base is None:
            self._proxies = getproxies()
            self.find("https://conversations.twilio.com")

    def _find(self, origin: str) -> Host:
        """Prepare the host for ``origin``, a URL without path; raises ValueError where that is not Twilio's."""
        if self._base is None and not _TWILIO.fullmatch(origin):
            raise ValueError("another host")
        asked = {method: self._account.address(method, origin) for method in METHODS}
        base = self._base or urlsplit(asked["GET"][0])
        peer = self._base_peer or _peer(base, self._proxy(base.hostname or ""))
        heads = {
            method: head_of({"Host": base.netloc, **headers, "Accept-Encoding": "identity"})
            for method, (_, headers) in asked.items()
        }
        return Host(peer, base.path, heads)

    def _proxy(self, name: str) -> Proxy | None:
        url = self._proxies.get("https") or self._proxies.get("all")
        if not url or proxy_bypass(name):
            return None
        try:
            return Proxy.of(url)
        except ValueError as error:
            raise SettingsError(f"HTTPS_PROXY or ALL_PROXY: {error}") from error


def _peer(url: SplitResult, proxy: Proxy | None) -> Peer:
    is_tls = url.scheme == "https"
    return Peer(url.hostname or "", url.port or (443 if is_tls else 80), is_tls, proxy)


def _checked_base(base_url: str) -> SplitResult:
    fault = SettingsError("HANDOVER_TWILIO_URL: expected http(s)://HOST[:PORT][/PATH], without credentials and query")
    if not _BASE.fullmatch(base_url):
        raise fault
    base = urlsplit(base_url.rstrip("/"))
    try:
        _peer(base, None)
    except ValueError as error:  # a port above the highest
        raise fault from error
    return base
