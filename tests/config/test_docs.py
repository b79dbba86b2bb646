"""The pages of the diagnostic codes: one each, and their examples are real."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.config.kit import faults

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted((ROOT / "docs" / "errors").glob("*.md"))
CODE = re.compile(r'"([a-z]+-[a-z]+)"')
NO_CODES = {"x-message", "utf-8"}


def test_each_code_has_its_page() -> None:
    """Each code that the loader can tell has a page, and no page is without a code."""
    told: set[str] = set()
    for module in (ROOT / "router" / "config").glob("*.py"):
        told |= set(CODE.findall(module.read_text("utf-8"))) - NO_CODES
    assert {page.stem for page in PAGES} == told


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_a_page_tells_meaning_example_and_remedy(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page has its three parts, and a file that it shows is told just as it says."""
    text = page.read_text("utf-8")
    assert re.match(rf"# {page.stem}\n\n\S.+\n\n## For example\n\n.+\n\n## What to do\n\n\S.+", text, re.DOTALL)
    told = re.findall(r"```text\n(.+?)```", text, re.DOTALL)
    assert len(told) == 1
    assert f"[{page.stem}]: " in told[0]
    for example in re.findall(r"```yaml\n(#.+?)```", text, re.DOTALL):
        monkeypatch.chdir(tmp_path)
        Path("routes.yaml").write_text(example, "utf-8")
        assert "".join(f"{fault}\n" for fault in faults(Path("routes.yaml"))) == told[0]
