"""A ledger in memory, for rehearsals: the same words, and nothing is left when the process ends."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from router.errors import LedgerError
from router.ledger.bell import Bell
from router.ledger.ledger import NARROWING, Figures, Holder
from router.ledger.news import settle, take
from router.ledger.row import FARTHEST, URGENT, State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from router.clock import Clock
    from router.ledger.ledger import Filter
    from router.ledger.news import News
    from router.ledger.row import Row

Result = TypeVar("Result")


class MemoryLedger:
    """Rows by id. There is one process, so what it has in hand stays there until a decision says otherwise."""

    def __init__(self, clock: Clock, holder: Holder | None = None) -> None:
        self.holder = holder or Holder("memory")
        self._clock = clock
        self._rows: dict[str, Row] = {}
        self._bell = Bell()
        self._telling: set[str] = set()

    async def decide(
        self, conversation: str, decision: Callable[[Sequence[Row]], tuple[Result, Sequence[Row]]]
    ) -> Result:
        """Let ``decision`` see the conversation's rows, and keep the rows that it gives.

        Raises LedgerError where the conversation would have two open rows, and what ``decision`` raises.
        """
        result, given = decision([row for row in self._newest() if row.conversation == conversation])
        rows = self._rows | {row.id: row for row in given}
        if sum(row.is_open for row in rows.values() if row.conversation == conversation) > 1:
            raise LedgerError("memory: a conversation may have one open row")
        self._rows = rows
        if given:
            self._bell.ring(conversation)
        return result

    async def wait(self, conversation: str, seconds: float) -> None:
        """Wait until a decision has kept a row of ``conversation``, ``seconds`` at the most."""
        await self._bell.wait(conversation, seconds)

    async def claim(self, now: datetime, most: int) -> Sequence[Row]:
        """Take in hand rows that are due and that nobody has in hand, the most urgent first."""
        due = [row for row in self._rows.values() if row.is_open and self._free_at(row, now) <= now]
        due.sort(key=lambda row: (row.duty not in URGENT, row.due or row.created))
        lease = now + timedelta(seconds=self.holder.lease)
        taken = [row.change(owner=self.holder.name, lease=lease) for row in due[:most]]
        self._rows |= {row.id: row for row in taken}
        return taken

    async def claim_news(self, now: datetime, most: int) -> Sequence[Row]:
        """Take the news that are due of at most ``most`` rows, and of none of which we tell already."""
        free = [row for row in self._rows.values() if row.id not in self._telling]
        due = [row for row in free if row.news_due is not None and row.news_due <= now]
        claimed = []
        for row in sorted(due, key=lambda row: row.news_due or now)[:most]:
            taken, news = take(row.news, now)
            self._rows[row.id] = row.change(news=news)
            claimed.append(row.change(news=taken))
        self._telling |= {row.id for row in claimed}
        return claimed

    async def settle_news(self, row: Row, told: Mapping[News, News | None]) -> None:
        """Keep what came of news of ``row`` that we took."""
        self._telling.discard(row.id)
        if kept := self._rows.get(row.id):
            self._rows[row.id] = kept.change(news=settle(kept.news, told))

    async def next_due(self, *, news: bool = True) -> datetime | None:
        """Say when the next row is due and in nobody's hand, or, where that counts, its news."""
        now = self._clock.now()
        rows = self._rows.values()
        free = [self._free_at(row, now) for row in rows if row.is_open and not self._is_ours(row, now)]
        told = [row.news_due for row in rows if news and row.news_due and row.id not in self._telling]
        return min((*free, *told), default=None)

    async def history(self, wanted: Filter) -> Sequence[Row]:
        """Give rows, the newest first."""
        return [row for row in self._newest() if _fits(row, wanted)][: wanted.limit]

    async def figures(self) -> Figures:
        """Count what is open."""
        there = [row for row in self._rows.values() if row.is_open]
        duties = [str(row.duty) for row in there]
        counts = {duty: duties.count(duty) for duty in duties}
        oldest = min((row.owed or row.created for row in there if row.state is not State.COMPLETED), default=None)
        untold = [row.news_since for row in self._rows.values() if row.news_since]
        return Figures(counts, oldest, len(untold), min(untold, default=None))

    async def forget(self, before: datetime) -> int:
        """Drop rows that owe nothing and were finished before a time; says how many."""
        done = [row for row in self._rows.values() if not (row.is_open or row.news_due)]
        old = {row.id for row in done if (row.finished or row.created) < before}
        self._rows = {key: row for key, row in self._rows.items() if key not in old}
        return len(old)

    async def probe(self) -> None:
        """Do nothing: memory is always there."""

    def faults(self) -> tuple[str, ...]:
        """Say that nothing is wrong: memory is always there."""
        return ()

    def _newest(self) -> Sequence[Row]:
        return sorted(self._rows.values(), key=lambda row: (row.created, row.id), reverse=True)

    def _is_ours(self, row: Row, now: datetime) -> bool:
        return row.owner == self.holder.name and row.is_held(now)

    def _free_at(self, row: Row, now: datetime) -> datetime:
        """Say when a row is both due and in nobody's hand."""
        due = row.due or row.created
        due = now if due > now + FARTHEST else due
        if row.lease is None or not row.is_held(now):
            return due
        is_over = row.lease > now + FARTHEST and row.owner != self.holder.name
        return due if is_over else max(due, row.lease)


def _fits(row: Row, wanted: Filter) -> bool:
    if any(getattr(wanted, name) not in ("", getattr(row, name)) for name in NARROWING):
        return False
    return (wanted.since is None or row.created >= wanted.since) and (row.is_open or not wanted.open)
