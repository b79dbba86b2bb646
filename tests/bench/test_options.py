"""What the benchmarks are asked for: a mistake is told at once, and not after an hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.results import options, seconds, some
from bench.wanted import Promise

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", ""])
def test_a_count_is_a_whole_number_from_one_on(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing in flight would wait for ever."""
    parser = options("handovers", "")
    parser.add_argument("--widths", type=some)
    with pytest.raises(SystemExit):
        parser.parse_args([f"--widths={text}"])
    assert f"{text!r} is no whole number from 1 on" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["-1", "soon", "inf", "nan"])
def test_a_time_is_a_number_of_seconds(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Twilio does not answer before it is asked."""
    parser = options("handovers", "")
    parser.add_argument("--delays", type=seconds)
    with pytest.raises(SystemExit):
        parser.parse_args([f"--delays={text}"])
    assert f"{text!r} is no number of seconds" in capsys.readouterr().err


def test_a_folder_that_takes_no_result_is_refused_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A result that cannot be kept would be lost after all its time."""
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit):
        options("soak", "").parse_args([f"--to={tmp_path / 'file'}"])
    assert "name another folder" in capsys.readouterr().err
    assert options("soak", "").parse_args([f"--to={tmp_path / 'new'}"]).to == tmp_path / "new"


def test_what_was_not_measured_is_neither_kept_nor_broken() -> None:
    """A part of a result fills a part of the table."""
    assert Promise("p50", 2.1, "trips", {}).row() == ["p50", "≤ 2.1 trips", "not measured", "-"]
    assert Promise("p50", 2.1, "trips", {"SQLite": 2.0}).row()[-1] == "yes"
