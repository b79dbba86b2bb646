"""``docs/performance.md``: tables between markers, and the promises that they are held against."""

from __future__ import annotations

import pytest

from bench.page import PAGE, filled, origin
from bench.results import KEPT, SHOWN, read, table
from bench.wanted import Promise, promises


def test_a_part_takes_the_place_between_its_markers() -> None:
    """What stood there is gone, what stands around it stays, and a backslash in it is nothing special."""
    text = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n<!-- y -->\n<!-- /y -->\n"
    once = filled(text, {"x": "new \\1\n"})
    assert once == "a\n<!-- x -->\n\nnew \\1\n\n<!-- /x -->\nb\n<!-- y -->\n<!-- /y -->\n"
    assert filled(once, {"x": "new \\1\n"}) == once


def test_a_part_without_markers_is_a_mistake() -> None:
    """It is named, with what the page needs."""
    with pytest.raises(ValueError, match="no place for 'z': it needs <!-- z --> and <!-- /z -->"):
        filled("<!-- z -->\n", {"z": "new"})


def test_a_table_is_aligned() -> None:
    """All but the first column stand to the right, for the eye and for Markdown."""
    assert table(["a", "long"], [["1,000", "2"]]) == "| a     | long |\n| ----- | ---: |\n| 1,000 |    2 |\n"


def test_a_promise_holds_where_all_that_was_measured_is_within_its_bound() -> None:
    """At the most, or at the least; the bound itself is within."""
    assert Promise("", 2, "", {"one": 2, "other": 1}).holds
    assert not Promise("", 2, "", {"one": 2.01, "other": 1}).holds
    assert Promise("", 2, "", {"one": 2}, is_least=True).holds
    assert not Promise("", 2, "", {"one": 1.99}, is_least=True).holds
    assert Promise("what", 1.7, "times", {"": 1.5}, is_least=True).row() == ["what", "≥ 1.7 times", "1.5", "no"]


def test_the_page_shows_the_results_that_are_kept() -> None:
    """The tables of the promises and of where they come from are those that the kept results make."""
    results = {name: read(KEPT, name) for name in SHOWN}
    text = PAGE.read_text()
    assert origin(results) in text
    assert [promise.row()[0] for promise in promises(results) if promise.row()[2] not in text] == []
