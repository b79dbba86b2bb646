"""From the server's request to ours, with a bound on what is read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from router.callers.request import Request, grouped
from router.errors import BadRequest

if TYPE_CHECKING:
    from starlette.types import Receive, Scope

LARGEST: Final = 64 * 1024
"""Bytes that a tool call's body may have."""


class TooLarge(Exception):
    """The body has more than ``LARGEST`` bytes; nothing beyond them was read."""


class HungUp(Exception):
    """The caller left before the body had arrived."""


async def read_request(scope: Scope, receive: Receive, patience: float) -> Request:
    """Read the request as it came over the wire, for ``patience`` seconds at the most.

    Raises TooLarge, at once where the caller says so itself, BadRequest where the body does not arrive, and HungUp.
    """
    headers = grouped((name.decode("latin-1").lower(), _text(value.strip())) for name, value in scope["headers"])
    if int(headers.get("content-length", ("0",))[0]) > LARGEST:
        raise TooLarge
    body = await _in_time(receive, patience)
    return Request.of(
        {
            "method": scope["method"],
            "path": scope["path"],
            "raw_path": scope["raw_path"].decode("latin-1"),
            "raw_query": scope["query_string"].decode("latin-1"),
            "headers": headers,
            "body": body,
        }
    )


async def _in_time(receive: Receive, patience: float) -> bytes:
    """Read the body as ``asyncio.timeout`` would let it be read, in a quarter of the time that this takes."""
    task, is_late = cast("asyncio.Task[object]", asyncio.current_task()), False
    before = task.cancelling()

    def expire() -> None:
        nonlocal is_late
        is_late = task.cancel()

    timer = asyncio.get_running_loop().call_later(patience, expire)
    try:
        return await _body(receive)
    except asyncio.CancelledError as error:
        if is_late and task.uncancel() <= before:
            raise BadRequest(f"the body did not arrive within {patience:g} s") from error
        raise
    finally:
        timer.cancel()


async def _body(receive: Receive) -> bytes:
    body, is_whole = b"", False
    while not is_whole:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HungUp
        body += message.get("body", b"")
        if len(body) > LARGEST:
            raise TooLarge
        is_whole = not message.get("more_body", False)
    return body


def _text(value: bytes) -> str:
    """Decode a header's value: UTF-8, as secrets and identities are sent, else Latin-1, which takes every byte."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
