"""Foreign text made fit for a log or an error: one line, bounded, and nobody's address in it."""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 200
"""Characters that foreign text may have."""

_ADDRESS: Final = re.compile(r"(?:\+|%2B)\d(?:[ ().-]{0,2}\d){4,}|[\w.+-]+@[\w-]+\.[\w.-]+", re.IGNORECASE)


def veiled(text: str) -> str:
    """Give ``text`` with telephone numbers and mail addresses masked."""
    if "+" in text or "%" in text or "@" in text:  # no address is without one; to look for one costs more
        return _ADDRESS.sub("+…", text)
    return text


def fit(text: str) -> str:
    """Give ``text`` on one line of at most ``LONGEST`` characters, telephone numbers and mail addresses masked."""
    flat = " ".join("".join(char if char.isprintable() else " " for char in text[: 10 * LONGEST]).split())
    masked = veiled(flat)
    return masked if len(masked) <= LONGEST else masked[: LONGEST - 1] + "…"
