from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from router.cli.tools import command
from tests.config.kit import FLOW, PLUGIN, write

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

FILE = f"""\
version: 1
flows: {{refunds: {FLOW}}}
auth: [secret: "${{env:SECRET:-x}}"]
tools:
  /support:
    name: Support
    description: Use it.
    intents: {{refund: {{flow: refunds, aliases: [chargeback]}}}}
  /mute: {{flow: refunds}}
"""
URL = "https://h.example/base"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HANDOVER_CONFIG", "HANDOVER_PUBLIC_URL"):
        monkeypatch.delenv(name, raising=False)
    write(tmp_path, FILE)


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(command, arguments, env=environ)


def test_the_fields_of_each_tool_are_printed() -> None:
    """As text by default, with a blank line between two tools."""
    told = run("--public-url", f"{URL}/")
    assert told.exit_code == 0
    assert "/support\n\n  Name         Support\n  Description  Use it.\n  Input        {\n" in told.stdout
    assert f"  URL          {URL}/support?secret=...\n\n/mute\n\n  Name         Mute\n" in told.stdout


def test_what_the_agent_still_lacks_goes_to_stderr() -> None:
    """A missing name or description is placed; so is said that the URL is a placeholder."""
    told = run()
    assert told.exit_code == 0
    assert told.stderr.splitlines() == [
        "routes.yaml:9:3: warning: tool '/mute' has no 'name', which the agent needs; add 'name:'",
        "routes.yaml:9:3: warning: tool '/mute' has no 'description', which the agent needs; add 'description:'",
        "handover: HANDOVER_PUBLIC_URL is not set, so https://YOUR-HOST stands in; set it, or give --public-url",
    ]
    assert "https://YOUR-HOST/support?secret=..." in told.stdout
    assert run("--tool", "/support", "--public-url", URL).stderr == ""


def test_tools_of_one_name_are_told_of(tmp_path: Path) -> None:
    """Also where the name is made from the path; a tool that is asked for alone has no namesake."""
    write(tmp_path, FILE.replace("  /mute: {", "  /old/support: {description: Old, "))
    remarks = run("--public-url", URL).stderr.splitlines()
    told = (
        "warning: tool '/old/support' is named 'Support', as '/support' is; one agent needs different names for the two"
    )
    assert remarks[1:] == [f"routes.yaml:9:3: {told}"]
    assert "is named" not in run("--tool", "/old/support", "--public-url", URL).stderr


def test_inputs_of_plugins_are_to_be_added(tmp_path: Path) -> None:
    """A tool with a plugin that is on says so in its last line, for people alone."""
    plugins = "plugins: [{use: audit}, {use: trace}]\n"
    off = "  /mute: {plugins: {audit: false, trace: false}, "
    write(tmp_path, plugins + FILE.replace("  /mute: {", off), audit="None", trace="None")
    added = "Inputs that its plugins read must be added by hand: audit, trace."
    for form in ("text", "markdown"):
        assert run("--tool", "/support", "--format", form).stdout.splitlines()[-1].strip() == added
        assert "by hand" not in run("--tool", "/mute", "--format", form).stdout
    for form in ("json", "functions"):
        assert "by hand" not in run("--format", form).stdout


def test_who_may_sign_is_told_of_the_secret(tmp_path: Path) -> None:
    """Where a signature or a secret proves a caller, the URL has none, and one line says when it needs it."""
    write(tmp_path, FILE.replace("auth: [", "auth: [twilio_signature, "))
    told = run("--tool", "/support", "--public-url", URL)
    assert f"{URL}/support\n" in told.stdout
    assert "needs '?secret=...'" in told.stderr


def test_the_public_url_is_an_option_or_a_setting() -> None:
    """The option wins; the setting is read as by the server."""
    assert f"{URL}/mute" in run(HANDOVER_PUBLIC_URL=f"{URL}/").stdout
    assert "https://other.example/mute" in run("--public-url", "https://other.example", HANDOVER_PUBLIC_URL=URL).stdout


def test_a_url_that_is_none_is_refused() -> None:
    """As an option it is wrong usage, as a setting it is the setting's fault."""
    told = run("--public-url", "h.example")
    assert told.exit_code == 2
    assert "Invalid value for --public-url: expected a base URL such as" in told.stderr
    assert run(HANDOVER_PUBLIC_URL="h.example").exit_code == 1


def test_one_tool_can_be_asked_for() -> None:
    """``--tool`` names its path; one that is not there is wrong usage, with a guess where one is near."""
    assert "/mute" not in run("--tool", "/support").stdout
    for path, message in (
        ("/suport", "there is no tool '/suport'; did you mean '/support'?"),
        ("/x", "no tool '/x'\n"),
    ):
        told = run("--tool", path)
        assert told.exit_code == 2
        assert message in told.stderr


def test_each_format_has_all_tools() -> None:
    """Markdown for a wiki, JSON for programs, functions for agents that take those."""
    assert run("--format", "markdown").stdout.count("| Field | Value |") == 2
    tools = json.loads(run("--format", "json", "--public-url", URL).stdout)["tools"]
    assert tools[1] == {
        "path": "/mute",
        "name": "Mute",
        "description": "",
        "input": "{}",
        "method": "POST",
        "url": f"{URL}/mute?secret=...",
    }
    assert tools[0]["input"].endswith('  intent: "refund";\n}')
    functions = json.loads(run("--format", "functions").stdout)
    assert [function["name"] for function in functions] == ["support", "mute"]


def test_no_secret_is_printed() -> None:
    """A secret stands in the URL as a placeholder alone."""
    for form in ("text", "markdown", "json", "functions"):
        told = run("--format", form, SECRET="hunter2-and-more")
        assert told.exit_code == 0
        assert "hunter2" not in told.output


def test_file_and_plugins_are_found_as_by_check(tmp_path: Path) -> None:
    """PATH, HANDOVER_CONFIG and ``--plugins-dir`` mean what they mean there."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "of_mine.py").write_text(PLUGIN % "None")
    (tmp_path / "other.yaml").write_text(FILE + "plugins: [{use: of-mine}]\n")
    assert run("other.yaml", "--plugins-dir", "mine").exit_code == 0
    assert run("--plugins-dir", "mine", HANDOVER_CONFIG="other.yaml").exit_code == 0
    assert run("other.yaml").exit_code == 1
