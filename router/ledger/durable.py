"""The ledger that outlives its process: rows in SQLite, or in PostgreSQL where several machines share the work."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Self, TypeVar

from router.errors import LedgerError
from router.ledger import queries
from router.ledger.address import Address
from router.ledger.bell import Bell
from router.ledger.engine import engine_for
from router.ledger.migration import is_behind, migrate, prepare
from router.ledger.owner import is_gone
from router.ledger.row import Row
from router.ledger.script import Decision
from router.ledger.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from types import TracebackType

    from sqlalchemy import Connection

    from router.clock import Clock
    from router.ledger.ledger import Figures, Filter, Holder
    from router.ledger.news import News

Result = TypeVar("Result")

BEATS: Final = 3
"""So often a lease is extended before it would end."""


class DurableLedger:
    """Rows in the database that ``url`` names, between ``async with`` and its end.

    ``holder`` is this process. ``patience`` is how long, in seconds, a lock, a statement or a server is waited for.
    ``on_commit`` is told how many jobs a transaction held and how many seconds it took. Entering raises LedgerError
    where the database cannot be used; the constructor raises SettingsError where ``url`` names none.
    """

    def __init__(
        self,
        url: str,
        holder: Holder,
        clock: Clock,
        *,
        patience: float = 2.0,
        on_commit: Callable[[int, float], None] | None = None,
    ) -> None:
        self.address = Address.parse(url)
        self.holder = holder
        self._clock = clock
        self._patience = patience
        self._on_commit = on_commit
        self._bell = Bell()
        self._held: set[str] = set()
        self._telling: set[str] = set()
        self._writer: Writer
        self._heart: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        try:
            engine = engine_for(self.address, self._patience)
        except LedgerError as error:
            raise LedgerError(f"{self.address.label}: {error}") from None
        self._writer = Writer(
            engine, self.address.label, self._prove, patience=self._patience, on_commit=self._on_commit
        )
        try:
            if await self._writer.run(is_behind):
                await asyncio.to_thread(prepare)
                await self._writer.run(migrate)
        except BaseException:
            await self._writer.close()
            raise
        self._heart = asyncio.create_task(self._beat())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._heart.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._heart
        await self._writer.close()

    async def decide(
        self, conversation: str, decision: Callable[[Sequence[Row]], tuple[Result, Sequence[Row]]]
    ) -> Result:
        """Let ``decision`` see the conversation's newest rows and its open one, and keep the rows that it gives.

        It runs in this thread or in the ledger's, and again where another process was faster. A row with a duty that
        names us as its owner stays in our hand until a decision says otherwise. Raises LedgerError, and what
        ``decision`` raises.
        """
        strays: set[str] = set()

        def decide(rows: Sequence[Row]) -> tuple[Result, Sequence[Row]]:
            for row in rows:
                if row.owner == self.holder.name and row.id not in self._held:
                    strays.add(row.id)
            return decision(rows)

        result: Result
        result, given = await self._writer.decide(Decision(conversation, decide))
        for row in given:
            # A row that bears our name unknown to us, by a commit whose answer was lost, is left to its lease.
            if row.id not in strays:
                self._note(row)
        if given:
            self._bell.ring(conversation)
        return result

    async def wait(self, conversation: str, seconds: float) -> None:
        """Wait until a decision of this process has kept a row of ``conversation``, ``seconds`` at the most."""
        await self._bell.wait(conversation, seconds)

    async def claim(self, now: datetime, most: int) -> Sequence[Row]:
        """Take in hand at most ``most`` rows that are due and that nobody has in hand, the most urgent first.

        Nobody: no process is named, its lease is over, or it ran on this machine and has ended.
        """
        lease, held = now + timedelta(seconds=self.holder.lease), frozenset(self._held)

        def work(connection: Connection) -> Sequence[Row]:
            return queries.claim(connection, now, most, self.holder, lease, self._is_gone, held)

        taken = await self._writer.run(work)
        for row in taken:
            self._note(row)
        return taken

    async def claim_news(self, now: datetime, most: int) -> Sequence[Row]:
        """Take the news that are due of at most ``most`` rows, and of none of which we tell already."""
        telling = frozenset(self._telling)
        rows = await self._writer.run(lambda connection: queries.claim_news(connection, now, most, telling))
        self._telling |= {row.id for row in rows}
        return rows

    async def settle_news(self, row: Row, told: Mapping[News, News | None]) -> None:
        """Keep what came of news of ``row`` that we took; where that is not possible, they are told again later."""

        def work(connection: Connection) -> None:
            queries.settle_news(connection, row.conversation, row.id, told)

        try:
            await self._writer.run(work, row.conversation)
        finally:
            self._telling.discard(row.id)

    async def next_due(self, *, news: bool = True) -> datetime | None:
        """Say when the next row is due and in nobody's hand; a row in another's hand is free when its lease ends.

        Where ``news`` count, those of which we do not tell already do so too.
        """
        now, telling = self._clock.now(), frozenset(self._telling)

        def work(connection: Connection) -> datetime | None:
            due = queries.next_due(connection, now, self.holder, self._is_gone)
            told = queries.next_news(connection, telling) if news else None
            return min(filter(None, (due, told)), default=None)

        return await self._writer.run(work)

    async def history(self, wanted: Filter) -> Sequence[Row]:
        """Give rows, the newest first."""
        return await self._writer.run(lambda connection: queries.history(connection, wanted))

    async def figures(self) -> Figures:
        """Count what is open."""
        return await self._writer.run(queries.figures)

    async def forget(self, before: datetime) -> int:
        """Drop rows that owe nothing and were finished before a time, in portions: others get their turn between."""
        dropped = portion = await self._writer.run(lambda connection: queries.forget(connection, before))
        while portion == queries.PORTION:
            portion = await self._writer.run(lambda connection: queries.forget(connection, before))
            dropped += portion
        return dropped

    async def probe(self) -> None:
        """Write something that leaves nothing behind; raises LedgerError where that is not possible."""
        await self._writer.run(self._prove)

    def faults(self) -> tuple[str, ...]:
        """Say what the last transaction failed of; nothing where it did not."""
        return (self._writer.fault,) if self._writer.fault else ()

    def _prove(self, connection: Connection) -> None:
        queries.prove(connection, Row(f"probe {self.holder.name}", "", "", self._clock.now()))

    def _is_gone(self, owner: str) -> bool:
        return is_gone(owner, self.holder)

    def _note(self, row: Row) -> None:
        """Remember whether a row is in our hand."""
        if row.is_open and row.owner == self.holder.name:
            self._held.add(row.id)
        else:
            self._held.discard(row.id)

    async def _beat(self) -> None:
        """Extend the lease of what is in our hand, for as long as we live."""
        while True:
            await self._clock.sleep(self.holder.lease / BEATS)
            with contextlib.suppress(LedgerError):  # told by faults(); the next beat tries again
                await self._extend()

    async def _extend(self) -> None:
        asked = frozenset(self._held)
        if asked:
            lease = self._clock.now() + timedelta(seconds=self.holder.lease)
            kept = await self._writer.run(lambda connection: queries.extend(connection, asked, self.holder, lease))
            self._held -= asked - set(kept)
