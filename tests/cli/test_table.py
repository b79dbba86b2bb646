from __future__ import annotations

import pytest

from router.cli.table import cut, table

ROWS = [("A", "BB", "C"), ("a long cell", "b", ""), ("a", "another long cell", "c")]


def test_columns_are_aligned() -> None:
    """Each column is as wide as its widest cell, two spaces stand between them, and no line ends in space."""
    assert table(ROWS).splitlines() == [
        "A            BB                 C",
        "a long cell  b",
        "a            another long cell  c",
    ]


@pytest.mark.parametrize("room", [34, 33, 30, 25])
def test_the_widest_columns_give_way(room: int) -> None:
    """Where the lines must fit, the long cells are cut and marked, and the columns stay aligned."""
    lines = table(ROWS, room).splitlines()
    assert all(len(line) <= room for line in lines)
    assert lines[0].index("BB") == lines[2].index("another")
    assert lines[2].endswith("  c")
    assert ("…" in lines[2]) is (room < 33)


def test_where_nothing_helps_the_line_is_cut() -> None:
    """Columns are not made so narrow that nothing can be read: then the line ends at the edge."""
    assert table(ROWS, 9).splitlines() == ["A       …", "a long ……", "a       …"]
    assert table(ROWS, 0).splitlines() == ["…", "…", "…"]
    assert [cut("abc", width) for width in (4, 3, 2, 1)] == ["abc", "abc", "a…", "…"]
