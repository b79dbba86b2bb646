"""What a handover still owes is brought to its end: one attempt at a time, as its row in the ledger says."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from router import runs
from router.case import STAYS, Case
from router.errors import NotAttached, TwilioError
from router.ledger.row import Duty, State
from router.model.outcome import Answer, Outcome
from router.model.tracing import REQUESTS
from router.record import handover_of, route_of
from router.swap.execute import Executor, SwapFailed
from router.swap.refusal import is_final
from router.swap.repair import Repair
from router.turns import tell

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from router.desk import Desk
    from router.ledger.journal import Journal
    from router.ledger.row import Row
    from router.model.execution import Executions
    from router.model.gateway import Gateway

    Change = Callable[[Row, datetime], Row]

Seen = TypeVar("Seen")

POLL: Final = 1.0
"""Seconds between two questions whether an execution has ended."""

SOON_OVER: Final = 0.3
"""The same for the first one: most flows give the conversation back with their last widget."""

OVERDUE: Final = 5.0
"""The same beside a new handover, for one that asked for the way back and goes on for longer than it should."""

WATCH: Final = 60.0
"""The same for an execution that goes on once the agent answers again, or beside a flow that took over from its own."""

UNSURE: Final = timedelta(hours=1)
"""So long that is done for an execution that may be another customer's."""

NOTHING: Final = "nothing was attached, and nothing is owed"


async def advance(row: Row, desk: Desk, studio: Executions) -> None:
    """Make one attempt at what ``row`` owes, which we have in hand, and keep what came of it; observers hear of a turn.

    Raises LedgerError.
    """
    REQUESTS.set(list(row.requests))
    studio = runs.OfTargets(studio, desk.targets)
    async with Case(row, desk) as case:
        cause: Exception = NotAttached(NOTHING)
        try:
            change = await _DUTIES[row.duty](case, studio)
        except (TwilioError, SwapFailed) as error:
            cause = error.cause if isinstance(error, SwapFailed) else error
            change = _lost(str(cause)) if is_final(cause) else _failed(str(cause))
            log, reason = desk.log.warning, str(cause)
        else:
            log, reason = desk.log.info, ""
            change = _recovered(change) if row.attempts else change
        turns = await case.change(change, row.duty, cause)
    log(
        "repair",
        handover=row.id,
        conversation=row.conversation,
        duty=row.duty,
        state=case.row.state,
        next=case.row.duty,
        reason=reason,
    )
    await tell(turns, desk)


async def _settle(case: Case, _studio: Executions) -> Change:
    """A process ended in the middle: see whether the flow was attached, else let the agent answer.

    A request of that process may still take effect, so the flow may turn up a second time.
    """
    found, there = await _seen(case, _repair(case).settle)
    if found:
        return lambda row, now: _accept(row.change(journal=row.journal.with_begun(found).with_doubts(row.flow)), now)

    def noted(row: Row) -> Journal:
        # What a late request leads elsewhere can be pointed back by those alone who know where it led.
        return row.journal.seen(row.journal.present or there)

    if await case.is_waited_for():
        # That must not wait until no late request need be feared any more: the other row looks for it.
        return lambda row, now: _nothing_came_of_it(row.change(journal=noted(row).with_doubts(row.flow)), now)
    end = _nothing_came_of_it if case.row.is_last_look else _look_again
    return lambda row, now: end(row.change(journal=noted(row)), now)


async def _finish(case: Case, _studio: Executions) -> Change:
    """Nobody knows whether the flow was attached, and the model was told so: attach it."""
    if found := await _seen(case, _repair(case).finish):
        return lambda row, now: _accept(row.change(journal=row.journal.with_begun(found)), now)
    return _look_for_it


async def _seen(case: Case, look: Callable[[], Awaitable[Seen]]) -> Seen:
    """Look for the responder; where the way back was asked for already, the agent answers first, whatever is seen.

    The flow hears of that after the look: it ends then, and its webhook goes with it.
    """
    way = case.row.way
    is_paved = way is not None and not way.is_paved and await _paving(case).pave()
    found = await look()
    if is_paved:
        await case.change(lambda row, now: row.paved(now))
    return found


async def _restore(case: Case, _studio: Executions) -> Change:
    """It failed, and its caller was told so: let the agent answer, and nobody whom a late request brings.

    That may be a request of a call that had taken this over and came to nothing. Where another handover stands, its
    responder may be the one in doubt.
    """
    doubts = case.row.journal.doubts
    is_unwanted = bool(doubts) and await case.agent_answers()
    await _repair(case).restore(late=[case.desk.target(flow) for flow in doubts] if is_unwanted else ())
    return _look_again


