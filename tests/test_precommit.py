"""The hook that other repositories run before a commit; pre-commit itself only chooses when, and passes nothing on."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.programs import ended
from tests.config.kit import HEAD, TOOLS, write

ROOT = Path(__file__).parent.parent


@pytest.fixture
def hook() -> dict[str, Any]:
    (found,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def test_it_is_the_hook_that_the_readme_names(hook: dict[str, Any]) -> None:
    """Its id and this version stand in the README's example, and its program is one that the package installs."""
    readme = (ROOT / "README.md").read_text("utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert f"hooks: [{{id: {hook['id']}}}]" in readme
    (revision,) = re.findall(rf"^    rev: v{project['version']} .*$", readme, re.MULTILINE)
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert ("no such tag yet" in revision) is (f"## {project['version']} (unreleased)" in changes)
    assert hook["entry"].split()[0] in project["scripts"]
    assert hook["language"] == "python"


@pytest.mark.parametrize(
    ("name", "is_ours"),
    [
        ("routes.yaml", True),
        ("routes.yml", True),
        ("deploy/routes.yaml", True),
        ("routes.d/billing.yaml", True),
        ("deploy/routes.d/team/billing.yml", True),
        ("myroutes.yaml", False),
        ("routes.yaml.bak", False),
        ("routes.d/README.md", False),
        ("routes.d.yaml", False),
    ],
)
def test_it_runs_where_a_part_of_the_routes_was_changed(hook: dict[str, Any], name: str, is_ours: bool) -> None:
    """The file itself and its fragments, wherever they are; pre-commit searches names by this pattern."""
    assert bool(re.search(hook["files"], name)) is is_ours


async def test_a_changed_fragment_checks_the_whole(hook: dict[str, Any], tmp_path: Path) -> None:
    """No names are passed: alone a fragment would be full of faults, and the fault may be in another file."""
    assert hook["pass_filenames"] is False
    command = hook["entry"].split()[1:]
    write(tmp_path, HEAD + "include: [routes.d/*.yaml]\n" + TOOLS)
    (tmp_path / "routes.d").mkdir()
    fragment = tmp_path / "routes.d" / "more.yaml"
    fragment.write_text("tools: {/more: {flow: billing}}\n")
    assert (await ended(tmp_path, *command))[0] == 0
    fragment.write_text("tools: {/more: {flow: biling}}\n")
    code, told = await ended(tmp_path, *command)
    assert code == 1
    assert "routes.d/more.yaml:1:23: error[flow-unknown]" in told
