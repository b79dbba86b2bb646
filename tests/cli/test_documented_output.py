from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner

from router.cli import group
from router.config.sources import Setting, Written, WrittenPlugin
from router.explanation.explanation import Ending, Explanation, FoundFlow, FoundIntent, FoundTool, OtherIntent, Proof
from router.ledger.row import Duty

ROOT = Path(__file__).parent.parent.parent
SESSIONS = re.findall(
    r"^```console\n\$ handover ((?:explain|routes|tools|plugins)\b[^\n]*)\n(.*?)^```$",
    (ROOT / "docs" / "commands.md").read_text("utf-8"),
    re.DOTALL | re.MULTILINE,
)


@pytest.mark.parametrize(("arguments", "output"), SESSIONS, ids=[arguments for arguments, _output in SESSIONS])
def test_the_docs_show_what_the_command_prints(arguments: str, output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session in ``docs/commands.md`` is the real one, with the shipped ``routes.yaml`` and nothing set."""
    monkeypatch.chdir(ROOT)
    names = ("HANDOVER_CONFIG", "HANDOVER_PUBLIC_URL", "HANDOVER_SECRET", "REFUNDS_FLOW_SID", "BILLING_FLOW_SID")
    told = CliRunner().invoke(group, shlex.split(arguments), env=dict.fromkeys(names))
    assert told.stdout == output


def test_each_fact_is_documented() -> None:
    """The page names every key of ``explain --format json``."""
    page = (ROOT / "docs" / "commands.md").read_text("utf-8")
    kinds = (
        Explanation,
        Ending,
        FoundTool,
        Proof,
        FoundIntent,
        OtherIntent,
        FoundFlow,
        WrittenPlugin,
        Setting,
        Written,
    )
    names = {field.name for kind in kinds for field in fields(kind)}
    assert {name for name in names if f"`{name}`" not in page} == set()


def test_each_word_of_what_is_owed_is_documented() -> None:
    """The page has a row for each duty, and for what ``history`` writes in the place of one."""
    page = (ROOT / "docs" / "commands.md").read_text("utf-8").partition("| OWED |")[2].partition("\n\n")[0]
    words = re.findall(r"^\| `([^`]+)` \| \S", page, re.MULTILINE)
    assert words == [*filter(None, Duty), "look again", "tell notify", "notify not told"]


def test_each_command_is_shown() -> None:
    """Who reads the page sees each of them at work."""
    assert {arguments.split()[0] for arguments, _output in SESSIONS} == {"explain", "routes", "tools", "plugins"}
