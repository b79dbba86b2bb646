"""Loading without garbage collection."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

YOUNG: Final = 20_000
"""So many new objects there may be until a process that serves looks for garbage: a call leaves hardly any."""


@contextmanager
def uncollected(*, spare: bool = False) -> Iterator[None]:
    """Let no garbage be collected meanwhile: what is loaded stays, and looking through it takes a third of the time.

    With ``spare`` it is not looked through later either, which would hold every call up for a tenth of a second where
    there are ten thousand routes; what is not needed any more is still freed, as routes have no cycles. And what comes
    new is looked through once in a hundred calls, not at each: that took a twentieth of their CPU.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if spare:
            gc.freeze()
            gc.set_threshold(YOUNG)
        if was_enabled:
            gc.enable()
