from __future__ import annotations

import contextlib
import io
import json
import logging
import os
from datetime import UTC, datetime

import pytest

from router.log import hear_libraries, new_log


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_machine_gets_one_json_object_a_line() -> None:
    """Event, level, time in UTC and the values, in letters of any alphabet, with spaces as json sets them."""
    stream = io.StringIO()
    log = new_log(stream)
    log.info("handover", tool="/t", name="Jürgen\nx")
    log.debug("detail")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert '"tool": "/t", "name": "Jürgen\\nx"' in stream.getvalue()
    assert datetime.fromisoformat(first.pop("timestamp")).tzinfo == UTC
    assert first == {"event": "handover", "level": "info", "tool": "/t", "name": "Jürgen\nx"}
    assert second["level"] == "debug"


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_an_exception_keeps_its_traceback(stream: io.StringIO) -> None:
    """A fault of our own can be found: the log has where it happened, for machines and for people."""
    log = new_log(stream)
    try:
        int("broken")
    except ValueError as error:
        log.exception("fault")
        caught = error
    log.error("fault later", exc_info=caught)
    text = stream.getvalue()
    assert text.count("ValueError: invalid literal") == 2
    assert text.count("test_an_exception_keeps_its_traceback") == 2


def test_a_person_gets_a_readable_line() -> None:
    """A terminal shows no JSON."""
    stream = Terminal()
    new_log(stream).warning("unproved", url="https://h.example")
    (line,) = stream.getvalue().splitlines()
    assert not line.startswith("{")
    assert "unproved" in line
    assert "https://h.example" in line


def test_half_of_a_pair_costs_no_line() -> None:
    """What no UTF-8 has a place for is told as well as it can be."""
    stream = io.StringIO()
    new_log(stream).info("handover", detail="cut \ud83d", of=ValueError("x"))
    assert json.loads(stream.getvalue())["detail"] == "cut \ud83d"
    assert "ValueError('x')" in stream.getvalue()


def test_two_logs_share_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Each app has a log of its own, and none writes to the loggers of the process."""
    one, other = io.StringIO(), io.StringIO()
    with caplog.at_level(logging.DEBUG):
        new_log(one).info("one")
        new_log(other).info("other")
    assert "one" in one.getvalue()
    assert "one" not in other.getvalue()
    assert caplog.records == []


def test_plugins_and_libraries_are_heard() -> None:
    """What they tell ``logging`` is a line like any other, also where it is told wrongly; mere steps are not."""
    stream = io.StringIO()
    root, before = logging.getLogger(), (logging.getLogger().level, logging.getLogger().handlers[:])
    root.handlers.clear()
    try:
        hear_libraries(new_log(stream))
        logging.getLogger("handover_plugin_mine").info("%s: handed over", "HO1")
        logging.getLogger("handover_plugin_mine").info("%d: wrong", "HO1")
        logging.getLogger("handover_plugin_mine").debug("detail")
        logging.getLogger("alembic.runtime").info("a step")
        try:
            int("broken")
        except ValueError:
            logging.getLogger("other").exception("it broke")
    finally:
        root.setLevel(before[0])
        root.handlers[:] = before[1]
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line["level"], line["logger"]) for line in lines] == [
        ("HO1: handed over", "info", "handover_plugin_mine"),
        ("%d: wrong (its arguments do not fit it)", "info", "handover_plugin_mine"),
        ("it broke", "error", "other"),
    ]
    assert "ValueError" in lines[2]["exception"]


def test_a_log_that_nobody_reads_breaks_nothing() -> None:
    """Where the reader of the stream is gone, what is logged is lost and nothing is raised."""
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w", buffering=1)
    log = new_log(stream)
    log.info("lost")
    log.info("lost too")
    with contextlib.suppress(OSError):
        stream.close()
    log.info("closed")
