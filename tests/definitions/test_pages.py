from __future__ import annotations

from router.definitions.definition import Choice, Input, ToolDefinition
from router.definitions.pages import as_markdown, as_text

INTENT = Input("intent", "What.", (Choice("refund", "with ```` ticks", ()),))
FULL = ToolDefinition("/a", "A | *B*", "Say [x](y) `now`, <b>", (INTENT,), "https://h.example/a?secret=...")
BARE = ToolDefinition("/b", "B", "", (), "https://h.example/b")


def test_text_has_the_fields_in_the_agents_order() -> None:
    """Name, Description, Input, Method and URL below the path; a missing description is a dash."""
    assert as_text(BARE) == (
        "/b\n\n  Name         B\n  Description  -\n  Input        {}\n  Method       POST\n  URL          https://h.example/b\n"
    )
    lines = as_text(FULL).splitlines()
    assert lines[4] == "  Input        {"
    assert lines[9] == '                 intent: "refund";'
    assert lines[10] == "               }"


def test_markdown_shows_what_was_written() -> None:
    """What is Markdown of its own is escaped, and no run of ticks ends the code."""
    text = as_markdown(FULL)
    assert text.startswith("## A \\| \\*B\\*\n\n| Field | Value |\n|---|---|\n| Name | A \\| \\*B\\* |\n")
    assert "| Description | Say \\[x](y) \\`now\\`, \\<b> |\n" in text
    assert "\n`````ts\n{\n" in text
    assert text.endswith("}\n`````\n")
    assert "| Description | - |" in as_markdown(BARE)
    assert "\n```ts\n{}\n```\n" in as_markdown(BARE)
