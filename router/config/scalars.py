"""What an unquoted word of YAML means here: only what every reader would take it for, else it is a fault.

YAML 1.1 reads ``on`` as true, ``010`` as 8 and ``1:30`` as 90. None of that is guessed here.
"""

from __future__ import annotations

import re
from typing import Final

_CONSTANTS: Final = {"": None, "~": None, "null": None, "true": True, "false": False}
_SWITCHES: Final = frozenset({"yes", "no", "on", "off", "true", "false"})
_WHOLE: Final = re.compile(r"-?(0|[1-9][0-9]{0,14})")
_DECIMAL: Final = re.compile(r"-?(0|[1-9][0-9]{0,14})\.[0-9]{1,15}")
_NUMBER_LIKE: Final = re.compile(
    r"[-+]?(\.[0-9]+|[0-9][0-9_]*\.?[0-9_]*)([eE][-+]?[0-9]+)?"  # 010, 1_000, +1, 1., .5, 1e3, and far too long ones
    r"|[-+]?0[xob][0-9a-fA-F_]+"
    r"|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"
    r"|[-+]?\.inf|\.nan",
    re.IGNORECASE,
)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?")
_SIGNS: Final = frozenset("-+.0123456789")
_LONGEST_WORD: Final = len("false")


class AmbiguousScalar(ValueError):
    """A word that different readers of YAML take for different things. ``code`` is that of its diagnostic."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def meaning(word: str) -> str | int | float | bool | None:
    """Say what an unquoted word means; raises AmbiguousScalar where that depends on who reads it."""
    if word[:1] in _SIGNS:
        return _number(word)
    if len(word) > _LONGEST_WORD:
        return word
    if word in _CONSTANTS:
        return _CONSTANTS[word]
    folded = word.casefold()
    if folded in _SWITCHES:
        meant = "true" if folded in ("yes", "on", "true") else "false"
        raise AmbiguousScalar(
            "scalar-boolean", f"{word} may be read as {meant} or as text; write {meant}, or '{word}' in quotes"
        )
    if folded == "null":
        raise AmbiguousScalar(
            "scalar-null", f"{word} may be read as nothing or as text; write null, or '{word}' in quotes"
        )
    return word


def _number(word: str) -> str | int | float:
    """Say what a word means that begins as a number does."""
    if _WHOLE.fullmatch(word):
        return int(word)
    if _DECIMAL.fullmatch(word):
        return float(word)
    if _NUMBER_LIKE.fullmatch(word):
        raise AmbiguousScalar("scalar-number", _about_number(word))
    return word


def is_date(word: str) -> bool:
    """Say whether YAML 1.1 reads an unquoted word as a date; here it is text."""
    return word[4:5] == "-" and _DATE.fullmatch(word) is not None


def _about_number(word: str) -> str:
    shown = word if len(word) <= 40 else word[:40] + "…"  # noqa: PLR2004 - as much as fits beside the rest
    remedy = "write a plain decimal number, or put it into quotes"
    return f"{shown} may be read as a number in several ways, or as text; {remedy}"
