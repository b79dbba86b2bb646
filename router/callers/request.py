"""A request as it came over the wire, before anything in it is believed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from router.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BODY_HASH: Final = "bodySHA256"
"""The parameter of a signed URL that promises the SHA-256 of the body (docs/twilio.md, BODY-HASH)."""

FIELDS: Final = 1000
"""So many parameters a query or a form may have; more are no tool call."""


_PARAMETER: Final = re.compile(r"([A-Za-z_]\w{0,30})=", re.ASCII)


@dataclass(frozen=True)
class Request(Value):
    """Method, path and raw query as the caller sent them, headers by lower-case name, and the body's bytes.

    ``raw_path`` is the path byte for byte, as a signature covers it; ``path`` is the same decoded, as routes name it.
    """

    method: str
    path: str
    raw_path: str
    raw_query: str = ""
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str:
        """Give the header ``name`` (lower case); empty where it is missing, or repeated with another value."""
        values = self.headers.get(name, ())
        return values[0] if values and values.count(values[0]) == len(values) else ""

    @cached_property
    def query(self) -> Sequence[tuple[str, str]]:
        """The decoded parameters of the URL, in their order; raises ValueError as ``pairs`` does."""
        return pairs(self.raw_query)

    @property
    def media_type(self) -> str:
        """The content type in lower case, without its parameters."""
        return self.header("content-type").partition(";")[0].strip().lower()

    @property
    def is_form(self) -> bool:
        """The body is a form, whose parameters a signature of Twilio's covers."""
        return self.media_type == "application/x-www-form-urlencoded"

    def described(self, public_url: str) -> str:
        """Give the URL for a log: without the query's values, which may be secrets or a customer's."""
        names = sorted({match[1] for part in self.raw_query.split("&") if (match := _PARAMETER.match(part))})[:10]
        query = "&".join(f"{name}=…" for name in names)
        return public_url.rstrip("/") + self.raw_path[:200] + (f"?{query}" if query else "")

    def url(self, public_url: str) -> str:
        """Give the URL as the caller called it: ours as the world sees it, then path and query byte for byte."""
        return public_url.rstrip("/") + self.raw_path + (f"?{self.raw_query}" if self.raw_query else "")


def pairs(encoded: str) -> list[tuple[str, str]]:
    """Decode a query or a form; blank values are values. Raises ValueError for what is no UTF-8, or too much of it."""
    if "%" in encoded or "+" in encoded or encoded.count("&") >= FIELDS:
        return parse_qsl(encoded, keep_blank_values=True, errors="strict", max_num_fields=FIELDS)
    parts = [part.partition("=") for part in encoded.split("&") if part]
    return [(name, value) for name, _equals, value in parts]


def grouped(decoded: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Gather the values of each name, in their order."""
    gathered: dict[str, list[str]] = {}
    for name, value in decoded:
        gathered.setdefault(name, []).append(value)
    return gathered
