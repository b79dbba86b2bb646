"""What is decided about a conversation from the rows that it has: pure functions, for ``Ledger.decide``.

Each gives its result and the rows to keep. Rows come the newest first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from router.errors import RowGone
from router.ledger.journal import Journal
from router.ledger.row import Duty, Row, State, Taken
from router.model.outcome import Outcome
from router.model.sids import is_sid

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from datetime import datetime

    from router.ledger.ledger import Holder
    from router.ledger.row import Way
    from router.model.outcome import Answer
    from router.model.routes import Limits
    from router.model.webhook import ScopedWebhook

    Note = Callable[[Journal], Journal]

HOUR: Final = timedelta(hours=1)
SAME_REQUEST: Final = timedelta(hours=1)
"""So long the same idempotency token means the same request."""

APART: Final = timedelta(seconds=10)
"""So far apart, at the most, are the clocks of those who share a ledger: what ends later has ended by a wrong one."""

_BLANK: Final = Journal()
"""The journal of a conversation's first handover."""

_COUNTED: Final = frozenset({Outcome.HANDED_OVER, Outcome.PENDING, ""})
"""Outcomes that count for the loop guard: something was, or may have been, handed over."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """The call has a row of its own, in our hand: it may begin."""

    row: Row


@dataclass(frozen=True, slots=True)
class Recalled:
    """The call was made before. Where it is not ``certain``, Twilio must be asked whether the answer is still true."""

    row: Row
    certain: bool


@dataclass(frozen=True, slots=True)
class Held:
    """Somebody has the conversation in hand: wait."""


@dataclass(frozen=True, slots=True)
class TooMany:
    """The conversation was handed over too often in the last hour."""


Admission = Admitted | Recalled | Held | TooMany


def admit(
    rows: Sequence[Row], wish: Row, limits: Limits, holder: Holder, now: datetime, *, doubted: str = ""
) -> tuple[Admission, Sequence[Row]]:
    """Decide about a call: ``wish`` is the row that it would have, created when it came.

    A row that is open and in nobody's hand is taken over with what it owes; one that asked for the same, and whose
    process died before anybody was told anything, is gone on with. ``doubted`` is a row that was recalled and turned
    out to be true no more.
    """
    left = _open(rows)
    earlier = _repeated(rows, wish, limits, now)
    if earlier is not None and earlier.row.id != doubted and (earlier.certain or left in (None, earlier.row)):
        return earlier, ()
    if left is not None and (left.is_held(now) or left.owner == holder.name):
        return Held(), ()  # what we have in hand stays there, also where the ledger was away for longer than a lease
    if left is not None and left.state is State.INITIATED and left.key == wish.key:
        return _gone_on_with(left, wish.created, holder, now)
    counted = sum(row.created > now - HOUR and row.outcome in _COUNTED for row in rows)
    if counted >= limits.handovers_per_hour:
        return TooMany(), ()
    # Calls may be admitted in another order than they came in, and machines' clocks differ: rows follow our decisions.
    created = max(now, rows[0].created + timedelta(microseconds=1)) if rows else now
    journal = _inherited(rows, wish.flow)
    row = wish.hold(holder, now, duty=Duty.SETTLE, created=created, owed=now, due=now, journal=journal)
    if left is None:
        return Admitted(row), (row,)
    row = row.change(taken=Taken(left.id, left.duty))
    # Whoever had it in hand, and only fell silent, must not end it any more: it has no owner now.
    left = left.change(duty=Duty.NONE, owed=None, due=None, owner="", lease=None, updated=now)
    return Admitted(row), (left, row)


def _gone_on_with(left: Row, called: datetime, holder: Holder, now: datetime) -> tuple[Admission, Sequence[Row]]:
    """Go on with a row whose process died before anybody was told; what is confirmed in a moment is told so again.

    A request of the dead process may still take effect, so the flow may turn up a second time.
    """
    if left.duty is Duty.FINISH:
        return Recalled(left, certain=True), ()
    taken = left.taken if left.has_taken_over else Taken(left.id, left.duty)
    journal = _with_asked(left.journal.with_doubts(left.flow), left)
    way = left.way if left.way and left.way.since > called else None  # of the two wishes the newer one counts
    row = left.hold(holder, now, taken=taken, way=way, due=now, attempts=0, journal=journal)
    return Admitted(row), (row,)


def revise(
    rows: Sequence[Row], row_id: str, holder: Holder, change: Callable[[Row], Row], answered: Collection[str] = ()
) -> tuple[Row, Sequence[Row]]:
    """Change a row that we have in hand; one that another process took over meanwhile is given as it is.

    A duty that it had taken over is done with where it is accepted by this, and goes back where it comes to nothing;
    a hand-back that was asked of it is asked of what answers then. ``answered`` are flows that were seen attached.
    """
    row = _named(rows, row_id)
    if row.owner != holder.name:
        return row, ()
    changed = change(row)
    now = changed.updated or row.created
    if changed.state is not State.FAILED:
        over = _all_taken(rows, row) if row.taken and changed.state is State.ACCEPTED else ()
        return changed, (changed, *(_superseded(left, row, now, answered) for left in over))
    kept: Sequence[Row] = (changed,)
    if row.taken and (left := _taken(rows, row)):
        kept = _given_back(changed, left, row.taken.duty, now)
    if row.way is not None:
        kept = _with_changes(kept, ask_back(_with_changes(rows, kept), row.way, now)[1])
    return _named(kept, row_id), kept


def accept(
    rows: Sequence[Row],
    row_id: str,
    holder: Holder,
    answer: Answer,
    journal: Note,
    now: datetime,
    answered: Collection[str] = (),
) -> tuple[Row, Sequence[Row]]:
    """Keep that the responder is attached; what it took over from another handover is done with by that.

    ``answered`` are the flows that were attached before: how that one ended, if nobody could keep it.
    """

    def accepted(row: Row) -> Row:
        return row.accept(answer, now, journal=journal(row.journal))

    return revise(rows, row_id, holder, _once(accepted), answered)


def go_on_later(
    rows: Sequence[Row], row_id: str, holder: Holder, answer: Answer, journal: Note, now: datetime
) -> tuple[Row, Sequence[Row]]:
    """Keep that nobody knows whether the responder was attached, and that the model was told so."""

    def later(row: Row) -> Row:
        return row.told(answer, now, journal=journal(row.journal)).owe(Duty.FINISH, now)

    return revise(rows, row_id, holder, _once(later))


def give_up(
    rows: Sequence[Row], row_id: str, holder: Holder, answer: Answer, lost: Sequence[ScopedWebhook], now: datetime
) -> tuple[Row, Sequence[Row]]:
    """Fail a row that we have in hand; the agent's webhooks that are ``lost`` must be put back.

    A duty that it had taken over goes back to the row that had it.
    """

    def failed(row: Row) -> Row:
        noted = row.change(journal=row.journal.with_removed(*lost))
        return noted.fail(answer, now, Duty.RESTORE if lost or row.taken else Duty.NONE)

    return revise(rows, row_id, holder, _once(failed))


def _once(end: Callable[[Row], Row]) -> Callable[[Row], Row]:
    """Let a call end its handover once: where a commit was kept and its answer lost, all may have gone on since."""
    return lambda row: end(row) if row.duty is Duty.SETTLE else row


def ask_back(rows: Sequence[Row], way: Way, now: datetime) -> tuple[Row | Held | None, Sequence[Row]]:
    """Ask that the conversation go back to the agent: the row that will see to it; None where nothing was handed over.

    One that is on its way back already, or has come back, is given as it is; but which execution asks for it is noted.
    """
    left = _open(rows)
    answering = _newest_done(rows)
    if left is not None and left.state is State.INITIATED:
        if answering is not None and answering.state is State.ACCEPTED and left.is_held(now):
            return Held(), ()
        # Whether it came about, only Twilio can tell. If not, what answers now is asked in its place (see ``revise``).
        answering = left
    row = next((each for each in rows if _was_asked_by(each, way)), answering)
    if row is None or row.state is State.COMPLETED:
        return row, ()
    if row.way is not None and left is not None:
        row = row.change(way=replace(row.way, execution=row.way.execution or way.execution))
        return row, (row,)
    row = row.change(way=way)
    if left is None or left.id == row.id:
        if left is None:
            row = row.owe(Duty.HAND_BACK, now)
        elif not row.is_held(now):
            row = row.close(now) if row.duty is Duty.TIDY else row.change(due=now)
        return row, (row,)
    if left.is_held(now):
        return Held(), ()
    journal = row.journal.with_removed(*left.journal.removed).with_doubts(*left.journal.doubts)
    row = row.change(journal=journal).owe(Duty.HAND_BACK, now)
    return row, (left.close(now), row)


def look_who_answers(rows: Sequence[Row]) -> tuple[Row | None, Sequence[Row]]:
    """Find the handover whose responder answers, by all that is certain; None where the agent does. Changes nothing."""
    newest = _newest_done(rows)
    return (newest if newest is not None and newest.state is State.ACCEPTED else None), ()


def _open(rows: Sequence[Row]) -> Row | None:
    """Find the row that owes something: there is one at the most."""
    for row in rows:
        if row.is_open:
            return row
    return None


def _newest_done(rows: Sequence[Row]) -> Row | None:
    """Find the newest handover that came about, whether it was handed back since or not."""
    for row in rows:
        if row.state in (State.ACCEPTED, State.COMPLETED):
            return row
    return None


def _was_asked_by(row: Row, way: Way) -> bool:
    """Say whether this very execution has given the conversation back before: its request came once more, and late."""
    asked = row.way.execution if row.way and row.state is State.COMPLETED else ""
    return bool(asked) and asked == way.execution


def _repeated(rows: Sequence[Row], wish: Row, limits: Limits, now: datetime) -> Recalled | None:
    """Find the same call: by its token, or by what it asks for within the window.

    One that came to its end after this call came was under way then: its answer is this call's answer. But not one that
    ends in the future, by a clock that ran ahead and was set right: what is true of it now, only Twilio can tell. That
    machines' clocks differ is allowed for where its answer is true in any case.
    """
    newest = _newest_done(rows)
    for row in rows:
        if not row.message:
            continue
        if row.token and row.token == wish.token and row.created > now - SAME_REQUEST:
            return Recalled(row, certain=True) if row.state is not State.INITIATED else None
        ended = row.accepted or row.finished
        if row.key != wish.key or ended is None or row.state is State.INITIATED:
            continue
        stands = row is newest and row.state is State.ACCEPTED and row.way is None
        latest = now + APART if stands or row.state is State.FAILED else now
        if wish.created <= ended <= latest:
            return Recalled(row, certain=True)
        if stands and ended > now - timedelta(seconds=limits.repeat_window):
            return Recalled(row, certain=False)
    return None


def _inherited(rows: Sequence[Row], flow: str) -> Journal:
    """Give what the next handover, to ``flow``, must know.

    Whose webhooks are away, which flows may still turn up, and which answered before it and may have executions.
    """
    journal = _BLANK
    for row in rows:
        if row.is_open:
            # Studio may put a webhook back; nobody begins a plugin's target once more.
            may_return = is_sid("FW", row.flow) and (row.duty is Duty.HAND_BACK or row.journal.runs)
            unsure = row.state is State.INITIATED or may_return
            journal = journal.with_doubts(*row.journal.doubts, *([row.flow] if unsure else []))
            if row.duty is Duty.HAND_BACK and not is_sid("FW", row.flow) and is_sid("FW", flow):
                journal = journal.with_doubts(flow)  # the agent's webhook, put back for a target, may turn up late
            has_returned = journal.has_returned or _returns(row, flow)
            journal = _with_asked(journal, row).change(has_returned=has_returned)
        if row.is_open or row.state is State.ACCEPTED:
            before = (each for each in (row.flow, *row.journal.replaced) if each != flow)
            journal = journal.with_removed(*row.journal.removed).with_replaced(*before)
            begun = tuple(dict.fromkeys((*row.journal.begun, *journal.begun)))
            journal = journal.change(since=row.journal.since or row.created, begun=begun)
        if row.state in (State.ACCEPTED, State.COMPLETED):
            break
    return journal


def _with_asked(journal: Journal, row: Row) -> Journal:
    """Note what may go on of a handover that was on its way back, or is back and looked at again."""
    way, is_back = row.way, row.state is State.COMPLETED
    asked = (*row.journal.runs, *(way.runs if way else ()), *(() if is_back else row.asking))
    goes_on = way is not None and (bool(way.runs) or not is_back)
    is_asked_back = journal.is_asked_back or row.journal.is_asked_back or goes_on
    return journal.change(runs=tuple(dict.fromkeys((*journal.runs, *asked))), is_asked_back=is_asked_back)


def _returns(row: Row, flow: str) -> bool:
    """Say whether ``flow`` answered before a plugin's target did, which removed its webhook."""
    before = row.journal.replaced
    return flow in before and not all(is_sid("FW", each) for each in (row.flow, *before))


