"""One handover in hand: its row in the ledger, step by step."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from router.errors import LedgerError, RowGone
from router.ledger.decisions import accept, give_up, go_on_later, look_who_answers, revise
from router.ledger.row import SOON, Duty
from router.model.masking import veiled
from router.model.tracing import REQUESTS
from router.turns import announce

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from router.desk import Desk
    from router.ledger.journal import Journal
    from router.ledger.row import Row
    from router.model.outcome import Answer
    from router.model.webhook import ScopedWebhook
    from router.swap.execute import SwapFailed
    from router.swap.swap import Attached
    from router.ticket import Ticket
    from router.turns import Decision, Turn

    Change = Callable[[Row, datetime], Row]

Result = TypeVar("Result")

STAYS: Final = "a webhook could not be removed that should be gone"
"""Why tidying is tried again; what Twilio answered stands in its own log, under the names in ``requests``."""

FRESH: Final = 2 / 3
"""While so much of its lease is left, as it was kept last, a row is ours without a look."""


@dataclass(slots=True)
class Case:
    """A row that we have in hand; ``row`` is as it was kept last. Each step raises LedgerError where it cannot be.

    For as long as a block runs it is in our hand; where the block breaks off the row is left to others, who find out
    how far it came.

    Steps give the handovers that turned by them, this one or one that it took over from, for the observers to hear of;
    none where another process has this row by now, and tells of it.
    """

    row: Row
    desk: Desk

    @property
    def is_ours(self) -> bool:
        """The row was still in our hand when it was kept last."""
        return self.row.owner == self.desk.ledger.holder.name

    @property
    def is_in_doubt(self) -> bool:
        """An earlier attempt at this very row may still take effect, so that a failure now makes nothing certain."""
        return self.row.taken is not None and not self.row.has_taken_over and bool(self.row.journal.doubts)

    @property
    def may_begin(self) -> bool:
        """A plugin's target may be begun: not while nobody knows what came of an earlier start of the same."""
        return self.row.flow not in self.row.journal.doubts

    @property
    def _may_be_lost(self) -> bool:
        """We were silent for a while since the row was kept last: we may have been so for a whole lease."""
        lease, fresh = self.row.lease, self.desk.ledger.holder.lease * FRESH
        return lease is None or (lease - self.desk.clock.now()).total_seconds() < fresh

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, asyncio.CancelledError):
            with suppress(LedgerError):
                await self._leave()
        elif error is not None:
            # We live on, so a row that were left in our hand would stay there for ever.
            await self.insist(partial(self.change, lambda row, now: row.retry(now) if row.is_open else row))

    async def _leave(self) -> None:
        await self.change(lambda row, now: row.wait(now, 0) if row.is_open else row)

    async def change(self, change: Change, duty: Duty | None = None, error: Exception | None = None) -> Sequence[Turn]:
        """Keep a changed row, where a ``duty`` is named only if it still owes that; ``error`` is why it failed, if so.

        Whoever asks again since a commit's answer was lost must not end what has begun since.
        """
        now, names = self.desk.clock.now(), tuple(REQUESTS.get() or ())
        row_id, holder = self.row.id, self.desk.ledger.holder

        def changed(row: Row) -> Row:
            if duty is not None and row.duty is not duty:
                return row
            return change(row, now).change(requests=names or row.requests)

        return await self._decide(lambda rows: revise(rows, row_id, holder, changed), error)

    async def is_waited_for(self) -> bool:
        """Say whether another handover waits until this one has ended: for its duty, or to go back in its place."""
        if self.row.has_taken_over or self.row.way is None:
            return self.row.has_taken_over
        return not await self.agent_answers()

    async def agent_answers(self) -> bool:
        """Say whether no handover stands, by all that is certain."""
        return await self.desk.ledger.decide(self.row.conversation, look_who_answers) is None

    async def note_removed(self, webhooks: Sequence[ScopedWebhook]) -> None:
        """Keep which webhooks go, before anything is written; only the agent's are ever to be put back.

        Raises LedgerError also where another process has taken the row over: then nothing may be written.
        """
        own, known = tuple(filter(self.desk.routes.agent_webhooks.own, webhooks)), self.row.journal
        is_news = bool(own) and known.with_removed(*own) != known
        if is_news or self._may_be_lost:
            holder = self.desk.ledger.holder
            await self.change(lambda row, now: row.hold(holder, now, journal=row.journal.with_removed(*own)))
        if not self.is_ours:
            raise LedgerError("another process has taken this handover over")

    async def note_wish(self, flow: str, success: str) -> None:
        """Keep where the guards send the conversation, and with which words."""
        success = veiled(success)
        if flow != self.row.flow or success != self.row.success:
            await self.change(lambda row, _now: row.change(flow=flow, success=success))

    async def accept(self, answer: Answer, attached: Attached, ticket: Ticket) -> Sequence[Turn]:
        """Tell that the responder is attached, once that is kept, with the agent's webhooks that go now."""
        doubts = (*((answer.flow,) if attached.doubtful else ()), *attached.may_return)
        noted = self._journal(attached.plan.removes, doubts)
        before, begun = attached.plan.replaces, (attached.responder,) if attached.responder else ()
        answered = tuple(webhook.spec.flow for webhook in attached.present if webhook.is_responder)

        def note(journal: Journal) -> Journal:
            return noted(journal).with_replaced(*before).with_begun(*begun)

        return await self._conclude(accept, answer, ticket, journal=note, answered=answered)

    async def go_on_later(self, answer: Answer, failed: SwapFailed, ticket: Ticket) -> None:
        """Tell that nobody knows yet whether the responder is attached."""
        journal = self._journal(failed.removed, (answer.flow,), failed.present)
        await self._conclude(go_on_later, answer, ticket, journal=journal)

    async def fail(
        self, answer: Answer, ticket: Ticket, lost: Sequence[ScopedWebhook] = (), error: Exception | None = None
    ) -> Sequence[Turn]:
        """Tell that nothing is attached, and keep which of the agent's webhooks must be put back.

        Observers hear of it where an ``error`` was why, and not a guard's word or a call that never began.
        """
        return await self._conclude(give_up, answer, ticket, error, lost=tuple(lost))

    async def let_go(self, release: Callable[[], Awaitable[Sequence[ScopedWebhook]]]) -> None:
        """Remove the agent's webhooks, and keep whether something is owed; not where another process took over.

        Where the way back is, or was just now, asked for, whoever makes the rounds decides when the agent may go.
        """
        if self.is_ours:
            owed = () if self.row.way or self.row.journal.is_asked_back else await release()
            step: Change = _stays if owed else (lambda row, now: row.released(now))
            await self.insist(partial(self.change, step, Duty.TIDY))

    async def insist(
        self, step: Callable[[], Awaitable[Result]], meanwhile: Callable[[], None] | None = None
    ) -> Result:
        """Take a step, however long the ledger takes to work again; do something else as soon as it does not."""
        attempts = 0
        while True:
            try:
                return await step()
            except LedgerError as error:
                if meanwhile:
                    meanwhile()
                self.desk.log.error("unrecorded", handover=self.row.id, reason=str(error))
                attempts += 1
                await self.desk.clock.sleep(SOON[min(attempts, len(SOON) - 1)])

    async def _conclude(
        self,
        decide: Callable[..., tuple[Row, Sequence[Row]]],
        answer: Answer,
        ticket: Ticket,
        error: Exception | None = None,
        **given: Any,
    ) -> Sequence[Turn]:
        """Keep how it ended, and tell: the truth does not wait for a ledger that does not work."""
        now, row_id, holder = self.desk.clock.now(), self.row.id, self.desk.ledger.holder

        def decision(rows: Sequence[Row]) -> tuple[Row, Sequence[Row]]:
            return decide(rows, row_id, holder, answer, now=now, **given)

        turns = await self.insist(lambda: self._decide(decision, error), meanwhile=lambda: ticket.tell(answer))
        ticket.tell(answer)
        return turns

    def _journal(
        self, removed: Sequence[ScopedWebhook], doubts: Sequence[str] = (), present: Sequence[ScopedWebhook] = ()
    ) -> Callable[[Journal], Journal]:
        own = tuple(filter(self.desk.routes.agent_webhooks.own, removed))
        return lambda journal: journal.seen(tuple(present)).with_removed(*own).with_doubts(*doubts)

    async def _decide(self, decision: Decision, error: Exception | None = None) -> Sequence[Turn]:
        """Keep what is decided, and in the same breath what plugins are to be told of it in the background."""
        before, desk, now = self.row, self.desk, self.desk.clock.now()

        def announcing(rows: Sequence[Row]) -> tuple[tuple[Row, Sequence[Turn]], Sequence[Row]]:
            return announce(decision, rows, before=before, error=error, desk=desk, now=now)

        try:
            self.row, turns = await desk.ledger.decide(before.conversation, announcing)
        except RowGone as gone:
            self.desk.log.error("unrecorded", handover=self.row.id, reason=str(gone))
            (row, turns), _ = announcing((self.row,))
            self.row = row.close(self.desk.clock.now())
        if (self.row.is_open and not self.row.owner) or any(turn.row.news for turn in turns):
            self.desk.owed.set()
        return turns


def _stays(row: Row, now: datetime) -> Row:
    return row.retry(now).change(reason=STAYS)
