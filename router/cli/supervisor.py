"""Several server processes on one port, watched by one that serves nothing itself."""

from __future__ import annotations

import os
import signal

from uvicorn.supervisors import Multiprocess


class Supervisor(Multiprocess):
    """Hands SIGHUP on: the workers reload without losing a call, where a restart would end what they hold."""

    def handle_hup(self) -> None:
        """Let every worker that serves read the routes anew; one that is about to start reads them anyway."""
        for process in self.processes:
            if process.is_ready() and process.pid:
                os.kill(process.pid, signal.SIGHUP)
