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
_NICENESS: Final = 10
"""The calls go first."""


def try_apart(
    order: Order,
    watch: Watch,
    make_host: Callable[[Iterable[FoundPlugin]], PluginHost],
    *,
    patience: float = PATIENCE,
) -> Attempt:
    """Try what ``order`` names; blocks for as long, and raises nothing.

    Where the trial itself breaks off, the attempt has loaded nothing and says so, and ``watch`` goes on as it was.
    """
    try:
        return _try(order, make_host, patience)
    except (OSError, EOFError, pickle.UnpicklingError, KeyError) as error:
        reason = f"{type(error).__name__}: {error}" if isinstance(error, KeyError | OSError) else "it ended too early"
        message = f"the files could not be tried in a process of their own: {reason}; the log has what it said"
        return Attempt(None, (Diagnostic(str(order.path), 1, 1, "trial-broken", message),), {}, watch)


def _try(order: Order, make_host: Callable[[Iterable[FoundPlugin]], PluginHost], patience: float) -> Attempt:
    command = [sys.executable, "-m", "router.workshop"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own module
        os.setpriority(os.PRIO_PROCESS, process.pid, _NICENESS)
        alarm = threading.Timer(patience, process.kill)
        alarm.start()
        try:
            assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - pipes were asked for
            with process.stdin as stdin:
                stdin.write(pickled(order))
            directories = plugin_directories(order.path, order.plugins_dirs)
            attempt = unpack(process.stdout, directories, make_host, partial(time.sleep, _REST))
            process.wait()
            return attempt
        finally:
            alarm.cancel()
            process.kill()
