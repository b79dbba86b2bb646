"""What a merge left in a file that nobody has decided about yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from router.model.place import Place

if TYPE_CHECKING:
    from router.config.faults import Faults

_OURS: Final = "<<<<<<<"
_THEIRS: Final = (">>>>>>>",)
_BETWEEN: Final = ("|||||||", "=======")
_REMEDY: Final = "keep one of its sides, and remove the lines that begin with <<<<<<<, ======= and >>>>>>>"


def without_conflicts(text: str, file: str, faults: Faults) -> str:
    """Empty the lines that a merge put in, and those of the other side; that they are there is one fault."""
    if not any(f"\n{mark}" in f"\n{text}" for mark in (_OURS, *_THEIRS)):
        return text
    lines = text.splitlines(keepends=True)
    first, is_ours, is_left = 0, True, False
    for number, line in enumerate(lines, 1):
        bare = line.rstrip("\r\n")
        mark = bare[: len(_OURS)] if bare[len(_OURS) :][:1] in ("", " ") else ""
        is_mark = mark in (_OURS, *_THEIRS) or (mark in _BETWEEN and is_left)
        if is_mark:
            first = first or number
            is_left = mark == _OURS or (is_left and mark in _BETWEEN)
            is_ours = mark not in _BETWEEN
        if is_mark or not is_ours:
            lines[number - 1] = line[len(bare) :]
    if first:
        faults.error(Place(file, first, 1), "yaml-conflict", f"a merge conflict was left in the file here; {_REMEDY}")
    return "".join(lines)
