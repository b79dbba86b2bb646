from __future__ import annotations

from typing import TYPE_CHECKING

from router.config.loading import attempt
from tests.config.kit import HEAD, TOOLS, write

if TYPE_CHECKING:
    from pathlib import Path

    from router.config.watch import Watch


def watched(path: Path, environ: dict[str, str] | None = None) -> Watch:
    return attempt(path, environ=environ or {}).watch


def test_nothing_changed_looks_the_same(tmp_path: Path) -> None:
    """A look at files that stand as they were read gives the same digest, whether or not they are right."""
    for text in (
        HEAD + TOOLS,
        "tools: [",
        HEAD + TOOLS + "include: ['*.yaml', '/no.yaml', '**', '', 7, '../x*']\n",
        "include: x\n",
    ):
        watch = watched(write(tmp_path, text))
        assert watch.look() == watch.look() == watch.digest


def test_every_file_that_was_read_counts(tmp_path: Path) -> None:
    """The file itself, a fragment, what is referred to and a plugin: each change shows, and its undoing too."""
    (tmp_path / "name.txt").write_text("one")
    (tmp_path / "more.yaml").write_text("tools: {/more: {flow: refunds}}\n")
    path = write(
        tmp_path,
        HEAD
        + TOOLS
        + "include: [more.yaml]\ndefaults: {messages: {success: '${file:name.txt}'}}\nplugins: [{use: own}]\n",
        own="None",
    )
    watch = watched(path)
    for name in ("routes.yaml", "more.yaml", "name.txt", "plugins/own.py"):
        before = (tmp_path / name).read_text()
        (tmp_path / name).write_text(before + "# more\n")
        assert watch.look() != watch.digest, name
        (tmp_path / name).unlink()
        assert watch.look() != watch.digest, name
        (tmp_path / name).write_text(before)
        assert watch.look() == watch.digest, name


def test_a_file_that_turns_up_counts(tmp_path: Path) -> None:
    """A fragment that a pattern finds, a plugin, and a file that was missing: each shows when it is there."""
    path = write(tmp_path, HEAD + TOOLS + "include: ['teams/*.yaml', gone.yaml]\n")
    (tmp_path / "teams").mkdir()
    watch = watched(path)
    for name in ("teams/a.yaml", "plugins/new.py", "gone.yaml"):
        (tmp_path / name).write_text("")
        assert watch.look() != watch.digest, name
        (tmp_path / name).unlink()
        assert watch.look() == watch.digest, name
    (tmp_path / "teams" / "a.txt").write_text("")
    (tmp_path / "plugins" / "_no.py").write_text("")
    assert watch.look() == watch.digest


def test_a_broken_link_and_a_foreign_one_do_not_unsettle_it(tmp_path: Path) -> None:
    """What a pattern finds and nobody may read looks the same from look to look."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "other.yaml").write_text("tools: {}\n")
    (tmp_path / "conf" / "a.yaml").symlink_to(tmp_path / "other.yaml")
    (tmp_path / "conf" / "b.yaml").symlink_to(tmp_path / "nowhere.yaml")
    watch = watched(write(tmp_path / "conf", HEAD + TOOLS + "include: ['?.yaml']\n"))
    assert watch.look() == watch.digest
    (tmp_path / "other.yaml").write_text("tools: {/x: {}}\n")
    assert watch.look() != watch.digest


def test_a_swapped_link_of_the_same_contents_is_no_change(tmp_path: Path) -> None:
    """Kubernetes swaps a link to a directory: only other contents count."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, HEAD + TOOLS)
    (tmp_path / "data").symlink_to("one")
    watch = watched(tmp_path / "data" / "routes.yaml")
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").rename(tmp_path / "data")
    assert watch.look() == watch.digest
    write(tmp_path / "two", HEAD + TOOLS + "# changed\n")
    assert watch.look() != watch.digest
