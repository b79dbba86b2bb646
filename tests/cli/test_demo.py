from __future__ import annotations

import itertools
import os
import re
import shlex
import signal
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from router.cli import main
from router.sandbox.demo import play
from router.sandbox.faults import Fault
from router.sandbox.sandbox import Sandbox
from router.serving import listen
from tests.cli.programs import ended, started

if TYPE_CHECKING:
    from pathlib import Path

TRANSCRIPT = (
    "webhooks before:",
    "customer  Hello, are you there?",
    "agent  Thank you",
    "[tool] POST http://127.0.0.1:",
    "[tool] 200 'Our refunds desk takes over now.'",
    "flow  Hello, this is the refunds desk.",
    "flow  Thank you. The refund for order 4711",
    "[back] POST http://127.0.0.1:",
    "agent  Thank you",
    "webhooks after:",
    "the agent (https://support-agent.twil.io/",
    "It went right: the agent answered, then the flow, then the agent again.",
)


def run(*arguments: str) -> int:
    """Run the command in this process; gives its exit code."""
    with pytest.raises(SystemExit) as end:
        main(["demo", *arguments])
    return int(end.value.code or 0)


def in_order(text: str) -> bool:
    """Say whether every part of the transcript is there, each after the one before."""
    place = 0
    for part in TRANSCRIPT:
        place = text.find(part, place)
        if place < 0:
            return False
    return True


def test_once_plays_a_handover_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    """``--once`` prints who said what and which webhooks there were, invites to nothing, and ends with 0."""
    assert run("--once") == 0
    told = capsys.readouterr()
    assert in_order(told.out)
    assert "curl" not in told.out
    assert told.err == ""


def test_what_goes_wrong_is_told_and_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where Twilio refuses the flow, the demo says what it expected and what it found, and ends at once with 1."""

    class Broken(Sandbox):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.faults.add(Fault.refused(400, 50099, method="POST", path="*/Webhooks", times=0))

    monkeypatch.setattr("router.sandbox.demo.Sandbox", Broken)
    monkeypatch.setattr("router.sandbox.demo.play", partial(play, patience=0.2))
    assert run() == 1
    told = capsys.readouterr()
    assert "It went right" not in told.out
    assert "handover demo: expected the studio alone to answer, found [('agent', 'https://support-agent" in told.err


def test_a_taken_port_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A port that another program has is a line that says what to do, and 1."""
    listener, url = listen()
    port = url.rpartition(":")[2]
    with listener:
        assert run("--once", "--port", port) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"handover: --port {port}: Address already in use")
    assert told.err.endswith("choose another, or none for a free one\n")


async def test_it_needs_nothing_but_itself(tmp_path: Path) -> None:
    """In an empty directory, with no setting at all, the same demo goes right and leaves nothing behind."""
    code, text = await ended(tmp_path, "demo", "--once")
    assert code == 0
    assert in_order(text)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - a Path has no such question that does not count as blocking


async def test_it_stays_up_and_its_curl_lines_work(tmp_path: Path) -> None:
    """After the play it stays until Ctrl-C, the printed calls hand a second conversation over, and it ends with 0."""
    async with started(tmp_path, "demo") as program:
        await program.until("Ctrl-C ends it.")
        text = program.output
        assert in_order(text)
        invitation = text.partition("Try it yourself:")[2].replace("\\\n", " ")
        handover, says, looks = (shlex.split(line) for line in re.findall(r"curl .*", invitation))
        headers = dict(value.split(": ", 1) for flag, value in itertools.pairwise(handover) if flag == "-H")
        async with aiohttp.ClientSession() as session:
            body = handover[-1].encode()
            form = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
            async with session.post(handover[1], data=body, headers=form) as answer:
                assert (answer.status, await answer.text()) == (200, "Conversation handed over")
            async with session.post(says[1], data=dict([says[-1].split("=")])) as answer:
                told = await answer.json()
            assert told["responders"] == ["studio FW00000000000000000000000000000002"]
            assert told["messages"][-1].split(": ")[0] not in ("assistant", headers["X-Identity"])
            async with session.get(looks[1]) as answer:
                assert answer.status == 200
        assert await program.stop(signal.SIGINT) == 0
        assert "Traceback" not in program.output
