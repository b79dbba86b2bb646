"""The pages for plugin authors, as the tests read them."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parents[2] / "docs" / "plugins"
INDEX: Final = (DOCS / "index.md").read_text(encoding="utf-8")
RULES: Final = (DOCS / "rules.md").read_text(encoding="utf-8")


def page_of(hook: str) -> str:
    return (DOCS / "hooks" / f"{hook}.md").read_text(encoding="utf-8")


def example_in(page: str) -> tuple[str, str]:
    """Give the plugin that a page shows: its file's name, without the suffix, and its source."""
    (found,) = re.findall(r"^`plugins/(\w+)\.py`:\n\n```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    name, source = found
    return name, source


def blocks(language: str, page: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def rows(page: str) -> dict[str, list[str]]:
    """Give the rows of all tables, less their heads: the first cell, without a mark of code, and the others."""
    lines = page.splitlines()
    bodies = [line for line, below in pairwise([*lines, ""]) if line.startswith("| ") and not below.startswith("|---")]
    cells = [[cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in bodies]
    return {re.sub(r"^`([^`]*)`$", r"\1", first): others for first, *others in cells}


def section(page: str, title: str) -> str:
    """Give what stands below a title."""
    return page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
