"""What a plugin is still to be told of a handover: it stands in the handover's row until it was heard, or given up."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

PAUSES: Final = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 18000.0, 36000.0)
"""Seconds between two attempts, the first pause first; after the attempt that follows the last it is given up."""

IN_HAND: Final = 15.0
"""Seconds until another process takes what one has taken and not told: a call in the background may take ten."""

PUT_OFF: Final = 10.0
"""Seconds until news of a plugin whose calls hang are due again: so long such a call may take."""


@dataclass(frozen=True, slots=True)
class News:
    """One ``hook`` of one ``plugin`` that is to be called in the background.

    ``since`` is when there was something to tell, ``due`` when it is told next, or None where it was given up;
    ``attempts`` is how often it was begun, and ``reason`` why the last attempt failed. ``outcome`` is what
    ``after_swap`` hears; ``kind`` and ``text`` are the class and the bounded text of what ``swap_failed`` hears.
    """

    hook: str
    plugin: str
    since: datetime
    due: datetime | None
    attempts: int = 0
    reason: str = ""
    outcome: str = ""
    kind: str = ""
    text: str = ""

    @property
    def is_worn_out(self) -> bool:
        """It was begun more often than there are attempts: whoever began it the last time did not live to say more."""
        return self.attempts > len(PAUSES) + 1

    def is_due(self, now: datetime) -> bool:
        """It is to be told now."""
        return self.due is not None and self.due <= now

    def taken(self, now: datetime) -> Self:
        """Somebody tells it; where nothing more is heard of that, it is due again later."""
        return dataclasses.replace(self, due=now + timedelta(seconds=IN_HAND), attempts=self.attempts + 1)

    def put_back(self, now: datetime) -> Self:
        """It was not told to the end, and is due for whoever comes next."""
        return dataclasses.replace(self, due=now)

    def put_off(self, now: datetime) -> Self:
        """No attempt was made, since too many calls of the plugin hang; by then they have ended."""
        return dataclasses.replace(self, due=now + timedelta(seconds=PUT_OFF), attempts=self.attempts - 1)

    def failed(self, reason: str, now: datetime) -> Self:
        """An attempt failed: it is due again, a little later each time, until it is given up."""
        if self.attempts > len(PAUSES):
            return self.given_up(reason)
        due = now + timedelta(seconds=PAUSES[self.attempts - 1])
        return dataclasses.replace(self, due=due, reason=reason)

    def given_up(self, reason: str) -> Self:
        """It is told no more."""
        return dataclasses.replace(self, due=None, reason=reason)


def take(news: Sequence[News], now: datetime) -> tuple[tuple[News, ...], tuple[News, ...]]:
    """Take what is due: what was taken, and all that stands in the row from now on."""
    taken = tuple(each.taken(now) for each in news if each.is_due(now))
    return taken, (*taken, *(each for each in news if not each.is_due(now)))


def settle(news: Sequence[News], told: Mapping[News, News | None]) -> tuple[News, ...]:
    """Put in the place of what was taken what came of it: nothing where it was heard.

    What somebody else has taken since is theirs, and stays.
    """
    return tuple(after for each in news if (after := told.get(each, each)) is not None)
