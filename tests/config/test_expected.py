from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.config.expected import remedy_at

if TYPE_CHECKING:
    from router.config.document import Trail


@pytest.mark.parametrize(
    ("trail", "word", "remedy"),
    [
        (("defaults", "replay"), "yes", "expected none or last_message"),
        (("tools", "/a", "intents", "x", "replay"), "no", "expected none or last_message"),
        (("plugins", 0, "on_error"), "off", "expected stop or continue"),
        (("tests", 0, "at"), "23:30", "expected a text such as 2026-01-31T17:30:00Z"),
        (("flows", "refunds"), "010", "expected a text such as FW00000000000000000000000000000001"),
        (("tools", "/a", "intents", "x", "aliases", 0), "yes", "put it into quotes"),
        (("auth", 0, "secret"), "010", "put it into quotes"),
        (("defaults", "messages", "success"), "010", "put it into quotes"),
        (("tools", "/a", "dry_run"), "yes", ""),
        (("plugins", 0, "config", "any"), "yes", ""),
        (("nowhere", 0, "at", "all"), "yes", ""),
        (("version",), "010", ""),
    ],
)
def test_the_remedy_says_what_the_grammar_wants(trail: Trail, word: str, remedy: str) -> None:
    """Choices are listed, text is put into quotes where that helps, and where a switch may stand nothing is added."""
    assert remedy_at(trail, word) == remedy
