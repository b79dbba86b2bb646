from __future__ import annotations

import pytest

from router.errors import TwilioBusy, TwilioError, TwilioRefused, TwilioUncertain
from router.twilio.retry import pause_before_repeat

BUSY = TwilioBusy("create_webhook", "busy")
UNCERTAIN = TwilioUncertain("create_webhook", "cut")
REFUSED = TwilioRefused("create_webhook", "no")


@pytest.mark.parametrize(
    ("error", "is_safe", "is_repeated"),
    [
        (BUSY, False, True),
        (BUSY, True, True),
        (UNCERTAIN, False, False),
        (UNCERTAIN, True, True),
        (REFUSED, False, False),
        (REFUSED, True, False),
    ],
)
def test_what_is_repeated(error: TwilioError, is_safe: bool, is_repeated: bool) -> None:
    """Busy always, uncertain only where twice is once, refused never."""
    pause = pause_before_repeat(error, 1, is_safe_to_repeat=is_safe, chance=0.0)
    assert (pause is not None) == is_repeated


def test_there_are_two_repeats_at_most() -> None:
    """The third failure is the last."""
    pauses = [pause_before_repeat(BUSY, attempt, is_safe_to_repeat=True, chance=0.0) for attempt in (1, 2, 3)]
    assert pauses == [pytest.approx(0.1), pytest.approx(0.2), None]


def test_chance_spreads_the_pause() -> None:
    """Chance adds up to as much again, so that many waiters do not come back at once."""
    assert pause_before_repeat(BUSY, 1, is_safe_to_repeat=True, chance=1.0) == pytest.approx(0.2)
    assert pause_before_repeat(BUSY, 2, is_safe_to_repeat=True, chance=0.5) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("asked_for", "expected"),
    [(0.0, 0.15), (0.05, 0.15), (3.0, 3.05), (5.0, 5.05), (5.1, None), (3600.0, None)],
)
def test_what_twilio_asks_for_is_honoured_or_given_up(asked_for: float, expected: float | None) -> None:
    """We wait as long as Twilio asks for, but never longer than 5 s: then the error goes up instead."""
    error = TwilioBusy("list_webhooks", "busy", retry_after=asked_for)
    pause = pause_before_repeat(error, 1, is_safe_to_repeat=True, chance=0.5)
    assert pause == (None if expected is None else pytest.approx(expected))
