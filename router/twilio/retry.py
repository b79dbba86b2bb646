"""When to ask Twilio again, and how long to wait before: a pure policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from router.errors import TwilioBusy, TwilioUncertain

if TYPE_CHECKING:
    from router.errors import TwilioError

MOST_REPEATS: Final = 2
FIRST_PAUSE: Final = 0.1
"""Seconds before the first repeat; each further one waits twice as long."""

LONGEST_PAUSE: Final = 5.0
"""Seconds: where Twilio asks for a longer pause we give up instead, since a customer may be waiting for nobody."""


def pause_before_repeat(error: TwilioError, attempt: int, *, is_safe_to_repeat: bool, chance: float) -> float | None:
    """Give the seconds to wait after the ``attempt``-th try (from 1) failed, or None where it must not be repeated.

    A request that was not taken up may always be repeated. One with an uncertain end only where doing it twice is the
    same as doing it once. ``chance`` is a random number from 0 to 1, which keeps many waiters from coming back at once.
    """
    is_repeatable = isinstance(error, TwilioBusy) or (isinstance(error, TwilioUncertain) and is_safe_to_repeat)
    asked_for = error.retry_after or 0.0
    if not is_repeatable or attempt > MOST_REPEATS or asked_for > LONGEST_PAUSE:
        return None
    own: float = FIRST_PAUSE * 2 ** (attempt - 1)
    return max(own, asked_for) + own * chance
