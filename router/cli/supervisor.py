"""Several server processes on one port, watched by one that serves nothing itself."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess


class Supervisor(Multiprocess):
    """Hands SIGHUP on: the workers reload without losing a call, where a restart would end what they hold."""

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


def follow(parent: BaseProcess | None) -> None:
    """Stop this worker in good order once its ``parent`` has ended, even by a kill: its port is the next one's."""
    if parent is not None:
        threading.Thread(target=_stop_after, args=(parent,), name="follow", daemon=True).start()


def _stop_after(parent: BaseProcess) -> None:
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
