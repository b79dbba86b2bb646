"""SIDs, checked once, by full match: they go into URLs unescaped, as with the SDK (docs/twilio.md, SDK-PATH)."""

from __future__ import annotations

import re
from typing import Final

_SID: Final = re.compile(r"[A-Z]{2}[0-9a-fA-F]{32}")


def is_sid(prefix: str, text: object) -> bool:
    """Say whether ``text`` is a SID of the kind that the two capitals ``prefix`` name, and nothing more."""
    return isinstance(text, str) and text.startswith(prefix) and _SID.fullmatch(text) is not None


def checked_sid(prefix: str, text: str) -> str:
    """Give ``text`` back if it is a SID of that kind; raise ValueError if anything else stands there."""
    if not is_sid(prefix, text):
        raise ValueError(f"expected {prefix} and 32 hex digits, found {text[:64]!r}")
    return text
