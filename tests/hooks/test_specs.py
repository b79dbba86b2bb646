from __future__ import annotations

from pathlib import Path

import pytest

from router.hooks import specs
from router.hooks.specs import ARGUMENTS, KINDS, Kind, new_manager

PAGE = (Path(__file__).parents[2] / "docs" / "plugins" / "index.md").read_text(encoding="utf-8")


def test_every_spec_has_a_kind_and_every_kind_a_spec() -> None:
    """What pluggy knows and what we call are the same hooks, with the same arguments."""
    manager = new_manager()
    known = {name: caller.spec.argnames for name, caller in vars(manager.hook).items() if hasattr(caller, "spec")}
    assert known == ARGUMENTS
    assert set(known) == set(KINDS)


def test_two_managers_are_two() -> None:
    """One for each app: what one registers, the other does not know."""
    first, second = new_manager(), new_manager()
    first.register(object(), "a")
    assert second.list_name_plugin() == []


@pytest.mark.parametrize("hook", KINDS)
def test_every_hook_is_documented_with_its_signature(hook: str) -> None:
    """The page for plugin authors has a heading with the live signature, the kind, and an example."""
    heading = f"### `{hook}({', '.join(ARGUMENTS[hook])})`\n"
    assert heading in PAGE
    section = PAGE.split(heading)[1].split("\n#")[0]
    assert f"Kind: {KINDS[hook]}." in section
    assert f"def {hook}(" in section
    assert f"Kind: {KINDS[hook]};" in (getattr(specs, hook).__doc__ or "")


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_says_what_its_failure_does(kind: Kind) -> None:
    """The page has one row a kind."""
    assert f"\n| {kind} | " in PAGE


def test_no_hook_is_documented_that_is_not_called() -> None:
    """A heading without a spec would promise what never happens."""
    headings = [line.split("`")[1].split("(")[0] for line in PAGE.splitlines() if line.startswith("### `")]
    assert headings == list(KINDS)
