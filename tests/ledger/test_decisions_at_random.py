"""Decisions in any order, by two processes that may fall silent: what holds after each of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from router.ledger.decisions import Admitted, Held, Recalled, TooMany, accept, admit, ask_back, give_up, go_on_later
from router.ledger.journal import Journal
from router.ledger.ledger import Holder
from router.ledger.row import Duty, Row, State, Way
from router.model.outcome import Answer, Outcome
from router.model.routes import Limits
from router.model.webhook import ScopedWebhook, WebhookSpec
from tests.ledger.kit import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Result = TypeVar("Result")

AGENT = ScopedWebhook("WH1", WebhookSpec("webhook", "https://agent.example/in"))
LIMITS = Limits(handovers_per_hour=5)
FLOWS = {key: "FW" + key * 32 for key in "ab"}

calls: Bundle[tuple[str, str]] = Bundle("calls")
"""Handovers that a process believes to have in hand: the row and the process."""


class Decisions(RuleBasedStateMachine):
    """One conversation. ``is_away`` is what Twilio would say: the agent's webhook was removed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.rows: dict[str, Row] = {}
        self.is_away = False

    def decide(self, decision: Callable[[Sequence[Row]], tuple[Result, Sequence[Row]]]) -> Result:
        """Keep what is decided, as a ledger does."""
        result, kept = decision(self.newest)
        self.rows |= {row.id: row for row in kept}
        return result

    @property
    def newest(self) -> list[Row]:
        return sorted(self.rows.values(), key=lambda row: (row.created, row.id), reverse=True)

    @rule(seconds=st.sampled_from([0.5, 11.0, 61.0, 3601.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(target=calls, holder=st.sampled_from("xy"), key=st.sampled_from("ab"), token=st.sampled_from(["", "t", "u"]))
    def call(self, holder: str, key: str, token: str) -> tuple[str, str]:
        """A call comes in, and is admitted, recalled, declined, or has to wait."""
        name = f"HO{len(self.rows):04}"
        wish = Row(name, "CH1", "IS1", self.now, key=key, token=token and token + key, flow=FLOWS[key])
        open_row = next((row for row in self.rows.values() if row.is_open), None)
        if open_row is not None and open_row.owner == holder and not open_row.is_held(self.now):
            return multiple()  # type: ignore[return-value]  # a process that lives extends its leases
        admission = self.decide(lambda rows: admit(rows, wish, LIMITS, Holder(holder), self.now))
        match admission:
            case Admitted(row):
                assert open_row is None or not open_row.is_held(self.now)
                assert (row.owner, row.key) == (holder, key)
                return row.id, holder
            case Recalled(row, certain):
                assert row.message
                assert row.key == key
                assert certain or (row.state is State.ACCEPTED and row.way is None)
            case Held():
                assert open_row is not None
                assert open_row.is_held(self.now)
            case TooMany():
                begun = [row for row in self.rows.values() if row.created > self.now - timedelta(hours=1)]
                assert len(begun) >= LIMITS.handovers_per_hour
        return multiple()  # type: ignore[return-value]  # hypothesis's word for none

    @rule(call=consumes(calls))
    def attach(self, call: tuple[str, str]) -> None:
        """The flow is attached; where that was kept as ours, the agent goes."""
        name, holder = call
        gone = () if self.is_away else (AGENT,)
        answer = Answer(Outcome.HANDED_OVER, "Done.", name, "/t")
        row = self.decide(
            lambda rows: accept(rows, name, Holder(holder), answer, lambda known: known.with_removed(*gone), self.now)
        )
        if row.owner == holder and row.state is State.ACCEPTED:
            self.is_away = True

    @rule(call=consumes(calls))
    def doubt(self, call: tuple[str, str]) -> None:
        """Nobody knows whether the flow was attached."""
        name, holder = call
        answer = Answer(Outcome.PENDING, "One moment.", name, "/t")
        self.decide(lambda rows: go_on_later(rows, name, Holder(holder), answer, Journal.with_doubts, self.now))

    @rule(call=consumes(calls), loses=st.booleans())
    def fail(self, call: tuple[str, str], loses: bool) -> None:
        """Nothing was attached; the agent's webhook may have gone on the way, if it was there and the row is ours."""
        name, holder = call
        lost = (AGENT,) if loses and not self.is_away and self.rows[name].owner == holder else ()
        answer = Answer(Outcome.FAILED, "It did not work.", name, "/t")
        self.decide(lambda rows: give_up(rows, name, Holder(holder), answer, lost, self.now))
        self.is_away = self.is_away or bool(lost)

    @rule()
    def ask_back(self) -> None:
        """The flow gives the conversation back."""
        found = self.decide(lambda rows: ask_back(rows, Way(self.now), self.now))
        assert found is None or isinstance(found, Held) or found.way is not None

    @rule(comes=st.booleans())
    def repair(self, comes: bool) -> None:
        """Somebody does what is owed, if nobody has it in hand; ``comes`` says whether the flow was attached."""
        row = next((row for row in self.rows.values() if row.is_open and not row.is_held(self.now)), None)
        if row is None:
            return
        match row.duty:
            case Duty.SETTLE | Duty.FINISH if comes:
                changed = row.accept(Answer(Outcome.HANDED_OVER, "Done.", row.id, "/t"), self.now).wait(self.now, 0)
            case Duty.SETTLE | Duty.FINISH:
                changed = row.fail(Answer(Outcome.FAILED, "", row.id, "/t"), self.now, Duty.RESTORE)
                self.is_away = self.is_away and AGENT not in row.journal.removed
            case Duty.RESTORE:
                changed = row.look_again(self.now)
                self.is_away = self.is_away and AGENT not in row.journal.removed
            case Duty.TIDY:
                changed = row.change(journal=row.journal.with_removed(AGENT)).tidied(self.now)
                self.is_away = True
            case _:
                is_back = row.state is State.COMPLETED
                changed = row.look_again(self.now) if is_back else row.complete(self.now)
                self.is_away = self.is_away and AGENT not in row.journal.removed
        self.rows[row.id] = changed

    @invariant()
    def one_row_is_open_at_most(self) -> None:
        assert sum(row.is_open for row in self.rows.values()) <= 1

    @invariant()
    def what_is_open_is_due_and_what_is_not_is_nobodys(self) -> None:
        for row in self.rows.values():
            assert (row.due is not None) is row.is_open

    @invariant()
    def who_is_away_is_known(self) -> None:
        """The row that has the conversation, or the last one that was accepted, says whose webhook must come back."""
        last = next((row for row in self.newest if row.is_open), None)
        last = last or next((row for row in self.newest if row.state is State.ACCEPTED), None)
        if self.is_away:
            assert last is not None
            assert AGENT in last.journal.removed


Decisions.TestCase.settings = settings(max_examples=400, stateful_step_count=40)
TestDecisions = Decisions.TestCase