def _superseded(left: Row, row: Row, now: datetime, answered: Collection[str]) -> Row:
    """Close the handover whose duty ``row`` has taken over; one that nobody knew the end of, and nobody saw, failed."""
    if left.state is State.INITIATED:
        came_about = {"state": State.ACCEPTED, "accepted": left.updated} if left.flow in answered else {}
        left = left.change(reason=f"superseded by {row.id}", **came_about or {"state": State.FAILED})
    return left.change(way=None).close(now)


def _taken(rows: Sequence[Row], row: Row) -> Row | None:
    """Find the other row whose duty ``row`` has taken over."""
    if row.taken is None or row.taken.id == row.id:
        return None
    return next((other for other in rows if other.id == row.taken.id), None)


def _all_taken(rows: Sequence[Row], row: Row) -> Iterator[Row]:
    """Find it, and the one whose duty that had taken over, and so on."""
    while left := _taken(rows, row):
        yield left
        row = left


def _given_back(failed: Row, left: Row, duty: Duty, now: datetime) -> Sequence[Row]:
    """Give the ``duty`` that ``failed`` has taken over back to ``left``, with what was learnt since."""
    journal = left.journal.with_removed(*failed.journal.removed).with_doubts(*failed.journal.doubts)
    # What was there before the first of them is what is to stand.
    journal = journal.seen(journal.present or failed.journal.present)
    return failed.close(now), left.change(journal=journal).owe(duty, now)


def _with_changes(rows: Sequence[Row], changed: Sequence[Row]) -> Sequence[Row]:
    """Give ``rows`` as they are with ``changed`` in place of those of the same ids, and what is new at the end."""
    by_id = {row.id: row for row in changed}
    known = {row.id for row in rows}
    return (*(by_id.get(row.id, row) for row in rows), *(row for row in changed if row.id not in known))


def _named(rows: Sequence[Row], row_id: str) -> Row:
    """Find a row that must be there; raises RowGone where it is not."""
    for row in rows:
        if row.id == row_id:
            return row
    raise RowGone(f"the row of {row_id} is not in the ledger any more")
