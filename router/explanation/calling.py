"""A request as a caller would send it, made of what somebody typed."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote, urlencode, urlsplit

from router.callers.request import Request, grouped

if TYPE_CHECKING:
    from collections.abc import Sequence

_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
_KEPT: Final = "/%:@!$&'()*+,;=-._~"
_KEPT_IN_QUERY: Final = _KEPT + "?[]|"


def request_of(
    method: str,
    url: str,
    *,
    headers: Sequence[str] = (),
    json: str | None = None,
    form: Sequence[str] = (),
    public_url: str = "",
) -> Request:
    """Make the request that a client would send to ``url``, which may lack scheme and host.

    ``headers`` are ``Name: value``, ``form`` is ``name=value``. A path that ``public_url`` has is taken off, as
    by the proxy before the router. Raises ValueError, in words for whoever typed it, for what no client can send.
    """
    if not (method.isascii() and method.isalpha()):
        raise ValueError(f"expected a method such as POST, found {method[:40]!r}")
    if json is not None and form:
        raise ValueError("a call has one body: JSON or a form")
    raw_path, raw_query, user = _split(url, public_url)
    given = [_pair(header, ":", "--header", "'Name: value'") for header in headers]
    named = {name.lower() for name, _value in given}
    if user and "authorization" not in named:
        given.append(("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}"))
    if (json is not None or form) and "content-type" not in named:
        given.append(("Content-Type", _FORM if form else _JSON))
    body = urlencode([_pair(field, "=", "--form", "'name=value'") for field in form]) if form else json or ""
    return Request(
        method=method.upper(),
        path=unquote(raw_path),
        raw_path=raw_path,
        raw_query=raw_query,
        headers=grouped((name.lower(), value) for name, value in given),
        body=body.encode(errors="surrogateescape"),
    )


def _split(url: str, public_url: str) -> tuple[str, str, str]:
    """Give path and query as they go over the wire, and ``user:password`` where the URL has them."""
    prefix = public_url.rstrip("/")
    parts = urlsplit(url.removeprefix(prefix) if prefix and url.startswith(f"{prefix}/") else url)
    if parts.scheme not in ("", "http", "https") or (not parts.netloc and not parts.path.startswith("/")):
        found = url.partition("?")[0].rpartition("@")[2]
        raise ValueError(f"expected a URL, or a path that begins with '/', found {found[:100]!r}")
    user = unquote(parts.netloc.rpartition("@")[0])
    return quote(parts.path or "/", safe=_KEPT), quote(parts.query, safe=_KEPT_IN_QUERY), user


def _pair(text: str, separator: str, option: str, form: str) -> tuple[str, str]:
    name, found, value = text.partition(separator)
    if not found or not name.strip():  # what was found may be a secret
        fault = f"no name before '{separator}'" if found else f"{len(text)} characters without '{separator}'"
        raise ValueError(f"{option}: expected {form}, found {fault}")
    return (name, value) if separator == "=" else (name.strip(), value.strip())
