"""A request that a plugin asks for, checked before it is sent: it leads to Twilio, and our credentials nowhere else."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import unquote

from router.model.masking import fit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.model.twilio import Fields

_METHODS: Final = ("GET", "POST", "DELETE")
_ORIGIN: Final = re.compile(r"https://[a-z0-9-]+(?:\.[a-z0-9-]+){0,2}\.twilio\.com(?=/)")
_REST: Final = re.compile(r"(?:[\w.~!$&'()*+,;=:@/?-]|%[0-9a-fA-F]{2})+", re.ASCII)
_DOTS: Final = frozenset({".", ".."})


@dataclass(frozen=True, slots=True)
class TwilioRequest:
    """A request to Twilio that is fit to be sent; what it is about may be a customer's, and is not shown."""

    method: str
    url: str = field(repr=False)
    form: Mapping[str, list[str]] = field(repr=False)
    query: Mapping[str, list[str]] = field(repr=False)

    @classmethod
    def checked(cls, method: str, url: str, form: Fields, query: Fields) -> Self:
        """Make one of what a plugin gave; raises ValueError or TypeError where it cannot be right."""
        if method not in _METHODS:
            raise ValueError(f"expected the method GET, POST or DELETE, found {fit(repr(method)[:40])}")
        if form and method != "POST":
            raise ValueError(f"expected a form only with POST: what a {method} asks for goes into query")
        return cls(method, _checked_url(url), _checked("form", form), _checked("query", query))

    @property
    def is_read(self) -> bool:
        """It changes nothing."""
        return self.method == "GET"

    @property
    def unmade_answer(self) -> dict[str, Any] | None:
        """What a write is answered with that is not made: nobody knows what Twilio would have made up."""
        return {} if self.method == "POST" else None


def _checked_url(url: str) -> str:
    """Give ``url`` back; where it is refused, neither a password nor a customer's data in it is shown."""
    origin = _ORIGIN.match(url)
    if origin is None:
        found = "a user name" if "@" in url else fit(repr(url[:40]))
        raise ValueError(f"expected a URL that begins with https://NAME.twilio.com/ and has no port, found {found}")
    rest = url[origin.end() :]
    if not _REST.fullmatch(rest) or _DOTS.intersection(re.split(r"[/\\]", unquote(rest.partition("?")[0]))):
        raise ValueError(
            f"the path or query of a URL at {origin[0]} has '..', '#' or what is not escaped:"
            " quote what you put into it with urllib.parse.quote(value, safe='')"
        )
    return url


def _checked(kind: str, fields: Fields) -> dict[str, list[str]]:
    found = {}
    for name, value in fields.items():
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
            given = type(value).__name__
            raise TypeError(f"the field {name!r} of {kind}: expected a text or a list of texts, found {given}")
        found[name] = [_encodable(text) for text in texts]
    return found


def _encodable(text: str) -> str:
    """Replace what UTF-8 cannot say: a lone surrogate, which an escape in a model's JSON may bring."""
    return text.encode("utf-8", "replace").decode()
