"""Faults as a user reads them: each directory of ``tests/examples/bad`` records the whole output of ``check``."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from router.cli.check import command

EXAMPLES = Path(__file__).parent.parent / "examples"
BAD = sorted(path for path in (EXAMPLES / "bad").iterdir() if path.is_dir())
GOOD = sorted(path for path in (EXAMPLES / "good").iterdir() if path.is_dir())
ENVIRON = {"SET": "top secret", "EMPTY": "", "UNSET": None, "HANDOVER_SECRET": None, "HANDOVER_CONFIG": None}


@pytest.mark.parametrize("case", BAD, ids=lambda path: path.name)
def test_a_fault_is_told_as_recorded(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``check`` prints just what ``expected.txt`` has, and ends with 1 where an error is among it."""
    monkeypatch.chdir(case)
    told = CliRunner().invoke(command, env=ENVIRON)
    expected = (case / "expected.txt").read_text("utf-8")
    assert told.output.replace(str(case), "$HERE") == expected
    assert told.exit_code == (1 if ": error[" in expected else 0)
    assert "top secret" not in expected


@pytest.mark.parametrize("case", GOOD, ids=lambda path: path.name)
def test_a_good_file_is_told_to_be_good(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``check`` finds no fault in the examples that are right, and sums up what there is."""
    monkeypatch.chdir(case)
    told = CliRunner().invoke(command, env=ENVIRON)
    assert told.output == (case / "expected.txt").read_text("utf-8")
    assert told.output.endswith(": no faults\n")
    assert told.exit_code == 0
