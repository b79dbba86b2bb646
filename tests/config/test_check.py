from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from router.cli.check import annotation, command
from router.model.diagnostic import Diagnostic, Severity
from tests.config.kit import HEAD, TOOLS, write

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
    assert runner.invoke(command, env={"HANDOVER_CONFIG": "bad.yaml"}).output.endswith("bad.yaml: 1 error\n")
    (tmp_path / ".env").write_text("HANDOVER_CONFIG=bad.yaml\n")
    assert runner.invoke(command).output.endswith("bad.yaml: 1 error\n")
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
    (tmp_path / "mine" / "audit.py").write_text("")
    write(tmp_path, HEAD + TOOLS + "plugins: [{use: audit}]\n")
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
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own interpreter
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
