"""The configuration over the life of a server, and over its restarts."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from router import bundled
from router.config import LastGood, Source
from router.config.watch import Watch
from router.model.diagnostic import Severity
from tests.config.kit import HEAD, TOOLS, write

if TYPE_CHECKING:
    from router.config.loading import Loaded

NOW = datetime(2026, 1, 31, 17, 30, tzinfo=UTC)
ROOT = HEAD + TOOLS + "include: ['teams/*.yaml']\nplugins: [{use: own}, {use: conversation-attributes}]\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "teams").mkdir()
    (tmp_path / "teams" / "a.yaml").write_text("tools: {/a: {flow: refunds}}\n")
    return write(tmp_path, ROOT, own="None")


def source(path: Path) -> Source:
    return Source(path, environ={}, last_good=LastGood(path.parent / "state", path))


def started(path: Path) -> Loaded:
    """Start as a server does, and take what went live."""
    begun = source(path)
    loaded = begun.begin().loaded
    assert loaded is not None
    begun.accept(loaded, NOW)
    return loaded


@pytest.mark.parametrize("broken", ["routes.yaml", "teams/a.yaml", "plugins/own.py"])
@pytest.mark.parametrize("how", ["wrong", "gone"])
def test_a_restart_with_a_broken_file_comes_up(path: Path, broken: str, how: str) -> None:
    """Whatever is broken, all tools answer as before, and every fault is told."""
    good = started(path)
    if how == "gone":
        (path.parent / broken).unlink()
    else:
        (path.parent / broken).write_text("}")
    found = source(path).begin()
    assert found.loaded is not None
    is_fragment = broken.startswith("teams")
    if not (is_fragment and how == "gone"):  # a fragment that is gone is one team less, and no fault
        assert found.loaded.routes.tools == good.routes.tools
        assert found.loaded.plugins.names == good.plugins.names
        assert found.errors
        assert found.loaded.saved_at == (None if is_fragment else NOW)
        assert [frozen.has_good_form for frozen in found.loaded.frozen] == ([True] if is_fragment else [])


def test_without_a_last_good_form_a_broken_file_does_not_start(path: Path) -> None:
    """There is nothing to come up with; nor where what was kept is of another file, or broken, or fits no more."""
    kept = LastGood(path.parent / "state", path).path
    started(path)
    good = kept.read_text()
    path.write_text("}")
    for text in (
        good.replace('"version": 1', '"version": 2'),
        good[:-20],
        "[]",
        "{}",
        good.replace("billing: FW", "billing: FX"),
    ):
        kept.write_text(text)
        assert source(path).begin().loaded is None, text[:80]
    kept.unlink()
    assert source(path).begin().loaded is None
    assert Source(path, environ={}).begin().loaded is None


def test_a_fault_of_our_own_does_not_keep_the_last_good_form_from_coming_up(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where reading breaks in a way that nobody thought of, what went live last does; without it that is raised."""
    started(path)

    def broken(_source: Source, **_how: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Source, "read", broken)
    found = source(path).begin()
    assert found.loaded is not None
    assert [each.code for each in found.diagnostics] == ["trial-broken"]
    with pytest.raises(ZeroDivisionError):
        Source(path, environ={}).begin()


def test_a_tool_that_was_out_of_order_is_so_again(path: Path) -> None:
    """A restart on broken files brings back all that was live, also what was only told to be out of order."""
    (path.parent / "teams" / "b.yaml").write_text("tools: {/b: {flow: nowhere}}\n")
    assert started(path).routes.tools["/b"].out_of_order
    path.write_text("}")
    found = source(path).begin().loaded
    assert found is not None
    assert found.routes.tools["/b"].out_of_order


