"""One handover as the ledger keeps it, and the steps that it can take: each a function from a row to the next one.

The states are the words of the bot-framework protocol for handovers. Beside its state a row says what is still owed to
its conversation (``duty``): a row that owes something is open, and a conversation has one open row at the most.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self

from router.ledger.journal import Journal
from router.model.call import ConversationRef
from router.model.masking import veiled
from router.model.outcome import Answer, Outcome
from router.model.value import Value

if TYPE_CHECKING:
    from datetime import datetime

    from router.ledger.ledger import Holder
    from router.ledger.news import News

SOON: Final = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds before each attempt at what is owed; the last stands for all that follow: it is tried until it is done."""

LOOKS: Final = (2.0, 10.0, 30.0, 60.0)
"""Seconds before each further look: a request without an answer may take effect long after we gave it up."""

FARTHEST: Final = timedelta(minutes=5)
"""Nothing is put off for so long, and no lease is so long: what says so was written by a clock that ran ahead."""


class State(StrEnum):
    """How far a handover has come. ``accepted``: the responder is attached; ``completed``: it was handed back."""

    INITIATED = "initiated"
    ACCEPTED = "accepted"
    FAILED = "failed"
    COMPLETED = "completed"


class Duty(StrEnum):
    """What is still owed to the conversation."""

    NONE = ""
    SETTLE = "settle"
    """A process has it in hand; if that process dies: find out how far it came, and leave one responder."""
    FINISH = "finish"
    """Nobody knows whether the responder was attached, and the model was told so: attach it unless it is there."""
    RESTORE = "restore"
    """It failed, and the agent's webhook is, or may be, gone, or a responder may turn up late: let the agent answer."""
    TIDY = "tidy"
    """The responder is attached, and a webhook is, or may turn up, that should not be there."""
    HAND_BACK = "hand_back"
    """The flow gives the conversation back: wait for its execution to end, then let the agent answer again."""


URGENT: Final = frozenset({Duty.SETTLE, Duty.FINISH, Duty.RESTORE})
"""The customer may be without a responder."""

_ACCEPTED: Final = {"state": State.ACCEPTED, "duty": Duty.TIDY, "attempts": 0, "looks": 0, "taken": None}
"""What is so of any row once its responder is attached."""

_CLOSED: Final = {"duty": Duty.NONE, "owed": None, "due": None, "attempts": 0, "looks": 0, "taken": None}
"""What is so of any row that owes nothing any more."""


@dataclass(frozen=True, slots=True)
class Way:
    """A hand-back that was asked for: ``since`` when, and which ``execution`` asked for it (``FN…`` or empty).

    It ``is_paved`` once the agent answers beside the flow, so that nobody is missing when the execution ends. ``runs``
    are executions, by flow and SID, that still ran when the flow was let go, and may put a webhook back when they end.
    """

    since: datetime
    execution: str = ""
    is_paved: bool = False
    runs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """The duty of another row that this one has taken over, to be given back if this one comes to nothing."""

    id: str
    duty: Duty


