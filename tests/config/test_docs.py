"""The pages of the diagnostic codes: one each, and their examples are real."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from router.config import load
from router.rehearsal.runner import run_tests
from tests.config.kit import faults

if TYPE_CHECKING:
    from router.model.diagnostic import Diagnostic

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted((ROOT / "docs" / "errors").glob("*.md"))
CODE = re.compile(r'"([a-z]+-[a-z]+)"')
NO_CODES = {"x-message", "utf-8", "x-flow"}


def what_is_told(path: Path) -> tuple[Diagnostic, ...]:
    """Give the faults of a file, or, where there are none, what its own tests find."""
    found = faults(path)
    if found:
        return found
    loaded = load(path, environ={})
    return asyncio.run(run_tests(loaded.routes, (), loaded.tests)).diagnostics


def test_each_code_has_its_page() -> None:
    """Each code that the loader can tell has a page, and no page is without a code."""
    told: set[str] = set()
    for module in (ROOT / "router" / "config").glob("*.py"):
        told |= set(CODE.findall(module.read_text("utf-8"))) - NO_CODES
    for name in ("rehearsal/results.py", "web/starting.py", "workshop/trial.py"):
        told |= set(CODE.findall((ROOT / "router" / name).read_text("utf-8")))
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
        assert (
            "".join(f"{fault}\n" for fault in what_is_told(Path("routes.yaml"))).replace(str(tmp_path), "/srv/handover")
            == told[0]
        )
