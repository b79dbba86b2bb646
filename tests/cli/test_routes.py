from __future__ import annotations

import json
import os
import pty
import struct
import sys
from fcntl import ioctl
from termios import TIOCSWINSZ
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from router.cli.routes import command
from tests.config.kit import FLOW, OTHER, write

if TYPE_CHECKING:
    from pathlib import Path

FILE = f"""\
version: 1
flows: {{refunds: {FLOW}}}
auth: [twilio_signature]
plugins: [{{use: audit}}, {{use: trace}}]
tools:
  /support:
    intents:
      refund: {{flow: refunds, dry_run: true, messages: {{success: "We take\\nover."}}}}
      billing: {{flow: {OTHER}, messages: {{success: "${{env:WORDS}}"}}, plugins: {{audit: false, trace: false}}}}
    fallback: billing
  /bare: {{query: [flowSid], plugins: {{trace: false}}}}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HANDOVER_CONFIG", raising=False)
    monkeypatch.setenv("WORDS", "hunter2")
    write(tmp_path, FILE, audit="None", trace="None")


def test_the_table_has_a_line_for_each_end() -> None:
    """Intents, and tools without any; the fallback, dry runs and flows of the URL are marked."""
    told = CliRunner().invoke(command, [])
    assert told.exit_code == 0
    assert told.output == (
        "TOOL      INTENT              FLOW                                MESSAGE                    PLUGINS\n"
        "/support  refund              refunds (dry run)                   We take over.              audit, trace\n"
        f"/support  billing (fallback)  {OTHER}  the value of ${{env:WORDS}}  -\n"
        "/bare     -                   (from the URL)                      Conversation handed over   audit\n"
    )


def test_no_password_of_a_url_is_shown(tmp_path: Path) -> None:
    """Where a sentence names a URL with user and password, both forms leave them out."""
    write(tmp_path, FILE.replace("We take\\nover.", "See https://ann:hunter2@shop/."), audit="None", trace="None")
    table, programs = (CliRunner().invoke(command, arguments).output for arguments in ([], ["--json"]))
    assert "See https://…@shop/." in table
    assert json.loads(programs)["routes"][0]["message"] == "See https://…@shop/."
    assert "hunter2" not in table


def test_json_has_the_places() -> None:
    """For programs each line is an object; a place is null where a value is built in."""
    told = CliRunner().invoke(command, ["--json"])
    first, second, third = json.loads(told.output)["routes"]
    place = {"file": "routes.yaml", "line": 8}
    assert first == {
        "tool": "/support",
        "intent": "refund",
        "fallback": False,
        "flow": "refunds",
        "flow_sid": FLOW,
        "target_of": "",
        "dry_run": True,
        "message": "We take\nover.",
        "plugins": ["audit", "trace"],
        "places": {
            "tool": {"file": "routes.yaml", "line": 6, "column": 3},
            "intent": {**place, "column": 7},
            "flow": {**place, "column": 22},
            "message": {**place, "column": 66},
        },
    }
    assert (second["fallback"], second["flow"], second["flow_sid"], second["plugins"]) == (True, OTHER, OTHER, [])
    assert (third["intent"], third["flow"], third["flow_sid"]) == ("", "", "")
    assert third["places"] == {"tool": third["places"]["tool"], "intent": None, "flow": None, "message": None}
    assert "hunter2" not in told.output


def test_on_a_terminal_it_is_cut_to_the_width() -> None:
    """No line is longer than the terminal is wide, and the columns stay aligned."""
    leader, follower = pty.openpty()
    ioctl(follower, TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    child = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "router.cli", "routes"],
        {name: value for name, value in os.environ.items() if name != "COLUMNS"},
        file_actions=[(os.POSIX_SPAWN_DUP2, follower, number) for number in (0, 1, 2)],
    )
    os.close(follower)
    seen = b""
    while chunk := _read(leader):
        seen += chunk
    os.close(leader)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    lines = seen.decode().splitlines()
    assert len(lines) == 4
    assert max(map(len, lines)) <= 60
    assert "…" in lines[2]
    assert lines[0].index("PLUGINS") == lines[1].index("audit")


def _read(leader: int) -> bytes:
    """Read what came; nothing at the end, which Linux tells by an error."""
    try:
        return os.read(leader, 4096)
    except OSError:
        return b""


def test_file_and_plugins_are_found_as_by_check(tmp_path: Path) -> None:
    """PATH, HANDOVER_CONFIG and ``--plugins-dir`` mean what they mean there."""
    (tmp_path / "plugins").rename(tmp_path / "mine")
    (tmp_path / "routes.yaml").rename(tmp_path / "other.yaml")
    runner = CliRunner()
    assert runner.invoke(command, ["other.yaml", "--plugins-dir", "mine"]).exit_code == 0
    assert runner.invoke(command, ["--plugins-dir", "mine"], env={"HANDOVER_CONFIG": "other.yaml"}).exit_code == 0
    assert runner.invoke(command, ["other.yaml"]).exit_code == 1