async def _tidy(case: Case, studio: Executions) -> Change:
    """Let the agent go, and look whether the flow alone answers.

    Executions from before may still run, and Studio may put their webhook back when they end. Where one has asked for
    the way back, the agent answers beside the flow for as long as it may take to end; if that takes the webhook along,
    or a late request for the way back does, it is attached again.
    """
    row, now = case.row, case.desk.clock.now()
    since, is_asked_back = row.accepted or row.created, row.journal.is_asked_back
    is_soon = now < since + timedelta(seconds=route_of(row, case.desk.routes).hand_back.within)
    if is_asked_back and is_soon and not row.looks:
        await _paving(case).pave()  # before Studio is asked, which may not answer
    left = await runs.older(row, studio)
    has_ended = not {sid for _, sid in row.journal.runs} <= {run.sid for run in left}
    if now > since + UNSURE:
        left = [run for run in left if run.address == row.conversation and run.flow != row.flow]
    names = tuple((run.flow, run.sid) for run in left)
    # What Studio says of an execution and what it does to its webhook may be a moment apart.
    beside = is_asked_back and is_soon and bool(names or has_ended)
    is_watching = bool(row.journal.runs or names) and not (is_asked_back or row.journal.doubts)
    if not await _repair(case).tidy(again=is_asked_back, beside=beside, leave=is_watching):
        return _failed(STAYS)
    if beside and not names:
        return lambda row, now: row.outlived().look_again(now)
    if names:
        pause = POLL if is_soon else OVERDUE if is_asked_back else WATCH
        return lambda row, now: row.watch(now, pause, names)
    return lambda row, now: row.outlived().tidied(now)


async def _hand_back(case: Case, studio: Executions) -> Change:
    """Let the agent answer beside the flow until its execution has ended, or long enough; then let the flow go.

    It is looked at again later: a flow may turn up once more.
    """
    row, way = case.row, case.row.way
    assert way is not None  # noqa: S101 - no row has this duty without a way
    is_back, terms = row.state is State.COMPLETED, route_of(row, case.desk.routes).hand_back
    if not (is_back or way.is_paved) and await _paving(case).pave():
        return lambda row, now: row.paved(now).wait(now, SOON_OVER)
    if is_back and way.runs:
        left = await runs.watched(way, studio)
    elif is_back:
        left = await runs.running(row, way, studio)  # it may not have been told when it was asked before
    else:
        left = await runs.running(row, way, studio)
        if left and case.desk.clock.now() < way.since + timedelta(seconds=terms.within):
            return lambda row, now: row.wait(now, POLL)
        left = (*left, *await runs.older(row, studio))
    if terms.end_execution:
        left = await runs.end(left, row, way, studio)
    await _repair(case).hand_back()
    if is_back and row.finished and case.desk.clock.now() > row.finished + UNSURE:
        left = [run for run in left if runs.is_surely_of(row, way, run)]
    if left:
        names = tuple((run.flow, run.sid) for run in left)
        return lambda row, now: row.complete(now, names).change(looks=0).wait(now, WATCH)
    return _look_again if is_back and not way.runs else _complete


_DUTIES: Final[Mapping[Duty, Callable[[Case, Executions], Awaitable[Change]]]] = {
    Duty.SETTLE: _settle,
    Duty.FINISH: _finish,
    Duty.RESTORE: _restore,
    Duty.TIDY: _tidy,
    Duty.HAND_BACK: _hand_back,
}


def _repair(case: Case) -> Repair:
    return _repair_by(case.desk.gateway_for(case.row, handover_of(case.row)), case)


def _paving(case: Case) -> Repair:
    """Repair the agent's webhooks alone: that needs no word of a target, which may be gone."""
    return _repair_by(case.desk.gateway, case)


def _repair_by(gateway: Gateway, case: Case) -> Repair:
    row, desk = case.row, case.desk
    journal = row.journal
    return Repair(
        Executor(gateway, row.where),
        desk.target(row.flow),
        desk.routes.agent_webhooks,
        removed=journal.removed,
        present=journal.present,
        doubts=journal.doubts,
        keep=case.note_removed,
    )


def _accept(row: Row, now: datetime) -> Row:
    accepted = row.accept(_answer(row, Outcome.HANDED_OVER, row.success), now)
    return accepted.close(now) if row.way else accepted.wait(now, 0)


def _nothing_came_of_it(row: Row, now: datetime) -> Row:
    answer, may_owe = _answer(row, Outcome.FAILED, row.message, NOTHING), row.journal.removed or row.journal.doubts
    return row.fail(answer, now, Duty.RESTORE if may_owe else Duty.NONE)


def _look_for_it(row: Row, now: datetime) -> Row:
    """Twilio said no, but the request that had no answer may still take effect."""
    return row.change(duty=Duty.SETTLE, looks=0).look_again(now)


def _complete(row: Row, now: datetime) -> Row:
    return row.complete(now)


def _look_again(row: Row, now: datetime) -> Row:
    return row.look_again(now)


def _failed(reason: str) -> Change:
    """Try again later, and show why that is necessary."""
    return lambda row, now: row.retry(now).change(reason=reason)


def _recovered(change: Change) -> Change:
    """Show no more why earlier attempts failed."""
    return lambda row, now: change(row.change(reason=""), now)


def _lost(reason: str) -> Change:
    """Close a row about a conversation in which nothing can ever be changed again."""

    def close(row: Row, now: datetime) -> Row:
        state = State.FAILED if row.state is State.INITIATED else row.state
        return row.change(state=state, reason=reason, way=None).close(now)

    return close


def _answer(row: Row, outcome: Outcome, message: str, detail: str = "") -> Answer:
    return Answer(outcome, message, row.id, row.tool, row.intent, row.flow, detail)
