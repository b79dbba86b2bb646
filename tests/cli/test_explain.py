from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from router.cli import main
from router.cli.explain import command
from tests.config.kit import FLOW, HEAD, PLUGIN, write

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

TOOLS = "tools:\n  /support: {intents: {refund: {flow: refunds, aliases: [chargeback]}}}\n  /billing: {flow: billing}\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HANDOVER_CONFIG", raising=False)
    monkeypatch.delenv("HANDOVER_PUBLIC_URL", raising=False)
    write(tmp_path, HEAD + TOOLS)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def test_a_call_that_reaches_a_flow_ends_with_0() -> None:
    """The intent, the flow and the sentence are told, and where they were written."""
    told = run("POST", "/support", "--json", '{"intent": "chargeback"}')
    assert told.exit_code == 0
    assert told.output.startswith("POST /support\n\ntool ")
    assert "refund, by its alias 'chargeback'" in told.output
    assert f"'refunds' is {FLOW}" in told.output
    assert told.output.rstrip().splitlines()[-2].endswith("  Conversation handed over")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("POST", "/support", "--json", '{"intent": "chargebak"}'), "did you mean 'chargeback'?"),
        (("POST", "/suport"), "did you mean '/support'?"),
        (("DELETE", "/support"), "expected GET or POST"),
        (("POST", "/support", "--json", "{"), "the body is not readable JSON"),
        (("POST", "/support", "--form", "intent=refund", "--header", "X-Session-Id: voice:CA1"), "not_a_conversation"),
    ],
)
def test_a_call_that_does_not_ends_with_1(arguments: tuple[str, ...], why: str) -> None:
    """What kept it from a flow is told."""
    told = run(*arguments)
    assert told.exit_code == 1
    assert why in told.output


def test_a_form_and_headers_are_part_of_the_call() -> None:
    """Fields and headers count as they would in the request."""
    told = run("POST", "/support", "--form", "intent=refund", "--form", "a=1", "--header", "X-Identity: sms:+15550100")
    assert told.exit_code == 0
    assert "sms:+1…00" in told.output


def test_json_is_for_programs() -> None:
    """``--format json`` prints the facts as one object, with the same exit codes."""
    told = run("POST", "/support", "--format", "json", "--json", '{"intent": "refund"}')
    facts = json.loads(told.output)
    assert (told.exit_code, facts["reaches_a_flow"], facts["intent"]["name"]) == (0, True, "refund")
    assert facts["flow"]["listed"]["place"] == {"file": "routes.yaml", "line": 2, "column": 18}
    told = run("POST", "/support", "--format", "json")
    assert (told.exit_code, json.loads(told.output)["ending"]["outcome"]) == (1, "unknown_intent")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("POST",),
        ("POST", "support"),
        ("POST", "/support", "--header", "x"),
        ("POST", "/support", "--json", "{}", "--form", "a=b"),
        ("POST", "/support", "--format", "xml"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...]) -> None:
    """A call that nobody can send, or an option that there is not, is the user's mistake."""
    told = run(*arguments)
    assert told.exit_code == 2
    assert "Error: " in told.output


def test_file_and_settings_are_found_as_by_check(tmp_path: Path) -> None:
    """An argument wins over HANDOVER_CONFIG; the public URL's own path is not a tool's; .env counts."""
    (tmp_path / "other.yaml").write_text(HEAD + "tools: {/other: {flow: refunds}, /b: {flow: billing}}\n")
    assert run("POST", "/other").exit_code == 1
    assert run("POST", "/other", "other.yaml").exit_code == 0
    (tmp_path / ".env").write_text("HANDOVER_CONFIG=other.yaml\nHANDOVER_PUBLIC_URL=https://h.example/base\n")
    assert run("POST", "https://h.example/base/other").exit_code == 0
    assert run("POST", "/support", "routes.yaml", "--json", '{"intent": "refund"}').exit_code == 0


def test_plugins_may_be_looked_for_elsewhere(tmp_path: Path) -> None:
    """``--plugins-dir`` is that of ``check``."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "audit.py").write_text(PLUGIN % "None")
    write(tmp_path, HEAD + TOOLS + "plugins: [{use: audit}]\n")
    assert "audit" in run("POST", "/billing", "--plugins-dir", "mine").output


def test_a_file_with_faults_is_told_as_by_every_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is explained by a file that may not go live: its faults go to stderr, and the exit code is 1."""
    write(tmp_path, HEAD + "tools: {/a: {flow: refnds}}\n")
    with pytest.raises(SystemExit) as ended:
        main(["explain", "POST", "/a"])
    assert ended.value.code == 1
    assert "error[flow-unknown]" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["explain", "routes", "tools"])
def test_it_needs_neither_the_sdk_nor_the_web(name: str) -> None:
    """Who asks about a file does not wait for imports that are of no use."""
    heavy = "twilio starlette uvicorn aiohttp prometheus_client requests structlog"
    code = f"import sys, router.cli.{name}; print(sorted(set('{heavy}'.split()) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
