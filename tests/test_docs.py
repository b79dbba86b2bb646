"""Documentation that cannot rot: what the docs name is there, and what is there is named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from docs import make
from router.cli import COMMANDS
from router.cli import group as commands
from router.config import load
from router.model.outcome import Outcome
from router.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
SOURCES = [
    path
    for folder in ("router", "plugins", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path.name != "test_docs.py"
]
ASK_FIRST = """
from router import hookimpl

@hookimpl
def before_swap(handover):
    return None
"""


def yaml_blocks() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for number, block in enumerate(re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)):
            if block.startswith("version:"):
                yield f"{page.relative_to(ROOT)}-{number}", block


@pytest.mark.parametrize(("name", "block"), list(yaml_blocks()), ids=lambda value: value if "\n" not in value else "")
def test_every_yaml_block_passes_our_own_check(name: str, block: str, tmp_path: Path) -> None:
    """A ``routes.yaml`` that the docs show loads without an error."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "ask_first.py").write_text(ASK_FIRST)
    (tmp_path / "routes.yaml").write_text(block)
    assert load(tmp_path / "routes.yaml", environ={}).routes.tools, name


def test_every_fact_that_the_code_names_is_listed() -> None:
    """The ids after ``docs/twilio.md,`` stand on the page, and no id of the page is named nowhere."""
    listed = re.findall(r"^\| ([A-Z][A-Z-]+) \|", (ROOT / "docs" / "twilio.md").read_text(), re.MULTILINE)
    sources = [path.read_text() for path in SOURCES]
    named = {
        fact
        for text in sources
        for found in re.findall(r"docs/twilio\.md,\s+((?:[A-Z][A-Z-]+(?:,\s+)?)+)", text)
        for fact in re.findall(r"[A-Z][A-Z-]+", found)
    }
    words = {word for text in sources for word in re.findall(r"[A-Z][A-Z-]+", text)}
    assert len(listed) == len(set(listed))
    assert named <= set(listed)
    assert set(listed) <= words


def test_every_setting_is_documented() -> None:
    """``docs/settings.md`` lists just the settings that are read."""
    read = set(re.findall(r'get\("([A-Z_]+)"', (ROOT / "router" / "settings.py").read_text()))
    page = (ROOT / "docs" / "settings.md").read_text()
    listed = {name for row in re.findall(r"^\| (`[^|]+)\|", page, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert listed == read
    assert f"`{Settings().deadline}`" in page


def test_every_outcome_is_explained() -> None:
    """The README says of each outcome when it comes."""
    readme = (ROOT / "README.md").read_text()
    assert [outcome for outcome in Outcome if f"| `{outcome}` |" not in readme] == []


def test_links_lead_somewhere() -> None:
    """A relative link in a page reaches a file that is there."""
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_made_pages_are_as_they_would_be_made(capsys: pytest.CaptureFixture[str]) -> None:
    """``docs/routes.md`` and ``docs/errors.md`` are what ``make docs`` would write."""
    assert make.main(["--check"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    """``handover COMMAND --help`` says what it does and explains each option."""
    told = CliRunner().invoke(commands, [command, "--help"])
    assert told.exit_code == 0
    options = [line.strip() for line in told.output.splitlines() if line.startswith("  -")]
    assert [option for option in options if not re.search(r"\S\s{2,}\S", option)] == []
    assert told.output.count("\n\n") >= 2, "a sentence or two between usage and options"
