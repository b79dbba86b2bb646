"""What goes wrong between a client and Twilio: by chance, and by what lies in wait."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from router.errors import TwilioBusy, TwilioRefused, TwilioUncertain

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from router.errors import TwilioError

PATIENCE: Final = 2.0
"""Seconds that a client waits for an answer."""

LATEST: Final = 60.0
"""Seconds until a request that was given up takes effect at the latest."""


class Trouble(StrEnum):
    """What may become of a request."""

    BUSY = "busy"
    """429 or a conflict: not taken up."""
    BUSY_LONG = "busy long"
    """429 that asks for a minute."""
    FAILED = "failed"
    """A 5xx or a cut connection before the work."""
    LOST = "lost"
    """The work is done, the answer lost: cut, or not JSON."""
    SLOW = "slow"
    """The answer takes long, but comes in time."""
    LATE = "late"
    """No answer in time; the work is done after that."""
    NEVER = "never"
    """No answer in time, and no work."""
    DENIED = "denied"
    """401: the credentials are wrong."""


class Weather:
    """What goes wrong: by ``storm``, the chance for any request, and by what lies in wait for the next of a verb."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.storm = 0.0
        self.kinds: tuple[Trouble, ...] = tuple(Trouble)
        self.armed: list[tuple[str, Trouble, int]] = []
        self.struck: Counter[str] = Counter()

    def strike(self, verb: str) -> Trouble | None:
        """Say what becomes of a request."""
        for place, (wanted, trouble, times) in enumerate(self.armed):
            if wanted in ("*", verb):
                self.armed[place : place + 1] = [(wanted, trouble, times - 1)] if times > 1 else []
                self.struck[trouble] += 1
                return trouble
        if self._chance.random() < self.storm:
            trouble = self._chance.choice(self.kinds)
            self.struck[trouble] += 1
            return trouble
        return None

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self.storm = 0.0
        self.armed.clear()


REFUSALS: Final[dict[Trouble | None, Callable[[str], TwilioError]]] = {
    Trouble.BUSY: lambda verb: TwilioBusy(verb, "busy", status=429, code=20429),
    Trouble.BUSY_LONG: lambda verb: TwilioBusy(verb, "busy", status=429, code=20429, retry_after=60),
    Trouble.FAILED: lambda verb: TwilioUncertain(verb, "failed", status=503),
    Trouble.DENIED: lambda verb: TwilioRefused(verb, "denied", status=401, code=20003),
}
"""Where Twilio answers without doing the work."""
