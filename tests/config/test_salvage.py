"""What goes live of a configuration with faults, fragment by fragment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.config.loading import attempt
from router.config.salvage import salvage
from tests.config.kit import HEAD, TOOLS, write

if TYPE_CHECKING:
    from pathlib import Path

    from router.config.loading import Attempt, Loaded
    from router.config.reading import Substitutes

ROOT = HEAD + TOOLS + "include: ['teams/*.yaml']\n"
A = "tools: {/a: {flow: refunds, name: first}}\n"
B = "tools: {/b: {flow: billing}}\n"


def team(directory: Path, **texts: str) -> None:
    (directory / "teams").mkdir(exist_ok=True)
    for name, text in texts.items():
        (directory / "teams" / f"{name}.yaml").write_text(text)


def salvaged(directory: Path, good: Loaded | None = None, root: str = ROOT) -> Attempt:
    path = write(directory, root)

    def try_with(substitutes: Substitutes) -> Attempt:
        return attempt(path, environ={}, substitutes=substitutes)

    return salvage(try_with, good.own if good else {})


def live(found: Attempt) -> Loaded:
    assert found.loaded is not None, found.diagnostics
    return found.loaded


def states(found: Loaded) -> dict[str, bool]:
    return {each.file.rpartition("/")[2]: each.has_good_form for each in found.frozen}


def test_files_without_fault_are_taken_as_they_stand(tmp_path: Path) -> None:
    """Nothing is frozen where nothing is wrong."""
    team(tmp_path, a=A, b=B)
    found = live(salvaged(tmp_path))
    assert list(found.routes.tools) == ["/refunds", "/billing", "/a", "/b"]
    assert found.frozen == ()


def test_a_broken_fragment_keeps_its_last_good_form(tmp_path: Path) -> None:
    """It freezes itself alone: a change beside it goes live, and every fault of it is told."""
    team(tmp_path, a=A, b=B)
    good = live(salvaged(tmp_path))
    team(tmp_path, a=A.replace("refunds", "refnds").replace("name", "nam"), b=B.replace("/b", "/new"))
    found = salvaged(tmp_path, good)
    assert live(found).routes.tools["/a"].name == "first"
    assert "/new" in live(found).routes.tools
    assert states(live(found)) == {"a.yaml": True}
    assert {each.code for each in found.errors} == {"flow-unknown", "key-unknown"}
    assert live(found).frozen[0].errors == found.errors
    assert str(live(found).frozen[0]).endswith("teams/a.yaml:1: flow-unknown")


@pytest.mark.parametrize("text", ["{flow: refnds, intents: {x: {flow: refunds}}}", "{", "[", "{flow: !!python 1}"])
def test_without_a_good_form_its_tools_are_out_of_order(tmp_path: Path, text: str) -> None:
    """At a start where nothing good is known its tools are still found, whether or not the file can be read."""
    team(tmp_path, a=f"flows:\n  new: FW{'3' * 32}\ntools:\n  /a: {text}\n  '/c d': {{}}\n  \"/e\" : {{}}\n", b=B)
    found = live(salvaged(tmp_path))
    assert states(found) == {"a.yaml": False}
    broken = [path for path, tool in found.routes.tools.items() if tool.out_of_order]
    assert set(broken) == {"/a", "/c d", "/e"}
    assert found.routes.tools["/b"].route.flow
    assert "its tools are out of order" in str(found.frozen[0])


def test_bytes_that_are_no_text_have_no_tools(tmp_path: Path) -> None:
    """A fragment that is not even text, or not there, is left out, and all the rest goes live."""
    team(tmp_path, b=B)
    (tmp_path / "teams" / "a.yaml").write_bytes(b"\xff\xfe\x00")
    found = live(salvaged(tmp_path, root=ROOT.replace("include: [", "include: [gone.yaml, ")))
    assert states(found) == {"a.yaml": False, "gone.yaml": False}
    assert [path for path, tool in found.routes.tools.items() if tool.out_of_order] == []


def test_a_tool_that_another_file_has_is_not_out_of_order(tmp_path: Path) -> None:
    """Of a tool that two fragments define the first one's stays in use."""
    team(tmp_path, a=A, b=A)
    found = live(salvaged(tmp_path))
    assert states(found) == {"b.yaml": False}
    assert not found.routes.tools["/a"].out_of_order


