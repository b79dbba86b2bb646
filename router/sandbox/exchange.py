"""A request that leaves the sandbox, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: a GET where ``body`` is None, else a POST of it as ``content_type``."""

    url: str
    body: str | None = None
    content_type: str = FORM


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: ``status`` is 0 where no answer came, and ``error`` then says why."""

    status: int = 0
    content_type: str = ""
    body: str = ""
    error: str = ""
