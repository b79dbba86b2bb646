from __future__ import annotations

import io

import pytest

from router.cli.progress import FEW, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Watch:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_few_are_not_worth_a_word(stream: io.StringIO) -> None:
    """Where it is over in a moment nothing is said."""
    with Progress("asking", FEW, stream) as progress:
        for done in range(FEW + 1):
            progress.tell(done)
    assert stream.getvalue() == ""


def test_a_terminal_has_one_line_that_changes() -> None:
    """Each step is written over the one before, and in the end nothing is left of it."""
    stream = Terminal()
    with Progress("asking", 200, stream) as progress:
        progress.tell(1)
        progress.tell(2)
    clear = "\r\x1b[K"
    assert stream.getvalue() == f"{clear}handover: asking: 1 of 200{clear}handover: asking: 2 of 200{clear}"


def test_a_log_has_a_line_every_so_often() -> None:
    """Without a terminal each line stays, so there are few of them."""
    stream, watch = io.StringIO(), Watch()
    with Progress("asking", 200, stream, watch) as progress:
        for done in range(1, 51):
            watch.now += 0.25
            progress.tell(done)
    assert stream.getvalue().splitlines() == ["handover: asking: 20 of 200", "handover: asking: 40 of 200"]
