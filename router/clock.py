"""Time as an argument: what the time is, how much has passed, how to wait."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_now: Final = partial(datetime.now, UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """The three things that one can ask of time: ``now`` in UTC, ``monotonic`` seconds, and ``sleep`` for seconds."""

    now: Callable[[], datetime] = _now
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
