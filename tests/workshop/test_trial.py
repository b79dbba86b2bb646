"""A configuration tried in a process of its own: what comes back is what a load in this process would give."""

from __future__ import annotations

import gc
import io
import sys
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from router.config import Source
from router.config.garbage import YOUNG, uncollected
from router.config.last_good import Saved
from router.hooks.host import PluginHost
from router.workshop import Workshop
from router.workshop.order import Order
from router.workshop.parcel import pack, unpack
from tests.config.kit import HEAD, TOOLS, write

if TYPE_CHECKING:
    from pathlib import Path

    from router.config.loading import Attempt

NOISY = """
import os, sys
from router import hookimpl
print("a plugin that prints when it is imported")

@hookimpl
def plugin_info():
    os.write(1, b"and past Python's own stream")
    return {"version": "7", "config_schema": {"type": "object"}}

@hookimpl
def before_swap(handover):
    return None
"""
PLUGINS = "plugins: [{use: noisy, config: {a: 1}}]\n"


def trial(path: Path, *, good: Saved | None = None, patience: float = 60.0, may_shrink: bool = False) -> Attempt:
    order = Order(path, {"NAME": "set"}, None, good, may_shrink)
    begun = Source(path, environ={"NAME": "set"}).begin()
    return Workshop(PluginHost.of, patience).try_apart(order, begun.watch)


def noisy(directory: Path, text: str = HEAD + PLUGINS + TOOLS, source: str = NOISY) -> Path:
    path = write(directory, text)
    (directory / "plugins" / "noisy.py").write_text(source)
    return path


def test_it_gives_what_a_load_gives(tmp_path: Path) -> None:
    """Routes, digest, files and what to watch are the same; the plugins are loaded here, from the same text."""
    path = noisy(tmp_path, HEAD + PLUGINS + TOOLS.replace("refunds}", "refunds, name: '${env:NAME}'}", 1))
    here = Source(path, environ={"NAME": "set"}).begin()
    apart = trial(path)
    assert here.loaded is not None
    assert apart.loaded is not None
    for part in ("routes", "warnings", "digest", "files", "own", "fragments", "switched_on", "frozen", "saved_at"):
        assert getattr(apart.loaded, part) == getattr(here.loaded, part), part
    assert apart.watch == here.watch
    assert apart.loaded.plugins.names == ("noisy",)
    assert apart.loaded.available["noisy"].version == "7"
    with pytest.raises(TypeError):
        apart.loaded.routes.tools["/x"] = None  # type: ignore[index]  # it is read-only here too


def test_many_tools_arrive_in_their_order(tmp_path: Path) -> None:
    """However many pieces there are, every tool arrives, and between two pieces there is a rest."""
    tools = "tools:\n" + "".join(f"  /t{number}: {{flow: refunds}}\n" for number in range(50))
    attempt = Source(write(tmp_path, HEAD + tools), environ={}).begin()
    rests: list[None] = []
    file = io.BytesIO(b"".join(pack(attempt)))
    again = unpack(file, [], PluginHost.of, lambda: rests.append(None))
    assert again.loaded is not None
    assert list(again.loaded.routes.tools) == [f"/t{number}" for number in range(50)]
    assert len(rests) > 5


def test_faults_come_back_as_they_are(tmp_path: Path) -> None:
    """A broken file is told as a load here tells it, and its repair would be seen."""
    path = write(tmp_path, HEAD + TOOLS.replace("flow: refunds", "flow: refnds"))
    here, apart = Source(path, environ={}).begin(), trial(path)
    assert apart.loaded is None
    assert apart.diagnostics == here.diagnostics
    assert apart.watch == here.watch


