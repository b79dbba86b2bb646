"""Twilio's names of the requests that one handover took, for whoever has to ask Twilio about them."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

REQUESTS: Final[ContextVar[list[str] | None]] = ContextVar("requests", default=None)
"""Where the names are gathered: each handover has its own list, which requests side by side share."""

MOST: Final = 50
"""So many are kept: a repair may go on for days."""


def note_request(name: str) -> None:
    """Note Twilio's name of a request, where one is given and somebody gathers them."""
    names = REQUESTS.get()
    if names is not None and name and len(names) < MOST:
        names.append(name)
