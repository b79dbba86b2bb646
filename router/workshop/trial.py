"""Trying a configuration apart: a process reads it, checks it and runs its tests, and this one takes what is good.

A file that takes long, a plugin that hangs when it is imported, and all that such work leaves behind cost the calls of
this process nothing.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from router.config.loading import Attempt, plugin_directories
from router.model.diagnostic import Diagnostic
from router.workshop.parcel import pickled, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from router.config.watch import Watch
    from router.hooks.discovery import FoundPlugin
    from router.hooks.host import PluginHost
    from router.workshop.order import Order

PATIENCE: Final = 120.0
"""Seconds that a trial may take."""

_REST: Final = 0.001
_FAREWELL: Final = 5.0
_NICENESS: Final = 10
"""The calls go first."""


class Workshop:
    """Tries one configuration at a time; ``patience`` are the seconds that a trial may take."""

    def __init__(self, make_host: Callable[[Iterable[FoundPlugin]], PluginHost], patience: float = PATIENCE) -> None:
        self._make_host = make_host
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None

    def try_apart(self, order: Order, watch: Watch) -> Attempt:
        """Try what ``order`` names; blocks for as long, and raises nothing.

        Where the trial itself breaks off, the attempt has loaded nothing and says so; what ``watch`` watches goes on
        being watched from there.
        """
        try:
            return self._try(order)
        except (OSError, EOFError, pickle.UnpicklingError, KeyError) as error:
            reason = (
                f"{type(error).__name__}: {error}" if isinstance(error, KeyError | OSError) else "it ended too early"
            )
            message = f"the files could not be tried in a process of their own: {reason}; the log has what it said"
            told = Diagnostic(str(order.path), 1, 1, "trial-broken", message)
            return Attempt(None, (told,), {}, replace(watch, digest=watch.look()))

    def close(self) -> None:
        """End a trial that is under way: whoever waits for it is told that it broke off."""
        if self._process is not None:
            self._process.kill()

    def _try(self, order: Order) -> Attempt:
        command = [sys.executable, "-P", "-m", "router.workshop"]  # the working directory is no place for modules
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own module
            self._process = process
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICENESS)
            alarm = threading.Timer(self._patience, process.kill)
            alarm.start()
            try:
                assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - pipes were asked for
                with process.stdin as stdin:
                    stdin.write(pickled(order))
                directories = plugin_directories(order.path, order.plugins_dirs)
                attempt = unpack(process.stdout, directories, self._make_host, partial(time.sleep, _REST))
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_FAREWELL)  # a thread of a plugin's may keep it, and all that counts has arrived
                return attempt
            finally:
                alarm.cancel()
                process.kill()
                self._process = None
