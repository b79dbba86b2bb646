from __future__ import annotations

import gc
import json
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from router import bundled
from router.cli.check import annotation, command
from router.config.garbage import uncollected
from router.model.diagnostic import Diagnostic, Severity
from tests.config.kit import HEAD, PLUGIN, TOOLS, write

if TYPE_CHECKING:
    from pathlib import Path

BAD = HEAD + "tools:\n  /a: {flow: refnds}\n"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HANDOVER_CONFIG", raising=False)


def test_json_is_for_programs(tmp_path: Path) -> None:
    """``--format json`` prints one object and nothing else, for a good file with an empty list."""
    write(tmp_path, BAD)
    told = CliRunner().invoke(command, ["--format", "json", "routes.yaml"])
    assert told.exit_code == 1
    message = "tool '/a' names the flow 'refnds', which is not in 'flows'; did you mean 'refunds'?"
    place = {"file": "routes.yaml", "line": 5, "column": 14}
    assert json.loads(told.output) == {
        "diagnostics": [{**place, "severity": "error", "code": "flow-unknown", "message": message}]
    }
    write(tmp_path, HEAD + TOOLS)
    told = CliRunner().invoke(command, ["--format", "json", "routes.yaml"])
    assert (told.exit_code, json.loads(told.output)) == (0, {"diagnostics": []})


def test_one_run_tells_all_faults_of_an_entry(tmp_path: Path) -> None:
    """What is wrong by itself hides none of the names beside it that mean nothing, in a tool, a sentence or a test."""
    tools = 'tools:\n  /a: {flow: refnds, foo: 1}\n  /b: {flow: billing, messages: {success: "{x}", failre: y}}\n'
    tests = "tests: [{name: x, call: {tool: /c, bdy: {}}, expect: {flow: nono, out: 2}}]\n"
    write(tmp_path, HEAD + tools + tests)
    told = CliRunner().invoke(command, ["--format", "json", "routes.yaml"])
    assert [each["code"] for each in json.loads(told.output)["diagnostics"]] == [
        *("flow-unknown", "key-unknown", "placeholder-unknown", "key-unknown"),
        *("tool-unknown", "key-unknown", "flow-unknown", "key-unknown"),
    ]


def test_github_shows_faults_at_their_lines(tmp_path: Path) -> None:
    """``--format github`` prints a workflow command a fault, and nothing else."""
    write(tmp_path, BAD)
    told = CliRunner().invoke(command, ["--format", "github", "routes.yaml"])
    assert told.exit_code == 1
    assert told.output.startswith("::error file=routes.yaml,line=5,col=14,title=flow-unknown::tool '/a' names the flow")
    assert told.output.count("\n") == 1


def test_a_workflow_command_cannot_be_broken_out_of() -> None:
    """What would end a property or a line of a workflow command is escaped."""
    fault = Diagnostic("a,b:c%\n", 1, 2, "code", "50 % ::error\r\nnext", Severity.WARNING)
    assert annotation(fault) == ("::warning file=a%2Cb%3Ac%25%0A,line=1,col=2,title=code::50 %25 ::error%0D%0Anext")


def test_the_file_is_named_or_taken_from_the_settings(tmp_path: Path) -> None:
    """An argument wins over HANDOVER_CONFIG, which may stand in .env too; without either it is routes.yaml."""
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(HEAD + TOOLS)
    bad.write_text(BAD)
    runner = CliRunner()
    assert runner.invoke(command, ["good.yaml"]).output == "good.yaml: 2 tools, 0 intents, 2 flows: no faults\n"
    assert "routes.yaml:1:1: error[file-missing]" in runner.invoke(command).output
    assert "bad.yaml: 1 error\n" in runner.invoke(command, env={"HANDOVER_CONFIG": "bad.yaml"}).output
    (tmp_path / ".env").write_text("HANDOVER_CONFIG=bad.yaml\n")
    assert "bad.yaml: 1 error\n" in runner.invoke(command).output
    assert runner.invoke(command, ["good.yaml"], env={"HANDOVER_CONFIG": "bad.yaml"}).exit_code == 0


def test_variables_come_from_dotenv_too(tmp_path: Path) -> None:
    """What the file refers to may stand in ``.env``, as it does for the server."""
    write(tmp_path, HEAD.replace("[twilio_signature]", "[{secret: '${env:THE_SECRET}'}]") + TOOLS)
    assert CliRunner().invoke(command).exit_code == 1
    (tmp_path / ".env").write_text("THE_SECRET=x\n")
    assert CliRunner().invoke(command).exit_code == 0


