"""The process that tries a configuration: an order comes in by standard input, an attempt goes out in pieces."""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from router.config.source import Source
from router.rehearsal.rehearsal import rehearse
from router.workshop.parcel import pack

if TYPE_CHECKING:
    from router.config.loading import Attempt
    from router.workshop.order import Order


def work(order: Order) -> Attempt:
    """Read the files, and run their tests where they want that before a reload."""
    source = Source(order.path, environ=order.environ, plugins_dirs=order.plugins_dirs, good=order.good)
    attempt = source.read(may_shrink=order.may_shrink)
    if attempt.loaded is not None and attempt.loaded.test_on_reload:
        report = asyncio.run(rehearse(attempt.loaded))
        if report.failures:
            return replace(attempt, loaded=None, diagnostics=report.diagnostics)
    return attempt


def main() -> None:
    """Do the work; what plugins print goes to standard error, as the answer has standard output for itself."""
    with os.fdopen(os.dup(1), "wb") as answer:
        os.dup2(2, 1)
        with suppress(BrokenPipeError):  # nobody waits for it any more
            for piece in pack(work(pickle.load(sys.stdin.buffer))):  # noqa: S301 - from the process that started us
                answer.write(piece)


main()
