from __future__ import annotations

import multiprocessing
import os
import signal
import time
from dataclasses import dataclass

import pytest
from uvicorn.supervisors import Multiprocess

from router.cli.supervisor import Supervisor, follow


@dataclass
class Worker:
    pid: int
    is_up: bool

    def is_ready(self) -> bool:
        return self.is_up


def test_sighup_reaches_only_workers_that_serve() -> None:
    """One that is about to start would die of it, and reads the files anyway."""
    heard: list[int] = []
    before = signal.signal(signal.SIGHUP, lambda number, _frame: heard.append(number))
    try:
        supervisor = object.__new__(Supervisor)  # the real one takes all signals of this process
        supervisor.processes = [Worker(os.getpid(), is_up=False), Worker(os.getpid(), is_up=True)]  # type: ignore[list-item]  # as much of one as is asked
        supervisor.handle_hup()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert heard == [signal.SIGHUP]


@pytest.mark.parametrize("exitcode", [None, 0, 3])
def test_a_worker_that_could_not_start_is_a_refusal(exitcode: int | None) -> None:
    """Three is uvicorn's word for it; a worker that runs, or has ended well, is none."""
    supervisor = object.__new__(Supervisor)
    supervisor.processes = [Ended(None), Ended(exitcode)]  # type: ignore[list-item]  # as much of one as is asked
    assert supervisor.is_refused == (exitcode == 3)


@dataclass
class Ended:
    exitcode: int | None
    pid: int = 0

    def is_ready(self) -> bool:
        return False


@pytest.mark.parametrize(
    ("exitcode", "how"), [(-9, "SIGKILL"), (-64, "SIGRTMAX"), (-60, "signal 60"), (1, "exit code 1")]
)
def test_a_worker_that_is_replaced_is_told(
    exitcode: int, how: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """How it ended stands in the log, and who takes its place; of one that goes on there is no word."""
    supervisor = object.__new__(Supervisor)
    supervisor.processes = [Ended(None, 1), Ended(exitcode, 2)]  # type: ignore[list-item]  # as much of one as is asked
    supervisor._tell = None

    def replace(this: Supervisor) -> None:
        this.processes[1] = Ended(None, 3)  # type: ignore[call-overload]  # the same

    monkeypatch.setattr(Multiprocess, "keep_subprocess_alive", replace)
    supervisor.keep_subprocess_alive()
    assert [record.getMessage() for record in caplog.records] == [f"worker 2 has ended ({how}), and 3 takes its place"]


def test_a_worker_stops_once_its_parent_has_ended() -> None:
    """It gets SIGTERM then, and not before; a process without a parent is left alone."""
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: heard.append(number))
    parent = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    parent.start()
    try:
        follow(None)
        follow(parent)
        time.sleep(0.1)
        assert heard == []
        parent.kill()
        until = time.monotonic() + 5
        while not heard and time.monotonic() < until:
            time.sleep(0.01)
    finally:
        signal.signal(signal.SIGTERM, before)
        parent.kill()
    assert heard == [signal.SIGTERM]
