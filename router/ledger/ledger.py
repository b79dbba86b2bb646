"""What the rest of the router knows of a ledger: it keeps rows, and lets one decision at a time be made about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from router.ledger.news import News
    from router.ledger.row import Row

Result = TypeVar("Result")

PAUSE: Final = 0.25
"""Seconds to wait for a decision here until one looks whether another process has let a conversation go."""

NARROWING: Final = ("conversation", "tool", "intent", "state", "outcome")
"""The fields of a filter that a row must equal."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process to the ledger: its name, and for how many seconds it may be silent until another takes its rows."""

    name: str
    lease: float = 10.0


@dataclass(frozen=True, slots=True)
class Figures:
    """How much is open: rows by duty, and since when something is owed where the agent does not answer already.

    ``news`` are rows of which a plugin is still to be told, and ``news_since`` is since when.
    """

    open: Mapping[str, int]
    oldest: datetime | None = None
    news: int = 0
    news_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows of the history are wanted; what is empty does not narrow it down."""

    conversation: str = ""
    tool: str = ""
    intent: str = ""
    state: str = ""
    outcome: str = ""
    since: datetime | None = None
    open: bool = False
    limit: int = 100


class Ledger(Protocol):
    """Rows, kept. Each method raises LedgerError where that is not possible now; nothing is half done then."""

    @property
    def holder(self) -> Holder:
        """Who we are."""
        ...

    async def decide(
        self, conversation: str, decision: Callable[[Sequence[Row]], tuple[Result, Sequence[Row]]]
    ) -> Result:
        """Let ``decision`` see the rows of ``conversation``, the newest first, and keep the rows that it gives.

        It is a pure function: no other process decides about this conversation meanwhile, and it may be asked twice.
        """
        ...

    async def wait(self, conversation: str, seconds: float) -> None:
        """Wait until a decision has kept a row of ``conversation`` here, ``seconds`` at the most.

        One that only looks wakes nobody: two who wait, and look whenever they wake, would wake each other for ever.
        """
        ...

    async def claim(self, now: datetime, most: int) -> Sequence[Row]:
        """Take in hand rows that are due and that nobody has in hand, the most urgent first."""
        ...

    async def claim_news(self, now: datetime, most: int) -> Sequence[Row]:
        """Take in hand the news that are due of at most ``most`` rows, the longest due first.

        Each row is given with the news that were taken, and no others. Whoever takes them calls ``settle_news``.
        """
        ...

    async def settle_news(self, row: Row, told: Mapping[News, News | None]) -> None:
        """Keep what came of news of ``row`` that were taken; None of those that were heard."""
        ...

    async def next_due(self, *, news: bool = True) -> datetime | None:
        """Say when the next row falls due that nobody has in hand, or, where that counts, its ``news``."""
        ...

    async def history(self, wanted: Filter) -> Sequence[Row]:
        """Give rows, the newest first."""
        ...

    async def figures(self) -> Figures:
        """Count what is open."""
        ...

    async def forget(self, before: datetime) -> int:
        """Drop rows that were finished before a time, and whose news were told; says how many."""
        ...

    async def probe(self) -> None:
        """Write something that leaves nothing behind."""
        ...
