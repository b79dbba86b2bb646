from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from router import __version__, bundled
from router.cli import COMMANDS, group, main
from router.errors import ConfigError, SettingsError
from router.model.diagnostic import Diagnostic

if TYPE_CHECKING:
    from pathlib import Path


def printed(*arguments: str) -> str:
    result = CliRunner().invoke(group, arguments, prog_name="handover")
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_says_where_to_start(flag: str) -> None:
    """The first page names each command, where settings come from, and what the exit codes mean."""
    text = printed(flag)
    for told in (*COMMANDS, "Start here:", "Exit codes: 0 right, 1 the thing asked about is wrong"):
        assert told in text


@pytest.mark.parametrize(("arguments", "page"), [((), bundled.SETTINGS), (("test",), bundled.TESTS)])
def test_the_help_names_a_page_where_it_is(arguments: tuple[str, ...], page: Path) -> None:
    """With the wheel alone there is no ``docs/`` beside: a page is named whole, on a line that may be copied."""
    assert page.is_file()
    assert printed(*arguments, "--help").splitlines()[-1].strip().endswith(f": {page}")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command: str) -> None:
    """Each command has a text of its own, and every option and argument of it is explained."""
    text = printed(command, "--help")
    assert text.startswith(f"Usage: handover {command} ")
    found = group.get_command(click.Context(group), command)
    assert found is not None
    assert found.help
    assert all(option.help for option in found.params if isinstance(option, click.Option))


def test_no_line_of_the_first_page_is_cut_off() -> None:
    """What a command does is told to the end."""
    assert "..." not in printed("--help").partition("Commands:")[2]


def test_a_misspelt_command_is_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    """The nearest is named, where there is one."""
    with pytest.raises(SystemExit) as ended:
        main(["chek"])
    assert ended.value.code == 2
    assert "No such command 'chek'. Did you mean 'check'?" in capsys.readouterr().err


def test_the_version_is_told() -> None:
    """``--version`` is the package's."""
    assert printed("--version") == f"handover, version {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["serve", "--port", "many"],
        ["serve", "--workers", "0"],
        ["demo", "--port", "-1"],
        ["check", "--no"],
    ],
)
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A command, an option or a value that there is not ends with 2 and a line that says so."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "Error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (SettingsError("TWILIO_X: expected y"), "handover: TWILIO_X: expected y\n"),
        (ConfigError([Diagnostic("r.yaml", 1, 2, "c", "m")] * 2), "r.yaml:1:2: error[c]: m\n" * 2),
    ],
)
def test_a_users_mistake_is_a_line_and_1(
    error: Exception, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a user can mend is one line a fault on stderr, with no traceback, and exit code 1."""

    def fail() -> None:
        raise error

    monkeypatch.setattr("router.cli.demo.command", click.Command("demo", callback=fail))
    with pytest.raises(SystemExit) as ended:
        main(["demo"])
    assert ended.value.code == 1
    assert capsys.readouterr() == ("", line)


def test_help_does_not_wait_for_the_web() -> None:
    """The first page and a command's help import neither the server nor Twilio's SDK."""
    script = (
        "import sys\nfrom router.cli import main\n"
        "try:\n    main(['serve', '--help'])\nexcept SystemExit:\n    pass\n"
        "print('LOADED', sorted({'uvicorn', 'starlette', 'twilio', 'aiohttp', 'prometheus_client'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "LOADED []"


def test_the_package_runs_as_a_module() -> None:
    """``python -m router.cli`` is the same command, for where no script was installed."""
    ran = subprocess.run([sys.executable, "-m", "router.cli", "--version"], capture_output=True, text=True, check=True)
    assert ran.stdout == f"handover, version {__version__}\n"
