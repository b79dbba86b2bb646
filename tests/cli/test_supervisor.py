from __future__ import annotations

import os
import signal
from dataclasses import dataclass

from router.cli.supervisor import Supervisor


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
        supervisor.processes = [Worker(os.getpid(), is_up=False), Worker(os.getpid(), is_up=True)]  # type: ignore[list-item]
        supervisor.handle_hup()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert heard == [signal.SIGHUP]