def test_files_that_change_while_they_are_read_are_read_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read is one state of the files; where they do not come to rest, nothing goes live."""
    looks = [1]
    look = Watch.look

    def unsteady(watch: Watch) -> str:
        if looks:
            looks.pop()
            return "something else"
        return look(watch)

    monkeypatch.setattr(Watch, "look", unsteady)
    assert source(path).read().loaded is not None
    looks += [1] * 3
    (told,) = source(path).read().diagnostics
    assert told.code == "files-unsteady"


@pytest.mark.parametrize("mode", [0o660, 0o606])
def test_what_others_may_have_written_is_not_taken(path: Path, mode: int) -> None:
    """Plugins are in it: a file that others may write to is not trusted."""
    started(path)
    kept = LastGood(path.parent / "state", path)
    assert kept.read() is not None
    kept.path.chmod(mode)
    assert kept.read() is None


def test_what_was_revived_is_not_kept_again(path: Path) -> None:
    """The last good form keeps its time, however often a server starts with it."""
    started(path)
    path.write_text("}")
    again = source(path)
    revived = again.begin().loaded
    assert revived is not None
    again.accept(revived, datetime.now(UTC))
    kept = LastGood(path.parent / "state", path).read()
    assert kept is not None
    assert kept.saved_at == NOW


def test_what_is_kept_is_ours_alone(path: Path) -> None:
    """The file can be read by its owner only, holds no bundled plugin and nothing that is only referred to."""
    (path.parent / "secret.txt").write_text("hunter2")
    write(path.parent, ROOT.replace("[twilio_signature]", "[{secret: '${file:secret.txt}'}]"), own="None")
    started(path)
    kept = LastGood(path.parent / "state", path)
    assert stat.S_IMODE(kept.path.stat().st_mode) == 0o600
    assert "hunter2" not in kept.path.read_text()
    assert set(json.loads(kept.path.read_text())["files"]) == {"routes.yaml", "teams/a.yaml", "plugins/own.py"}
    assert bundled.PLUGINS / "conversation_attributes.py" not in (kept.read() or pytest.fail("kept")).contents


def test_files_from_elsewhere_and_of_any_bytes_are_kept(tmp_path: Path) -> None:
    """A plugin of another directory is known by its whole path, and bytes that are no UTF-8 come back as they were."""
    (tmp_path / "elsewhere").mkdir()
    plugin = tmp_path / "elsewhere" / "odd.py"
    plugin.write_bytes(
        b"# -*- coding: latin-1 -*-\nfrom router import hookimpl\nNAME = '\xe4'\n"
        b"@hookimpl\ndef plugin_info(): return {}\n"
    )
    (tmp_path / "conf").mkdir()
    path = write(tmp_path / "conf", HEAD + TOOLS + "plugins: [{use: odd}]\n")
    kept = LastGood(tmp_path / "state", path)
    begun = Source(path, environ={}, plugins_dirs=[plugin.parent], last_good=kept)
    loaded = begun.begin().loaded
    assert loaded is not None
    begun.accept(loaded, NOW)
    saved = kept.read()
    assert saved is not None
    assert saved.contents == {path: path.read_bytes(), plugin: plugin.read_bytes()}


def test_it_is_kept_whole_or_not_at_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the new form cannot be written, the old one stays and nothing half-written is left."""
    started(path)
    kept = LastGood(path.parent / "state", path)
    before = kept.path.read_text()

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        started(path)
    assert kept.path.read_text() == before
    assert list(kept.path.parent.iterdir()) == [kept.path]


def test_the_working_directory_is_no_matter(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was kept under a relative path is found under the absolute one, with its files where they are."""
    monkeypatch.chdir(path.parent)
    begun = Source(Path("routes.yaml"), environ={}, last_good=LastGood(Path("state"), Path("routes.yaml")))
    loaded = begun.begin().loaded
    assert loaded is not None
    begun.accept(loaded, NOW)
    path.write_text("}")
    found = source(path).begin().loaded
    assert found is not None
    assert found.routes.tools == loaded.routes.tools


def test_a_file_that_lost_more_than_half_is_refused(path: Path) -> None:
    """It is taken for cut off, whether the file or a fragment, unless it may shrink; then it is only told."""
    long = "".join(f"  /t{number}: {{flow: refunds}}\n" for number in range(30))
    write(path.parent, ROOT.replace("tools:\n", f"tools:\n{long}"), own="None")
    running = source(path)
    loaded = running.begin().loaded
    assert loaded is not None
    running.accept(loaded, NOW)
    write(path.parent, ROOT, own="None")
    refused = running.read()
    assert refused.loaded is None
    (fault,) = refused.diagnostics
    assert (fault.code, fault.severity) == ("file-shorter", Severity.ERROR)
    assert (fault.line, fault.column) == (len(ROOT.splitlines()), 1)
    for accepted in (running.read(may_shrink=True), source(path).begin()):
        assert accepted.loaded is not None
        assert [each.code for each in accepted.loaded.warnings] == ["file-shorter"]
    fragment = path.parent / "teams" / "a.yaml"
    write(path.parent, ROOT.replace("tools:\n", f"tools:\n{long}"), own="None")
    fragment.write_text("tools:\n" + long.replace("/t", "/f"))
    whole = running.read().loaded
    assert whole is not None
    running.accept(whole, NOW)
    fragment.write_text("tools: {/f1: {flow: refunds}}\n")
    frozen = running.read().loaded
    assert frozen is not None
    assert [each.errors[0].code for each in frozen.frozen] == ["file-shorter"]
    assert "/f29" in frozen.routes.tools
    fragment.unlink()
    (lost,) = running.read().errors
    assert lost.code == "include-nothing"
    assert "1 that it found are in use" in lost.message
    gone = running.read(may_shrink=True).loaded
    assert gone is not None
    assert gone.frozen == ()
