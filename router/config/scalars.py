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
    r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?"  # 010, 1_000, +1, 1., .5, 1e3, and far too long ones
    r"|[-+]?0[xob][0-9a-fA-F_]+"
    r"|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"
    r"|[-+]?\.inf|\.nan",
    re.IGNORECASE,
)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?")
_SIGNS: Final = frozenset("-+.0123456789")
_LONGEST_WORD: Final = len("false")
_LONGEST_SHOWN: Final = 40
"""As much of a word as fits beside what is said about it."""


class AmbiguousScalar(ValueError):
    """A word that different readers of YAML take for different things. ``code`` is that of its diagnostic.

    ``reading`` says what they take it for, without the word itself, and ``remedy`` how to write what is meant.
    """

    def __init__(self, code: str, word: str, reading: str, remedy: str) -> None:
        shown = word if len(word) <= _LONGEST_SHOWN else word[:_LONGEST_SHOWN] + "…"
        super().__init__(f"{shown} {reading}; {remedy}")
        self.code, self.shown, self.reading, self.remedy = code, shown, reading, remedy


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
        remedy = f"write {meant}, or '{word}' in quotes"
        raise AmbiguousScalar("scalar-boolean", word, f"may be read as {meant} or as text", remedy)
    if folded == "null":
        remedy = f"write null, or '{word}' in quotes"
        raise AmbiguousScalar("scalar-null", word, "may be read as nothing or as text", remedy)
    return word


def _number(word: str) -> str | int | float:
    """Say what a word means that begins as a number does."""
    if _WHOLE.fullmatch(word):
        return int(word)
    if _DECIMAL.fullmatch(word):
        return float(word)
    if _NUMBER_LIKE.fullmatch(word):
        remedy = "write a plain decimal number, or put it into quotes"
        raise AmbiguousScalar("scalar-number", word, "may be read as a number in several ways, or as text", remedy)
    return word


def is_date(word: str) -> bool:
    """Say whether YAML 1.1 reads an unquoted word as a date; here it is text."""
    return word[4:5] == "-" and _DATE.fullmatch(word) is not None
