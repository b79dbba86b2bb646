"""From Starlette's request to ours, with a bound on what is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from router.callers.request import Request, grouped

if TYPE_CHECKING:
    from starlette.requests import Request as WebRequest

LARGEST: Final = 64 * 1024
"""Bytes that a tool call's body may have."""


class TooLarge(Exception):
    """The body has more than ``LARGEST`` bytes; nothing beyond them was read."""


async def read_request(request: WebRequest) -> Request:
    """Read the request as it came over the wire; raises TooLarge, at once where the caller says so itself."""
    if int(request.headers.get("content-length", 0)) > LARGEST:
        raise TooLarge
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise TooLarge
    scope = request.scope
    headers = ((name.decode("latin-1").lower(), _text(value.strip())) for name, value in scope["headers"])
    return Request(
        method=request.method,
        path=scope["path"],
        raw_path=scope["raw_path"].decode("latin-1"),
        raw_query=scope["query_string"].decode("latin-1"),
        headers=grouped(headers),
        body=bytes(body),
    )


def _text(value: bytes) -> str:
    """Decode a header's value: UTF-8, as secrets and identities are sent, else Latin-1, which takes every byte."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
