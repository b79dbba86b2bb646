"""From Starlette's request to ours, with a bound on what is read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from router.callers.request import Request, grouped
from router.errors import BadRequest

if TYPE_CHECKING:
    from starlette.requests import Request as WebRequest

LARGEST: Final = 64 * 1024
"""Bytes that a tool call's body may have."""


class TooLarge(Exception):
    """The body has more than ``LARGEST`` bytes; nothing beyond them was read."""


async def read_request(request: WebRequest, patience: float) -> Request:
    """Read the request as it came over the wire, for ``patience`` seconds at the most.

    Raises TooLarge, at once where the caller says so itself, and BadRequest where the body does not arrive.
    """
    if int(request.headers.get("content-length", 0)) > LARGEST:
        raise TooLarge
    try:
        async with asyncio.timeout(patience):
            body = await _body(request)
    except TimeoutError as error:
        raise BadRequest(f"the body did not arrive within {patience:g} s") from error
    scope = request.scope
    headers = ((name.decode("latin-1").lower(), _text(value.strip())) for name, value in scope["headers"])
    return Request(
        method=request.method,
        path=scope["path"],
        raw_path=scope["raw_path"].decode("latin-1"),
        raw_query=scope["query_string"].decode("latin-1"),
        headers=grouped(headers),
        body=body,
    )


async def _body(request: WebRequest) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise TooLarge
    return bytes(body)


def _text(value: bytes) -> str:
    """Decode a header's value: UTF-8, as secrets and identities are sent, else Latin-1, which takes every byte."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