def test_the_last_good_form_goes_along(tmp_path: Path) -> None:
    """What went live last is known to the trial: a fragment is salvaged with it, a cut-off file is refused."""
    (tmp_path / "a.yaml").write_text("tools: {/a: {flow: refunds}}\n")
    path = write(tmp_path, HEAD + TOOLS + "include: [a.yaml]\n" + "# " + "x" * 800 + "\n")
    loaded = Source(path, environ={}).begin().loaded
    assert loaded is not None
    good = Saved.of(loaded, datetime(2026, 1, 31, tzinfo=UTC))
    (tmp_path / "a.yaml").write_text("}")
    found = trial(path, good=good).loaded
    assert found is not None
    assert [each.has_good_form for each in found.frozen] == [True]
    write(tmp_path, HEAD + TOOLS)
    assert [each.code for each in trial(path, good=good).diagnostics] == ["file-shorter"]
    assert trial(path, good=good, may_shrink=True).loaded is not None


def test_the_tests_of_the_file_run_there(tmp_path: Path) -> None:
    """With ``test_on_reload`` a failing test comes back as a fault, without it no test runs."""
    test = "tests: [{name: x, call: {tool: /refunds}, expect: {flow: billing}}]\n"
    assert trial(write(tmp_path, HEAD + TOOLS + test)).loaded is not None
    refused = trial(write(tmp_path, HEAD + TOOLS + "test_on_reload: true\n" + test))
    assert refused.loaded is None
    assert [each.code for each in refused.diagnostics] == ["test-failed"]
    passing = test.replace("billing", "refunds")
    assert trial(write(tmp_path, HEAD + TOOLS + "test_on_reload: true\n" + passing)).loaded is not None


DEATHS = {
    "exits": "import os\nif 'router.workshop' in sys.orig_argv: os._exit(3)\n",
    "hangs": "import time\nif 'router.workshop' in sys.orig_argv: time.sleep(60)\n",
}


@pytest.mark.parametrize("death", DEATHS)
def test_a_trial_that_breaks_off_changes_nothing(tmp_path: Path, death: str) -> None:
    """A plugin that ends the process, or never ends itself, costs the trial and not this process."""
    path = noisy(tmp_path, source="import sys\n" + DEATHS[death] + NOISY)
    found = trial(path, patience=3.0)
    assert found.loaded is None
    assert [(each.code, each.line) for each in found.diagnostics] == [("trial-broken", 1)]
    assert "it ended too early" in found.diagnostics[0].message
    assert found.watch.look() == found.watch.digest


def test_a_trial_under_way_can_be_ended(tmp_path: Path) -> None:
    """A server that stops does not wait for a plugin that hangs; where nothing is tried, nothing is ended."""
    path = noisy(tmp_path, source="import sys\n" + DEATHS["hangs"] + NOISY)
    workshop = Workshop(PluginHost.of)
    workshop.close()
    order = Order(path, {}, None, None, may_shrink=False)
    watch = Source(path, environ={}).begin().watch
    threading.Timer(1.0, workshop.close).start()
    begun = time.monotonic()
    assert [each.code for each in workshop.try_apart(order, watch).diagnostics] == ["trial-broken"]
    assert time.monotonic() - begun < 30


def test_a_plugin_that_cannot_be_loaded_here_is_told(tmp_path: Path) -> None:
    """What could be loaded there and cannot be here changes nothing either."""
    path = noisy(tmp_path, source="import sys\nassert 'router.workshop' in sys.orig_argv\n" + NOISY)
    found = trial(path)
    assert [each.code for each in found.diagnostics] == ["trial-broken"]
    assert "KeyError: 'noisy'" in found.diagnostics[0].message


def test_a_process_that_cannot_be_started_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system gives no process, the reload is refused and says so."""
    path = write(tmp_path, HEAD + TOOLS)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    (fault,) = trial(path).diagnostics
    assert "FileNotFoundError" in fault.message


def test_garbage_is_left_alone_meanwhile_and_what_stays_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The collector is as it was before, also where it was off; what stays is spared where that is asked for.

    There it also looks at what is new once in many calls, and not at each.
    """
    spared: list[None] = []
    thresholds: list[int] = []
    monkeypatch.setattr(gc, "freeze", lambda: spared.append(None))
    monkeypatch.setattr(gc, "set_threshold", thresholds.append)
    for spare in (False, True):
        with uncollected(spare=spare):
            assert not gc.isenabled()
        assert gc.isenabled()
    assert len(spared) == 1
    assert thresholds == [YOUNG]
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