@dataclass(frozen=True)
class Row(Value):
    """A handover. Times are in UTC. ``identity`` is masked; ``key`` is what makes another call the same one.

    ``flow`` is the Flow SID; ``message`` what the model was told. ``token`` is a digest of the caller's idempotency
    token. ``success`` is what the model is to be told, or would have been, once the responder is attached. ``owner`` is
    the process that has it in hand until ``lease``; both are empty where nobody has. ``owed`` is since when it has its
    duty, ``due`` when that is done next, ``attempts`` how often it failed in a row, ``looks`` how often it was done.
    ``requests`` are Twilio's names of our requests. ``news`` is what plugins are still to be told in the background; it
    is owed to them and not to the conversation, so it keeps no row open.
    """

    id: str
    conversation: str
    service: str
    created: datetime
    tool: str = ""
    intent: str = ""
    flow: str = ""
    caller: str = ""
    identity: str = ""
    key: str = ""
    token: str = ""
    success: str = ""
    state: State = State.INITIATED
    outcome: str = ""
    reason: str = ""
    message: str = ""
    duty: Duty = Duty.NONE
    owed: datetime | None = None
    due: datetime | None = None
    attempts: int = 0
    looks: int = 0
    owner: str = ""
    lease: datetime | None = None
    journal: Journal = field(default_factory=Journal)
    taken: Taken | None = None
    way: Way | None = None
    requests: tuple[str, ...] = ()
    updated: datetime | None = None
    accepted: datetime | None = None
    finished: datetime | None = None
    news: tuple[News, ...] = ()

    @property
    def where(self) -> ConversationRef:
        """The conversation as the gateway wants it."""
        return ConversationRef(service=self.service, sid=self.conversation)

    @property
    def is_open(self) -> bool:
        """Something is owed to the conversation."""
        return bool(self.duty)

    @property
    def answer(self) -> Answer:
        """What the model was told; raises ValueError while nothing was."""
        return Answer(Outcome(self.outcome), self.message, self.id, self.tool, self.intent, self.flow, self.reason)

    @property
    def has_taken_over(self) -> bool:
        """The duty of another row is in its care."""
        return self.taken is not None and self.taken.id != self.id

    @property
    def asking(self) -> tuple[tuple[str, str], ...]:
        """The execution that asked for the way back, by each flow that it may be of: it names itself alone."""
        execution = self.way.execution if self.way else ""
        return tuple((flow, execution) for flow in (self.flow, *self.journal.replaced) if execution)

    @property
    def news_due(self) -> datetime | None:
        """When the next of its news is to be told."""
        return min((each.due for each in self.news if each.due is not None), default=None) if self.news else None

    @property
    def news_since(self) -> datetime | None:
        """Since when the oldest of its news waits to be told."""
        return min((each.since for each in self.news if each.due is not None), default=None) if self.news else None

    def is_held(self, now: datetime) -> bool:
        """Some process has it in hand."""
        return bool(self.owner) and self.lease is not None and self.lease > now

    def hold(self, holder: Holder, now: datetime, **changes: Any) -> Self:
        """A process takes it in hand, and what else ``changes`` by that."""
        lease = now + timedelta(seconds=holder.lease)
        return self.change(owner=holder.name, lease=lease, updated=now, **changes)

    def with_news(self, *news: News) -> Self:
        """Note what is to be told; what it has already is the same."""
        known = {(each.hook, each.plugin) for each in self.news}
        new = [each for each in news if (each.hook, each.plugin) not in known]
        return self.change(news=(*self.news, *new)) if new else self

    def told(self, answer: Answer, now: datetime, **changes: Any) -> Self:
        """The model was told ``answer``; nothing else happened yet but what ``changes``."""
        message, outcome = veiled(answer.message), str(answer.outcome)
        return self.change(outcome=outcome, message=message, reason=answer.detail, updated=now, **changes)

    def accept(self, answer: Answer, now: datetime, **changes: Any) -> Self:
        """The responder is attached, and what else ``changes`` by that; what is left is to tidy."""
        success = veiled(answer.message)
        return self.told(answer, now, **_ACCEPTED, **changes, success=success, accepted=now, owed=now, due=now)

    def fail(self, answer: Answer, now: datetime, duty: Duty = Duty.NONE) -> Self:
        """Nothing is attached, by a guard's word or by a failure; ``duty`` is what that leaves to do."""
        failed = self.told(answer, now, state=State.FAILED, way=None, finished=now)
        return failed.owe(duty, now) if duty else failed.close(now)

    def paved(self, now: datetime) -> Self:
        """The agent answers again, beside the flow that is about to end."""
        return self.change(way=self.way and dataclasses.replace(self.way, is_paved=True), updated=now)

    def complete(self, now: datetime, runs: tuple[tuple[str, str], ...] = ()) -> Self:
        """The agent answers again; what is left is to look whether a flow turns up once more."""
        way = self.way and dataclasses.replace(self.way, runs=runs)
        since = self.finished if self.state is State.COMPLETED else now
        return self.change(state=State.COMPLETED, reason="handed back", way=way, finished=since).look_again(now)

    def owe(self, duty: Duty, now: datetime) -> Self:
        """Something is left to do, at once, by whoever is free."""
        return self._free(now, duty=duty, owed=now, due=now, attempts=0, looks=0)

    def retry(self, now: datetime) -> Self:
        """An attempt failed: try again, a little later each time."""
        seconds = SOON[min(self.attempts + 1, len(SOON) - 1)]
        return self._free(now, due=now + timedelta(seconds=seconds), attempts=self.attempts + 1)

    def wait(self, now: datetime, seconds: float) -> Self:
        """What it waits for has not come yet."""
        return self._free(now, due=now + timedelta(seconds=seconds), attempts=0)

    def look_again(self, now: datetime) -> Self:
        """It was done: look once more later, as a precaution, and close after the last look."""
        if self.is_last_look or self._goes_back:
            return self.close(now)
        due = now + timedelta(seconds=LOOKS[self.looks])
        return self._free(now, due=due, attempts=0, looks=self.looks + 1)

    def tidied(self, now: datetime) -> Self:
        """All is as it should be; where a webhook may still turn up, it is looked at again."""
        return self.look_again(now) if self.journal.doubts else self.close(now)

    def released(self, now: datetime) -> Self:
        """The agent's webhooks were let go, or may not go yet; whether executions from before run is to be seen."""
        journal = self.journal
        if self._goes_back or not (journal.runs or journal.replaced or journal.is_asked_back):
            return self.tidied(now)
        return self.wait(now, 0)

    def outlived(self) -> Self:
        """No execution from before runs any more; what was done beside it may still take effect late."""
        is_unsure = self.journal.is_asked_back or self.journal.runs
        journal = self.journal.with_doubts(self.flow) if is_unsure else self.journal
        return self.change(journal=journal.change(runs=()))

    def watch(self, now: datetime, seconds: float, runs: tuple[tuple[str, str], ...]) -> Self:
        """All is as it should be for as long as ``runs`` go on: nothing is owed, but to look when one has ended."""
        if self._goes_back:
            return self.close(now)
        return self.wait(now, seconds).change(owed=now, journal=self.journal.change(runs=runs))

    def close(self, now: datetime) -> Self:
        """Nothing is owed any more; a hand-back that was asked for meanwhile comes next."""
        if self._goes_back:
            return self.owe(Duty.HAND_BACK, now)
        return self._free(now, **_CLOSED, finished=self.finished or now)

    @property
    def is_last_look(self) -> bool:
        """After this look there is none."""
        return self.looks == len(LOOKS)

    @property
    def _goes_back(self) -> bool:
        return self.way is not None and self.state is State.ACCEPTED and self.duty is not Duty.HAND_BACK

    def _free(self, now: datetime, **changes: Any) -> Self:
        return self.change(owner="", lease=None, updated=now, **changes)
