from __future__ import annotations

from typing import TYPE_CHECKING

from router.config import fragments
from tests.config.kit import HEAD, TOOLS, codes, faults, loaded, write

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def fragment(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_fragments_are_merged_in_the_order_of_their_names(tmp_path: Path) -> None:
    """Flows, tools and tests of all fragments are there, each file once, sorted by path."""
    flow = "FW0000000000000000000000000000000"
    fragment(tmp_path, "teams/b.yaml", f"flows: {{b: {flow}b}}\ntools: {{/b: {{flow: b}}}}\n")
    fragment(
        tmp_path, "teams/a.yaml", "tools: {/a: {flow: b}}\ntests: [{name: a, call: {tool: /b}, expect: {flow: b}}]\n"
    )
    found = loaded(tmp_path, HEAD + TOOLS + "include: ['teams/*.yaml', teams/b.yaml, 'teams/?.yaml']\n")
    assert found.warnings == ()
    assert list(found.routes.tools) == ["/refunds", "/billing", "/a", "/b"]
    assert found.routes.flows["b"] == flow + "b"
    assert [path.name for path in found.files] == ["routes.yaml", "a.yaml", "b.yaml"]


def test_a_file_may_leave_all_tools_to_its_fragments(tmp_path: Path) -> None:
    """Sections that the file itself lacks come from the fragments alone."""
    fragment(tmp_path, "more.yaml", TOOLS)
    assert list(loaded(tmp_path, HEAD + "include: [more.yaml]\n").routes.tools) == ["/refunds", "/billing"]


def test_faults_of_a_fragment_are_told_in_it(tmp_path: Path) -> None:
    """A fault keeps the file, line and column at which it was written, also behind items of another file."""
    more = fragment(
        tmp_path, "more.yaml", "tests:\n- {name: x, call: {tool: /refunds}, expect: {outcome: no}}\n- {name: y}\n"
    )
    text = (
        HEAD
        + TOOLS
        + "include: [more.yaml]\ntests: [{name: z, call: {tool: /refunds}, expect: {flow: '${env:F:-nix}'}}]\n"
    )
    told = faults(write(tmp_path, text))
    assert [(fault.file, fault.line, fault.code) for fault in told] == [
        (str(tmp_path / "routes.yaml"), 8, "flow-unknown"),
        (str(more), 2, "scalar-boolean"),
        (str(more), 3, "key-missing"),
        (str(more), 3, "key-missing"),
    ]


def test_references_in_a_fragment_are_seen_from_it(tmp_path: Path) -> None:
    """``${file:…}`` in a fragment begins at the fragment's directory, and its value stays unseen there too."""
    fragment(
        tmp_path, "teams/a.yaml", "tools: {/a: {flow: refunds, name: '${file:name.txt}', replay: '${file:name.txt}'}}\n"
    )
    fragment(tmp_path, "teams/name.txt", "hunter2\n")
    told = faults(write(tmp_path, HEAD + TOOLS + "include: ['teams/*.yaml']\n"))
    assert [fault.message for fault in told] == [
        "'replay' of tool '/a' is the value of ${file:name.txt}; expected none or last_message"
    ]


def test_sections_of_a_wrong_kind_take_no_fragments(tmp_path: Path) -> None:
    """Where the file's own section is wrong, that is told, and nothing is merged into it."""
    fragment(tmp_path, "more.yaml", "tools: {/a: {flow: refunds}}\ntests: [{name: a}]\n")
    text = HEAD + "include: [more.yaml]\ntools: [a]\ntests: {a: b}\n"
    assert codes(tmp_path, text) == ["type-wrong", "type-wrong"]


def test_a_list_of_fragments_that_is_none_is_told(tmp_path: Path) -> None:
    """``include`` takes a list of texts; anything else is told and includes nothing."""
    assert codes(tmp_path, HEAD + TOOLS + "include: more.yaml\n") == ["type-wrong"]
    assert codes(tmp_path, HEAD + TOOLS + "include: [1, '', [a], '${env:NONE}']\n") == [
        "type-wrong",
        "value-wrong",
        "type-wrong",
        "env-missing",
    ]


def test_a_link_that_leaves_the_directory_is_refused(tmp_path: Path) -> None:
    """A link is followed within the directory, as Kubernetes mounts files, and not out of it."""
    inside = tmp_path / "conf"
    fragment(tmp_path, "other.yaml", "tools: {/other: {flow: refunds}}\n")
    fragment(inside, "..data/a.yaml", "tools: {/a: {flow: refunds}}\n")
    (inside / "teams").mkdir()
    (inside / "teams" / "a.yaml").symlink_to("../..data/a.yaml")
    text = HEAD + TOOLS + "include: ['teams/*']\n"
    assert "/a" in loaded(inside, text).routes.tools
    (inside / "teams" / "b.yaml").symlink_to(tmp_path / "other.yaml")
    assert codes(inside, text) == ["include-outside"]


def test_links_in_a_circle_are_told(tmp_path: Path) -> None:
    """A link that leads to itself, and a name that is no file's, are told as files that cannot be read."""
    (tmp_path / "a.yaml").symlink_to("a.yaml")
    assert codes(tmp_path, HEAD + TOOLS + "include: [a.yaml]\n") == ["file-unreadable"]
    assert codes(tmp_path, HEAD + TOOLS + 'include: ["a\\0.yaml"]\n') == ["file-unreadable"]


def test_a_pattern_that_finds_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern that finds more files than anyone has fragments is told, and none of them is read."""
    monkeypatch.setattr(fragments, "MOST", 2)
    for number in range(3):
        fragment(tmp_path, f"teams/{number}.yaml", "- wrong\n")
    assert codes(tmp_path, HEAD + TOOLS + "include: ['teams/*']\n") == ["include-many"]


def test_a_pattern_that_finds_nothing_is_told(tmp_path: Path) -> None:
    """A slip in a pattern leaves a team's tools out without a word, so it is a warning at its place."""
    found = loaded(tmp_path, HEAD + TOOLS + f"include: ['team/*.yaml', '{'a' * 300}/*.yaml']\n")
    assert [(fault.code, fault.line, fault.column) for fault in found.warnings] == [
        ("include-nothing", 7, 11),
        ("include-nothing", 7, 26),
    ]


def test_a_fragment_that_is_missing_is_told_with_who_names_it(tmp_path: Path) -> None:
    """The fault is the fragment's, and says where it is named and which was meant."""
    fragment(tmp_path, "teams/sales.yaml", "tools: {/a: {flow: refunds}}\n")
    (told,) = faults(write(tmp_path, HEAD + TOOLS + "include: [teams/sales.yml]\n"))
    root = tmp_path / "routes.yaml"
    assert told.message == f"the file does not exist; 'include' names it in {root}:7; did you mean 'sales.yaml'?"
