from __future__ import annotations

import pytest

from router.config.conflicts import without_conflicts
from router.config.faults import Faults


def left(text: str) -> tuple[str, list[int]]:
    faults = Faults()
    kept = without_conflicts(text, "routes.yaml", faults)
    return kept, [fault.line for fault in faults.diagnostics]


@pytest.mark.parametrize(
    ("text", "kept", "lines"),
    [
        ("a: 1\n", "a: 1\n", []),
        ("a: |\n  <<<<<<< HEAD\n  =======\n", "a: |\n  <<<<<<< HEAD\n  =======\n", []),
        ("a: 1\n=======\n", "a: 1\n=======\n", []),
        ("<<<<<<<<< x\n", "<<<<<<<<< x\n", []),
        ("<<<<<<< HEAD\na: 1\n=======\nb: 2\n>>>>>>> x\nc: 3\n", "\na: 1\n\n\n\nc: 3\n", [1]),
        ("a: 1\r\n<<<<<<< HEAD\r\n=======\r\nb: 2\r\n>>>>>>> x", "a: 1\r\n\r\n\r\n\r\n", [2]),
        ("<<<<<<<\na: 1\n||||||| base\nb: 2\n=======\nc: 3\n>>>>>>>\n", "\na: 1\n\n\n\n\n\n", [1]),
        ("a: 1\n<<<<<<< HEAD\nb: 2\n", "a: 1\n\nb: 2\n", [2]),
        ("a: 1\n>>>>>>> x\nb: 2\n", "a: 1\n\nb: 2\n", [2]),
        ("<<<<<<< a\n=======\n>>>>>>> b\n<<<<<<< a\n=======\n>>>>>>> b\n", "\n" * 6, [1]),
    ],
)
def test_a_merge_conflict_is_told_once(text: str, kept: str, lines: list[int]) -> None:
    """The first side stays where it stood; the marks at the left margin, and the other sides, are emptied."""
    assert left(text) == (kept, lines)
