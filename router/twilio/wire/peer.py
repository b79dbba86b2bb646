"""Whom a connection leads to, and the proxy on the way."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that opens tunnels; ``login`` is its header ``Proxy-Authorization``, or empty."""

    host: str
    port: int
    is_tls: bool
    login: str = field(default="", repr=False)

    @classmethod
    def of(cls, url: str) -> Self:
        """Read ``[http(s)://][USER:PASSWORD@]HOST[:PORT]``; raises ValueError for anything else."""
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname or not parts.hostname.isascii():
            raise ValueError("a proxy's URL begins with http:// or https:// and has a host")
        is_tls = parts.scheme == "https"
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""
        login = "Basic " + b64encode(user.encode()).decode() if user else ""
        return cls(parts.hostname, parts.port or (443 if is_tls else 80), is_tls, login)


@dataclass(frozen=True, slots=True, eq=False)
class Peer:
    """A host and port that connections are kept for, with TLS or without, directly or through ``proxy``."""

    host: str
    port: int
    is_tls: bool
    proxy: Proxy | None = None