def test_who_did_not_change_is_not_to_blame(tmp_path: Path) -> None:
    """A new fragment that takes the tool of an old one is kept back, although the fault is told in the old one."""
    team(tmp_path, b=B)
    good = live(salvaged(tmp_path))
    team(tmp_path, a=B)
    found = live(salvaged(tmp_path, good))
    assert states(found) == {"a.yaml": False}
    assert "b.yaml:1:" in str(found.frozen[0].errors[0])
    assert found.routes.tools["/b"].route.flow


def test_what_leans_on_a_broken_fragment_falls_with_it(tmp_path: Path) -> None:
    """A fragment that names a flow of a broken one is kept back too, and nothing else is."""
    team(tmp_path, a=f"flows: {{own: FW{'3' * 32}}}\ntools: [wrong]\n", b="tools: {/b: {flow: own}}\n", c=A)
    found = live(salvaged(tmp_path))
    assert states(found) == {"a.yaml": False, "b.yaml": False}
    assert not found.routes.tools["/a"].out_of_order


def test_where_all_tools_stand_in_a_broken_fragment_the_rest_still_goes_live(tmp_path: Path) -> None:
    """A root without tools of its own, and with a test that calls the broken one's, comes up all the same."""
    team(tmp_path, a="tools: {/a: {flow: nowhere}}\n")
    test = "tests: [{name: x, call: {tool: /a}, expect: {outcome: failed}}]\n"
    found = live(salvaged(tmp_path, root=ROOT.replace(TOOLS, "") + test))
    assert [(path, tool.out_of_order) for path, tool in found.routes.tools.items()] == [("/a", True)]


def test_what_is_written_like_a_tool_is_none(tmp_path: Path) -> None:
    """A line of a text that looks like a path is no tool; one in braces, or behind a tab, is."""
    text = "tools:\n  /a:\n    description: |\n      /b: not a tool\n    flow: nowhere\n"
    team(tmp_path, a=text, b="tools: {/c: {flow: nowhere}}\n", c="tools:\n\t/d: {flow: refunds}\n")
    found = live(salvaged(tmp_path))
    assert {path for path, tool in found.routes.tools.items() if tool.out_of_order} == {"/a", "/c", "/d"}


@pytest.mark.parametrize("root", ["fragments: strict\n", "tools: []\n", "plugins: [{use: nowhere}]\n"])
def test_nothing_is_salvaged_where_all_must_be_right(tmp_path: Path, root: str) -> None:
    """With ``fragments: strict``, or a fault of the file itself, nothing goes live."""
    team(tmp_path, a="tools: [wrong]\n", b=B)
    text = ROOT.replace(TOOLS, "") + (root if "tools" in root else TOOLS + root)
    assert salvaged(tmp_path, root=text).loaded is None


def test_a_good_form_that_fits_no_more_refuses_the_whole(tmp_path: Path) -> None:
    """Where the file itself took away what its fragments need, it is to blame, and nothing goes live."""
    team(tmp_path, a=A, b=B)
    good = live(salvaged(tmp_path))
    found = salvaged(tmp_path, good, ROOT.replace("refunds: FW", "other: FW").replace("flow: refunds", "flow: billing"))
    assert found.loaded is None
    assert [each.file.rpartition("/")[2] for each in found.errors] == ["a.yaml"]


def test_the_root_may_change_together_with_a_fragment(tmp_path: Path) -> None:
    """A new root and a new fragment that fit each other go live together."""
    team(tmp_path, a=A)
    good = live(salvaged(tmp_path))
    team(tmp_path, a=A.replace("refunds", "other"))
    root = ROOT.replace("refunds: FW", "other: FW").replace("flow: refunds", "flow: other")
    assert live(salvaged(tmp_path, good, root)).frozen == ()


def test_what_to_watch_is_what_stands_on_the_disk(tmp_path: Path) -> None:
    """The broken file is watched, not the good form that is in use: so its repair is seen."""
    team(tmp_path, a=A)
    good = live(salvaged(tmp_path))
    team(tmp_path, a="tools: {")
    found = salvaged(tmp_path, good)
    assert found.watch.look() == found.watch.digest
    team(tmp_path, a=A)
    assert found.watch.look() != found.watch.digest
