"""Servers that say when they serve: one alone, or several on one port, watched by one that serves nothing itself."""

from __future__ import annotations

import logging
import os
import signal
import threading
from typing import TYPE_CHECKING, Final

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from multiprocessing.process import BaseProcess


_LOG: Final = logging.getLogger("router.workers")


class TellingServer(uvicorn.Server):
    """Calls ``tell`` once it serves; where the app does not start, never."""

    def __init__(self, config: uvicorn.Config, tell: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell = tell

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the app, and listen."""
        await super().startup(sockets)
        self._tell()


class Supervisor(Multiprocess):
    """Hands SIGHUP on: the workers reload without losing a call, where a restart would end what they hold.

    Calls ``tell`` once the first of them serves.
    """

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], tell: Callable[[], None]) -> None:
        super().__init__(config, sockets)
        self._tell: Callable[[], None] | None = tell

    def keep_subprocess_alive(self) -> None:
        """Look after the workers, twice a second, and tell of each that ended and was replaced."""
        before = list(self.processes)
        super().keep_subprocess_alive()
        for old, new in zip(before, self.processes, strict=True):
            if new is not old:
                _LOG.warning("worker %s has ended (%s), and %s takes its place", old.pid, _how(old.exitcode), new.pid)
        if self._tell is not None and any(process.is_ready() for process in self.processes):
            self._tell()
            self._tell = None

    @property
    def is_refused(self) -> bool:
        """A worker could not start, which is the end of them all: each would fail in the same way."""
        return any(process.exitcode == STARTUP_FAILURE for process in self.processes)

    def terminate_all(self) -> None:
        """End the workers; a new connection is refused from here on, where it would wait for nobody."""
        for listener in self.sockets:
            listener.close()
        super().terminate_all()

    def handle_hup(self) -> None:
        """Let every worker that serves read the routes anew; one that is about to start reads them anyway."""
        for process in self.processes:
            if process.is_ready() and process.pid:
                os.kill(process.pid, signal.SIGHUP)


def _how(exitcode: int | None) -> str:
    """Say how a process ended; below 0 is the number of a signal."""
    if exitcode is None or exitcode >= 0:
        return f"exit code {exitcode}"
    try:
        return signal.Signals(-exitcode).name
    except ValueError:
        return f"signal {-exitcode}"


def follow(parent: BaseProcess | None) -> None:
    """Stop this worker in good order once its ``parent`` has ended, even by a kill: its port is the next one's."""
    if parent is not None:
        threading.Thread(target=_stop_after, args=(parent,), name="follow", daemon=True).start()


def _stop_after(parent: BaseProcess) -> None:
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