def test_plugins_may_be_looked_for_elsewhere(tmp_path: Path) -> None:
    """``--plugins-dir`` names where plugins are instead of beside the file."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "ledger_of_ours.py").write_text(PLUGIN % {})
    write(tmp_path, HEAD + TOOLS + "plugins: [{use: ledger-of-ours}]\n")
    assert CliRunner().invoke(command).exit_code == 1
    assert CliRunner().invoke(command, ["--plugins-dir", "mine"]).exit_code == 0


def test_wrong_usage_ends_with_two() -> None:
    """An unknown option or format is the caller's mistake, not the file's."""
    assert CliRunner().invoke(command, ["--format", "xml"]).exit_code == 2
    assert CliRunner().invoke(command, ["--strict"]).exit_code == 2


def test_checking_needs_neither_the_sdk_nor_the_web() -> None:
    """A check in a commit hook must not wait for imports that it has no use for."""
    heavy = "twilio starlette uvicorn aiohttp prometheus_client requests structlog"
    code = f"import sys, router.cli.check; print(sorted(set('{heavy}'.split()) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_who_has_no_file_is_shown_where_to_start() -> None:
    """A missing file is a fault, followed by a line that copies the shipped example; it works as it is."""
    told = CliRunner().invoke(command, [])
    assert told.exit_code == 1
    (hint,) = [line for line in told.output.splitlines() if "an example to start from: " in line]
    _cp, example, here = shlex.split(hint.partition(": ")[2])
    assert here == "."
    shutil.copy(example, here)
    assert CliRunner().invoke(command, []).exit_code == 0


def test_the_example_is_copied_to_where_the_file_is_looked_for(tmp_path: Path) -> None:
    """Where another path was named, the line copies to there, and makes the directory that it lacks."""
    named = tmp_path / "not there" / "r.yaml"
    told = CliRunner().invoke(command, [str(named)])
    (hint,) = [line for line in told.output.splitlines() if "an example to start from: " in line]
    subprocess.run(["/bin/sh", "-c", hint.partition(": ")[2]], check=True)
    assert CliRunner().invoke(command, [str(named)]).exit_code == 0


def test_a_directory_of_plugins_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named with the option or the setting that names it, on stderr, and the rest is done all the same."""
    shutil.copy(bundled.ROUTES, ".")
    told = CliRunner().invoke(command, ["--plugins-dir", "/nope"])
    assert (told.exit_code, told.stderr.splitlines()) == (
        0,
        ["handover: --plugins-dir: /nope is no directory, so no plugin is found there; make it, or name another"],
    )
    monkeypatch.setenv("HANDOVER_PLUGINS_DIR", "/nope")
    assert CliRunner().invoke(command).stderr.startswith("handover: HANDOVER_PLUGINS_DIR: /nope is no directory, ")


def test_each_fault_is_shown_at_its_line(tmp_path: Path) -> None:
    """Below each fault stands the line of the file with a caret, and in the end how to ask what a code means."""
    write(tmp_path, BAD)
    told = CliRunner().invoke(command).output.splitlines()
    assert told[0].startswith("routes.yaml:5:14: error[flow-unknown]: tool '/a' names the flow 'refnds'")
    assert told[1:] == [
        "    5 |   /a: {flow: refnds}",
        "      |              ^^^^^^",
        "routes.yaml: 1 error",
        "what a code means: handover check --explain flow-unknown",
    ]


def test_colours_are_for_terminals(tmp_path: Path) -> None:
    """On a terminal severity and caret are coloured; NO_COLOR and a pipe keep the text plain, and the same."""
    write(tmp_path, BAD)
    runner = CliRunner()
    plain = runner.invoke(command).output
    coloured = runner.invoke(command, color=True).output
    assert "\x1b[31m\x1b[1m error[flow-unknown]:\x1b[0m" in coloured
    assert "\x1b[31m\x1b[1m^^^^^^\x1b[0m" in coloured
    assert click.unstyle(coloured) == plain
    assert runner.invoke(command, color=True, env={"NO_COLOR": "1"}).output == plain


def test_a_code_is_explained() -> None:
    """``--explain`` prints the page of a code, without looking at any file."""
    told = CliRunner().invoke(command, ["--explain", "flow-unknown"])
    assert told.exit_code == 0
    assert told.output == (bundled.ERRORS / "flow-unknown.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("code", "guess"),
    [
        ("flow-unknwon", "did you mean 'flow-unknown'?"),
        ("x", "there are: alias-cycle, "),
        ("../../README", "there are:"),
    ],
)
def test_a_code_that_there_is_not_is_wrong_usage(code: str, guess: str) -> None:
    """Another code, or a path in its place, ends with 2 and the nearest code, or all of them."""
    told = CliRunner().invoke(command, ["--explain", code])
    assert told.exit_code == 2
    assert f"there is no code '{code}'; {guess}" in told.output


def test_a_check_leaves_the_collection_of_garbage_as_it_was(tmp_path: Path) -> None:
    """Loading runs without it, and it is on again afterwards, unless it was off before."""
    write(tmp_path, HEAD + TOOLS)
    assert gc.isenabled()
    with uncollected():
        assert not gc.isenabled()
        assert CliRunner().invoke(command).exit_code == 0
        assert not gc.isenabled()
    assert gc.isenabled()
