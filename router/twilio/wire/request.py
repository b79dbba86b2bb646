"""A request as it goes over the wire, of parts that cannot say more than they should."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote_plus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.model.twilio import Fields

_TARGET: Final = re.compile(r'/[!"$-~]*')
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.~-]*")
_NAME: Final = re.compile(r"[A-Za-z0-9-]+")
_VALUE: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")


def encoded(fields: Fields) -> str:
    """Write fields as a form or a query does; a list goes as its name repeated, an empty one not at all."""
    pairs = [
        f"{_encoded(name)}={_encoded(value)}"
        for name, values in fields.items()
        for value in ((values,) if isinstance(values, str) else values)
    ]
    return "&".join(pairs)


def _encoded(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else quote_plus(text)


def head_of(headers: Mapping[str, str]) -> bytes:
    """Write headers; raises ValueError for one that is none, or that would bring others along."""
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"the header {name!r} has what no header may have")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("ascii")


def request_of(method: str, target: str, head: bytes, body: bytes | None) -> bytes:
    """Write a request; ``head`` is of ``head_of``, a body may be empty. Raises ValueError for what is no target."""
    if not _TARGET.fullmatch(target):
        raise ValueError("a path or query that has what neither may have")
    line = f"{method} {target} HTTP/1.1\r\n".encode("ascii")
    if body is None:
        return b"%b%b\r\n" % (line, head)
    return b"%b%bContent-Length: %d\r\n\r\n%b" % (line, head, len(body), body)
