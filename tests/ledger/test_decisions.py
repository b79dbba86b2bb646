"""What is decided about a conversation, case by case."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from router.errors import RowGone
from router.ledger.decisions import (
    Admission,
    Admitted,
    Held,
    Recalled,
    TooMany,
    accept,
    admit,
    ask_back,
    give_up,
    go_on_later,
    look_who_answers,
    revise,
)
from router.ledger.journal import Journal
from router.ledger.ledger import Holder
from router.ledger.row import Duty, Row, State, Taken, Way
from router.model.outcome import Answer, Outcome
from router.model.routes import Limits
from router.model.webhook import ScopedWebhook, WebhookSpec
from tests.ledger.kit import NOW, after

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

US, THEM = Holder("us"), Holder("them")
LIMITS = Limits()
REFUNDS, BILLING = "FW" + "1" * 32, "FW" + "2" * 32
AGENT = ScopedWebhook("WH1", WebhookSpec("webhook", "https://agent.example/in"))
OTHER_AGENT = ScopedWebhook("WH2", WebhookSpec("webhook", "https://agent.example/other"))
DONE = Answer(Outcome.HANDED_OVER, "Done.", "HO", "/t", flow=REFUNDS)
PENDING = replace(DONE, outcome=Outcome.PENDING, message="One moment.")
FAILED = replace(DONE, outcome=Outcome.FAILED, message="It did not work.")


def unchanged(journal: Journal) -> Journal:
    return journal


def row(number: int, created: float = 0, **fields: Any) -> Row:
    """A row of one conversation, for the call of a tool that leads to the refunds."""
    given = {"tool": "/t", "flow": REFUNDS, "key": "refunds", **fields}
    return Row(f"HO{number}", "CH1", "IS1", after(created), **given)


def begun(number: int, created: float = 0, holder: Holder = US, **fields: Any) -> Row:
    """One that a process has in hand."""
    return row(number, created, **{"duty": Duty.SETTLE, "due": after(created), **fields}).hold(holder, after(created))


def accepted(number: int, created: float = 0, **fields: Any) -> Row:
    """One whose flow is attached, with nothing owed."""
    return row(number, created, **fields).accept(DONE, after(created)).close(after(created))


def failed(number: int, created: float = 0, duty: Duty = Duty.NONE, **fields: Any) -> Row:
    return row(number, created, **fields).fail(FAILED, after(created), duty)


def pending(number: int, created: float = 0, **fields: Any) -> Row:
    """One of which nobody knows whether its flow was attached, and whose caller was told so."""
    return row(number, created, **fields).told(PENDING, after(created)).owe(Duty.FINISH, after(created))


def completed(number: int, created: float = 0, **fields: Any) -> Row:
    """One that came back, and is looked at again."""
    back = accepted(number, created, way=Way(after(created)), **fields)
    return back.change(duty=Duty.HAND_BACK).complete(after(created))


def ask(
    rows: Sequence[Row], wish: Row, at: float | None = None, limits: Limits = LIMITS, doubted: str = ""
) -> tuple[Admission, Sequence[Row]]:
    now: datetime = wish.created if at is None else after(at)
    newest = sorted(rows, key=lambda each: each.created, reverse=True)
    return admit(newest, wish, limits, US, now, doubted=doubted)


def admitted(rows: Sequence[Row], wish: Row, limits: Limits = LIMITS) -> tuple[Row, Sequence[Row]]:
    """Ask for what must be admitted: the row in hand, and all that is kept."""
    admission, kept = ask(rows, wish, limits=limits)
    assert isinstance(admission, Admitted)
    assert admission.row in kept
    assert (admission.row.owner, admission.row.is_open) == ("us", True)
    return admission.row, kept


def recalled(rows: Sequence[Row], wish: Row, at: float | None = None) -> tuple[str, bool]:
    admission, kept = ask(rows, wish, at)
    assert isinstance(admission, Recalled)
    assert kept == ()
    return admission.row.id, admission.certain


# Admission


def test_a_first_call_has_a_row_of_its_own() -> None:
    """It is in our hand before anything is changed at Twilio."""
    mine, kept = admitted([], row(1))
    assert kept == (mine,)
    assert (mine.id, mine.duty, mine.state, mine.due, mine.taken) == ("HO1", Duty.SETTLE, State.INITIATED, NOW, None)
    assert mine.journal == Journal()


@pytest.mark.parametrize("key", ["refunds", "billing"])
def test_a_conversation_that_is_in_hand_is_waited_for(key: str) -> None:
    """Whoever asks for whatever: one at a time."""
    assert ask([begun(1, holder=THEM)], row(2, 5, key=key)) == (Held(), ())


@pytest.mark.parametrize("at", [10, 60])
def test_a_conversation_whose_process_died_is_taken_over(at: float) -> None:
    """Its lease is over: the call goes on, and what was owed passes to it."""
    mine, kept = admitted([begun(1, holder=THEM)], row(2, at, key="billing"))
    assert mine.taken == Taken("HO1", Duty.SETTLE)
    (left, _mine) = kept
    assert (left.owner, left.lease) == ("", None)
    assert (left.id, left.duty, left.due, left.state) == ("HO1", Duty.NONE, None, State.INITIATED)


def test_the_same_call_goes_on_with_the_row_of_a_process_that_died() -> None:
    """Nobody was told anything, so it is the same handover under the same name."""
    mine, kept = admitted([begun(1, holder=THEM, attempts=3, journal=Journal(removed=(AGENT,)))], row(2, 20))
    assert (mine.id, mine.taken, mine.due, mine.attempts) == ("HO1", Taken("HO1", Duty.SETTLE), after(20), 0)
    assert mine.journal.removed == (AGENT,)
    assert kept == (mine,)


def test_the_same_call_remembers_which_execution_asked_back() -> None:
    """Its wish is older than the call, but when it ends it may take the webhook along."""
    mine, _kept = admitted([begun(1, holder=THEM, way=Way(NOW, "FN1"))], row(2, 20))
    assert (mine.id, mine.way, mine.journal.runs, mine.journal.is_asked_back) == (
        "HO1",
        None,
        ((REFUNDS, "FN1"),),
        True,
    )


def test_the_same_call_goes_on_its_way_back_where_that_was_asked_for_since() -> None:
    """It came before, and has waited for the row: of the two wishes the newer one counts."""
    way = Way(after(30), "FN1")
    admission, _kept = ask([begun(1, holder=THEM, way=way)], row(2, 20), at=40)
    assert isinstance(admission, Admitted)
    assert (admission.row.id, admission.row.way) == ("HO1", way)


def test_the_same_call_while_nothing_is_confirmed_is_told_so_again() -> None:
    """The model was told ``pending``, which is true until the rounds have found out."""
    assert recalled([pending(1)], row(2, 5)) == ("HO1", True)


def test_another_call_takes_over_what_was_not_confirmed() -> None:
    """What may still be attached late is a doubt of the new handover."""
    mine, _kept = admitted([pending(1, key="billing", flow=BILLING)], row(2, 5))
    assert (mine.taken, mine.journal.doubts) == (Taken("HO1", Duty.FINISH), (BILLING,))


# The same call


def test_a_call_within_the_window_is_the_same_if_it_is_still_true() -> None:
    """A flow may have ended since, so Twilio is asked before the sentence is told again."""
    assert recalled([accepted(1)], row(2, 59)) == ("HO1", False)


def test_a_call_after_the_window_is_another_one() -> None:
    """The window counts from when the flow was attached."""
    assert admitted([accepted(1)], row(2, 60))[0].id == "HO2"
    slow = row(1).accept(DONE, after(30)).close(after(30))
    assert recalled([slow], row(2, 89)) == ("HO1", False)


def test_a_route_may_have_no_window() -> None:
    """With a window of nothing each later call is another one."""
    assert admitted([accepted(1)], row(2, 1), Limits(repeat_window=0))[0].id == "HO2"


def test_what_turned_out_to_be_true_no_more_is_another_call() -> None:
    """A row that Twilio contradicted is passed over."""
    admission, _kept = ask([accepted(1)], row(2, 5), doubted="HO1")
    assert isinstance(admission, Admitted)


@pytest.mark.parametrize("end", [accepted(1), failed(1), completed(1)], ids=["accepted", "failed", "completed"])
def test_a_call_that_came_while_the_same_was_under_way_gets_its_answer(end: Row) -> None:
    """It came before that one ended, waited, and hears the same sentence, whichever that is."""
    wish = row(2, -0.5)
    assert recalled([end], wish, at=1) == ("HO1", True)


@pytest.mark.parametrize("end", [failed(1, 3600), completed(1, 3600)], ids=["failed", "completed"])
def test_what_ended_by_a_clock_that_ran_ahead_answers_nobody(end: Row) -> None:
    """An hour fast, and set right since: each call of that hour would hear what came of an earlier one, and wrongly."""
    assert admitted([end], row(2, 1))[0].id == "HO2"


def test_what_was_attached_by_a_clock_that_ran_ahead_is_asked_after() -> None:
    """Whether its flow is still there only Twilio can tell; a few seconds are what machines' clocks differ by."""
    assert recalled([accepted(1, 3600)], row(2, 1)) == ("HO1", False)
    assert recalled([accepted(1, 5)], row(2, 1)) == ("HO1", True)


def test_where_clocks_differ_by_seconds_only_what_still_stands_is_told() -> None:
    """Another handover followed, or it came back: that it was under way when this call came is not certain then."""
    assert admitted([completed(1, 5)], row(2, 1))[0].id == "HO2"
    assert admitted([accepted(1, 5), accepted(2, 6, key="billing", flow=BILLING)], row(3, 1))[0].id == "HO3"
    assert recalled([failed(1, 5)], row(2, 1)) == ("HO1", True)


def test_a_failure_is_no_answer_to_a_later_call() -> None:
    """The model was offered another try."""
    assert admitted([failed(1)], row(2, 1))[0].id == "HO2"


def test_another_call_is_not_the_same() -> None:
    """Another tool, intent or flow has another key."""
    assert admitted([accepted(1)], row(2, 1, key="billing"))[0].id == "HO2"


def test_a_flow_that_another_handover_followed_is_not_recalled() -> None:
    """Only the newest handover can still be true."""
    rows = [accepted(1), accepted(2, 1, key="billing", flow=BILLING)]
    assert admitted(rows, row(3, 5))[0].id == "HO3"


@pytest.mark.parametrize("end", [accepted(1, way=Way(NOW)), completed(1)], ids=["on its way", "back"])
def test_after_a_hand_back_a_call_is_another_one(end: Row) -> None:
    """The customer was given back, and wants to be handed over again."""
    assert admitted([end], row(2, 5))[0].id == "HO2"


@pytest.mark.parametrize("end", [accepted(1, token="t"), failed(1, token="t"), completed(1, token="t")])
def test_a_request_that_is_repeated_gets_its_answer(end: Row) -> None:
    """The caller's token says that it is the very same request, whatever became of it since, for an hour."""
    assert recalled([end], row(2, 3599, token="t")) == ("HO1", True)
    assert admitted([end], row(2, 3600, token="t"))[0].id == "HO2"
    assert admitted([end], row(2, 90, token="u"))[0].id == "HO2"


def test_a_token_of_a_request_that_is_under_way_waits() -> None:
    """Nobody was told anything definite yet."""
    assert ask([begun(1, token="t", message="One moment.")], row(2, 1, token="t"))[0] == Held()


# The loop guard


def test_too_many_handovers_in_an_hour_are_declined() -> None:
    """Those that came about, and those of which nobody knows, count; an hour later they do not."""
    rows = [accepted(1, 0, key="a"), accepted(2, 1, key="b")]
    limits = Limits(handovers_per_hour=2)
    assert ask(rows, row(3, 3599), limits=limits) == (TooMany(), ())
    assert admitted(rows, row(3, 3600), limits)[0].id == "HO3"
    assert ask([*rows[:1], pending(2, 1, key="b")], row(3, 5), limits=limits) == (TooMany(), ())


def test_what_came_to_nothing_does_not_count() -> None:
    """Failures, refusals, and calls that found the flow there already are no to and fro."""
    found = row(2, 1, key="b").accept(replace(DONE, outcome=Outcome.ALREADY_HANDED_OVER), after(1)).close(after(1))
    refused = row(3, 2, key="c").fail(replace(FAILED, outcome=Outcome.DECLINED), after(2))
    assert admitted([failed(1, key="a"), found, refused], row(4, 5), Limits(handovers_per_hour=1))[0].id == "HO4"


def test_going_on_is_no_further_handover() -> None:
    """The row of a process that died is gone on with also where it was the last that is allowed."""
    assert admitted([begun(1, holder=THEM)], row(2, 20), Limits(handovers_per_hour=1))[0].id == "HO1"


# What is inherited


def test_who_is_away_is_inherited() -> None:
    """The handover that followed another one knows whose webhook must be put back in the end."""
    assert admitted([accepted(1, key="b", journal=Journal(removed=(AGENT,)))], row(2, 9))[0].journal.removed == (AGENT,)


def test_who_is_away_is_inherited_through_failures() -> None:
    """What failed in between took nobody away for good."""
    rows = [
        accepted(1, key="b", journal=Journal(removed=(AGENT,))),
        failed(2, 1, journal=Journal(removed=(OTHER_AGENT,))),
        failed(3, 2),
    ]
    assert admitted(rows, row(4, 9))[0].journal.removed == (AGENT,)


def test_who_must_be_put_back_is_inherited_with_the_duty() -> None:
    """A failure whose agent is still away passes that on, with what the handover before it had removed."""
    rows = [
        accepted(1, key="b", journal=Journal(removed=(AGENT,))),
        failed(2, 1, Duty.RESTORE, journal=Journal(removed=(OTHER_AGENT,), doubts=(BILLING,))),
    ]
    mine, _kept = admitted(rows, row(3, 9))
    assert mine.journal == Journal(removed=(OTHER_AGENT, AGENT), doubts=(BILLING,), since=NOW)


def test_what_answered_before_is_inherited() -> None:
    """Executions may be older than the handover, and of flows that it has replaced; what failed had none."""
    rows = [accepted(1, 0, key="b"), accepted(2, 5, key="c", journal=Journal(since=after(-60), replaced=("FW9",)))]
    same = admitted(rows, row(3, 9, key="d"))[0].journal
    assert (same.since, same.replaced) == (after(-60), ("FW9",))
    other = admitted(rows, row(3, 9, key="d", flow=BILLING))[0].journal
    assert (other.since, other.replaced) == (after(-60), (REFUNDS, "FW9"))
    assert admitted(rows, row(3, 9, key="d", flow="FW9"))[0].journal.replaced == (REFUNDS,)
    assert admitted(rows[:1], row(3, 9, key="d"))[0].journal.since == NOW
    assert admitted([failed(1, key="b")], row(3, 9, key="d"))[0].journal == Journal()


ASKED = (BILLING, "FN1"), ("FW3", "FN1")
LEFT = (("FW4", "FN4"),)


@pytest.mark.parametrize(
    ("end", "runs", "inherited"),
    [(accepted, (), ASKED), (accepted, LEFT, (*LEFT, *ASKED)), (completed, LEFT, LEFT), (completed, (), ())],
)
def test_an_execution_that_asked_back_is_inherited(
    end: Callable[..., Row], runs: tuple[tuple[str, str], ...], inherited: tuple[tuple[str, str], ...]
) -> None:
    """It may take the webhook along when it ends; of which flow it is, it did not say. One that has ended may not."""
    left = end(1, flow=BILLING, journal=Journal(replaced=("FW3",))).change(way=Way(NOW, "FN1", runs=runs))
    mine, _kept = admitted([left.owe(Duty.HAND_BACK, NOW)], row(2, 90))
    assert (mine.journal.runs, mine.journal.is_asked_back) == (inherited, bool(inherited))
    watching = mine.change(state=State.ACCEPTED).watch(after(91), 1, mine.journal.runs)
    next_one, _kept = admitted([watching], row(3, 92, key="c"))
    assert (next_one.journal.runs, next_one.journal.is_asked_back) == (inherited, bool(inherited))


def test_what_we_have_in_hand_stays_there_without_a_lease() -> None:
    """A ledger that was away for longer than a lease makes no second task of ours go on with a row that one has."""
    assert ask([begun(1, holder=US)], row(2, 60))[0] == Held()
    assert admitted([begun(1, holder=THEM)], row(2, 60))[0].id == "HO1"


def test_who_came_back_is_not_inherited() -> None:
    """After a hand-back the agent is there; as long as that is looked at again, all of it may still be needed."""
    back = completed(1, flow=BILLING, journal=Journal(removed=(AGENT,)))
    again = admitted([back], row(2, 9))[0].journal
    assert again == Journal(removed=(AGENT,), doubts=(BILLING,), replaced=(BILLING,), since=NOW)
    assert admitted([back.close(after(1))], row(2, 9))[0].journal == Journal()
    before = [accepted(0, -9, journal=Journal(removed=(OTHER_AGENT,))), back.close(after(1))]
    assert admitted(before, row(2, 9))[0].journal == Journal()


def test_a_hand_back_that_has_not_come_about_leaves_the_agent_away() -> None:
    """The conversation was on its way back: both are to be known, who is away and which flow may come again."""
    way = accepted(1, way=Way(NOW), flow=BILLING, journal=Journal(removed=(AGENT,))).owe(Duty.HAND_BACK, NOW)
    mine, _kept = admitted([way], row(2, 9))
    assert (mine.journal.removed, mine.journal.doubts) == ((AGENT,), (BILLING,))
    assert mine.taken == Taken("HO1", Duty.HAND_BACK)


# In our hand


def test_a_row_of_ours_is_changed() -> None:
    """And nobody else's: what another process took over meanwhile is given as it is."""
    mine = begun(1)
    changed, kept = revise([mine], "HO1", US, lambda each: each.change(flow=BILLING))
    assert (changed.flow, kept) == (BILLING, (changed,))
    assert revise([mine], "HO1", THEM, lambda each: each.change(flow=BILLING)) == (mine, ())


def test_what_is_not_ours_is_not_ended() -> None:
    """Whoever took the row over says how it ends."""
    theirs = begun(1, holder=THEM)
    for ended in (
        accept([theirs], "HO1", US, DONE, unchanged, NOW),
        go_on_later([theirs], "HO1", US, PENDING, unchanged, NOW),
        give_up([theirs], "HO1", US, FAILED, (AGENT,), NOW),
    ):
        assert ended == (theirs, ())


def test_accepted_it_notes_who_goes() -> None:
    """With the state, so that no crash comes between."""
    mine, kept = accept([begun(1)], "HO1", US, DONE, lambda journal: journal.with_removed(AGENT), after(2))
    assert (mine.state, mine.duty, mine.journal.removed) == (State.ACCEPTED, Duty.TIDY, (AGENT,))
    assert kept == (mine,)


@pytest.mark.parametrize(
    ("left", "state"),
    [
        (accepted(1, way=Way(NOW)).owe(Duty.HAND_BACK, NOW), State.ACCEPTED),
        (completed(1), State.COMPLETED),
        (failed(1, duty=Duty.RESTORE), State.FAILED),
        (pending(1), State.FAILED),
        (begun(1, holder=THEM), State.FAILED),
    ],
    ids=["hand-back", "completed", "failed", "pending", "begun"],
)
@pytest.mark.parametrize("is_late", [False, True], ids=["at once", "after a doubt"])
def test_what_was_taken_over_is_done_with(left: Row, state: State, is_late: bool) -> None:
    """A handover that is attached ends the one before it, also the one that was on its way back."""
    mine, (gone, _mine) = admitted([left], row(2, 30, key="b"))
    if is_late:
        mine, _kept = go_on_later([mine, gone], "HO2", US, PENDING, unchanged, after(31))
        mine = mine.hold(US, after(31))
        ended, kept = revise([mine, gone], "HO2", US, lambda row: row.accept(DONE, after(32)))
    else:
        ended, kept = accept([mine, gone], "HO2", US, PENDING, unchanged, after(31))
    assert ended.is_open
    (closed,) = [each for each in kept if each.id == "HO1"]
    assert (closed.is_open, closed.state, closed.way) == (False, state, None)
    assert (closed.reason == "superseded by HO2") is (state is State.FAILED and left.state is State.INITIATED)


def test_what_was_taken_over_one_after_the_other_is_done_with() -> None:
    """Three calls, of which nobody knew the end of the first two: none of their rows is left without an end."""
    second, (first, _second) = admitted([pending(1, flow=BILLING)], row(2, 90, key="b", flow="FW3"))
    second = second.told(PENDING, after(91)).owe(Duty.FINISH, after(91))
    third, (second, _third) = admitted([second, first], row(3, 92, key="c"))
    _done, kept = accept([third, second, first], "HO3", US, DONE, unchanged, after(93), answered=("FW3",))
    assert [(each.id, each.state, each.is_open) for each in kept[1:]] == [
        ("HO2", State.ACCEPTED, False),
        ("HO1", State.FAILED, False),
    ]
    assert all(each.reason == "superseded by HO3" for each in kept[1:])


def test_told_as_pending_it_is_to_be_finished() -> None:
    """By whoever is free; what it had taken over is given back if it comes to nothing."""
    taken = begun(1, taken=Taken("HO0", Duty.TIDY))
    later, kept = go_on_later([taken], "HO1", US, PENDING, lambda journal: journal.with_doubts(REFUNDS), after(2))
    assert (later.duty, later.state, later.outcome, later.message) == (
        Duty.FINISH,
        State.INITIATED,
        "pending",
        "One moment.",
    )
    assert (later.owner, later.taken, later.journal.doubts) == ("", taken.taken, (REFUNDS,))
    assert kept == (later,)


def test_a_duty_goes_back_also_after_a_doubt() -> None:
    """Twilio says no in the end: what the call before it still owed is owed again."""
    left = accepted(1, way=WAY).owe(Duty.HAND_BACK, NOW)
    mine, (gone, _mine) = admitted([left], row(2, 30, key="b"))
    later, _kept = go_on_later([mine, gone], "HO2", US, PENDING, unchanged, after(31))
    _failed, kept = revise([later.hold(US, after(31)), gone], "HO2", US, lambda row: row.fail(FAILED, after(32)))
    assert [(each.id, each.duty) for each in kept] == [("HO2", Duty.NONE), ("HO1", Duty.HAND_BACK)]


def test_a_row_that_is_gone_on_with_keeps_what_it_had_taken_over() -> None:
    """And not a hand-back that was asked of it: the newer call has the last word."""
    left = accepted(1, way=WAY).owe(Duty.HAND_BACK, NOW)
    mine, (gone, _mine) = admitted([left], row(2, 30, key="b"))
    again, _kept = admitted([mine.change(owner="them", lease=after(31), way=WAY), gone], row(3, 60, key="b"))
    assert (again.id, again.taken, again.way) == ("HO2", Taken("HO1", Duty.HAND_BACK), None)
    _failed, kept = give_up([again, gone], "HO2", US, FAILED, (), after(61))
    assert [(each.id, each.duty) for each in kept] == [("HO2", Duty.NONE), ("HO1", Duty.HAND_BACK)]


def test_an_end_that_was_kept_is_not_kept_again() -> None:
    """The commit's answer was lost, and in the meantime we took the row in hand for its way back."""
    back = accepted(1).change(way=WAY).owe(Duty.HAND_BACK, after(50)).hold(US, after(50))
    assert accept([back], "HO1", US, DONE, unchanged, after(51))[0] == back
    assert go_on_later([back], "HO1", US, PENDING, unchanged, after(51))[0] == back
    assert give_up([back], "HO1", US, FAILED, (), after(51))[0] == back


def test_a_row_that_is_gone_is_told() -> None:
    """Somebody has removed it, or an older ledger was restored: that is no fault of the database."""
    with pytest.raises(RowGone, match="HO1 is not in the ledger any more"):
        revise([], "HO1", US, lambda row: row)


@pytest.mark.parametrize(("lost", "duty"), [((), Duty.NONE), ((AGENT,), Duty.RESTORE)])
def test_failed_it_owes_whom_it_lost(lost: tuple[ScopedWebhook, ...], duty: Duty) -> None:
    """Only where the agent's webhook is away something is left to do."""
    gone, kept = give_up([begun(1)], "HO1", US, FAILED, lost, after(2))
    assert (gone.state, gone.duty, gone.journal.removed) == (State.FAILED, duty, lost)
    assert kept == (gone,)


def test_a_row_that_was_gone_on_with_is_restored_where_it_fails() -> None:
    """What the process before us had changed is not known, so the agent is looked for."""
    mine, _kept = admitted([begun(1, holder=THEM)], row(2, 20))
    gone, kept = give_up([mine], "HO1", US, FAILED, (), after(21))
    assert (gone.duty, gone.state) == (Duty.RESTORE, State.FAILED)
    assert kept == (gone,)


@pytest.mark.parametrize("duty", [Duty.SETTLE, Duty.FINISH, Duty.RESTORE, Duty.TIDY, Duty.HAND_BACK])
def test_a_duty_that_was_taken_over_goes_back_where_the_handover_fails(duty: Duty) -> None:
    """With whom the failed one lost, and the flows that may still turn up."""
    left = accepted(1, journal=Journal(removed=(AGENT,))).owe(duty, NOW)
    mine, (taken, _mine) = admitted([left], row(2, 90, key="b"))
    mine = mine.change(journal=mine.journal.with_doubts(BILLING))
    gone, kept = give_up([mine, taken], "HO2", US, FAILED, (OTHER_AGENT,), after(91))
    assert (gone.state, gone.is_open) == (State.FAILED, False)
    back = kept[1]
    assert (back.id, back.duty, back.due, back.owner) == ("HO1", duty, after(91), "")
    assert back.journal.removed == (AGENT, OTHER_AGENT)
    assert BILLING in back.journal.doubts


def test_a_duty_that_was_taken_over_goes_back_where_a_repair_finds_that_nothing_came_of_it() -> None:
    """A hand-back, say, does not come to nothing because a call came between whose process died."""
    left = accepted(1, way=WAY).owe(Duty.HAND_BACK, NOW)
    mine, (taken, _mine) = admitted([left], row(2, 90, key="b"))
    assert mine.has_taken_over
    gone, kept = revise([mine, taken], "HO2", US, lambda row: row.fail(FAILED, after(91), Duty.RESTORE))
    assert (gone.state, gone.is_open) == (State.FAILED, False)
    assert kept[0] == gone
    assert (kept[1].id, kept[1].duty, kept[1].due, kept[1].way) == ("HO1", Duty.HAND_BACK, after(91), WAY)


# The way back

WAY = Way(after(50), "FN1")


def test_a_way_that_nobody_goes_is_gone_again() -> None:
    """A row that says it is on its way back while nothing is owed is owed the way back."""
    found, kept = ask_back([accepted(1).change(way=WAY)], WAY, after(50))
    assert isinstance(found, Row)
    assert (found.duty, kept) == (Duty.HAND_BACK, (found,))


def test_an_execution_gives_back_once() -> None:
    """Its request comes again, late, when the conversation has been handed over anew: that stays."""
    rows = [accepted(2, 60), completed(1).change(way=WAY).close(after(55))]
    assert ask_back(rows, WAY, after(70)) == (rows[1], ())
    newer, _kept = ask_back(rows, Way(after(70), "FN2"), after(70))
    assert isinstance(newer, Row)
    assert newer.id == "HO2"


def test_nothing_that_was_handed_over_cannot_come_back() -> None:
    """Neither an unknown conversation nor one whose handovers all failed."""
    assert ask_back([], WAY, after(50)) == (None, ())
    assert ask_back([failed(1)], WAY, after(50)) == (None, ())


def test_a_handover_that_is_settled_goes_back_at_once() -> None:
    """The row that says who is away sees to it."""
    found, kept = ask_back([failed(2, 9), accepted(1)], WAY, after(50))
    assert isinstance(found, Row)
    assert (found.id, found.duty, found.due, found.way) == ("HO1", Duty.HAND_BACK, after(50), WAY)
    assert kept == (found,)


@pytest.mark.parametrize(
    "asked", [accepted(1, way=Way(NOW)).owe(Duty.HAND_BACK, NOW), completed(1)], ids=["on its way", "back"]
)
def test_asked_twice_it_goes_back_once(asked: Row) -> None:
    """The first that asked is waited for."""
    found, _kept = ask_back([asked], WAY, after(50))
    assert isinstance(found, Row)
    assert (found.id, found.duty, found.way and found.way.since) == (
        asked.id,
        asked.duty,
        asked.way and asked.way.since,
    )


@pytest.mark.parametrize(
    "open_row",
    [begun(1, 45), pending(1), accepted(1).owe(Duty.TIDY, NOW).hold(US, after(45))],
    ids=["begun", "pending", "tidied just now"],
)
def test_a_hand_back_waits_for_what_comes_before_it(open_row: Row) -> None:
    """The flow may ask before we have let the agent go: it is noted, and who has the row in hand goes on.

    What nobody has in hand is due at once: a flow that is about to end waits for it.
    """
    found, kept = ask_back([open_row], WAY, after(50))
    due = open_row.due if open_row.is_held(after(50)) else after(50)
    assert found == open_row.change(way=WAY, due=due)
    assert kept == (found,)


def test_a_hand_back_comes_before_the_rest_of_the_tidying() -> None:
    """What still had to go need not go any more, or goes with the flow."""
    found, _kept = ask_back([accepted(1).owe(Duty.TIDY, after(90))], WAY, after(50))
    assert isinstance(found, Row)
    assert (found.duty, found.due) == (Duty.HAND_BACK, after(50))


def test_a_hand_back_takes_over_what_a_failed_handover_owes() -> None:
    """The agent's webhooks that are away come back in one go."""
    rows = [
        failed(2, 9, Duty.RESTORE, journal=Journal(removed=(OTHER_AGENT,), doubts=(BILLING,))),
        accepted(1, journal=Journal(removed=(AGENT,))),
    ]
    found, (closed, mine) = ask_back(rows, WAY, after(50))
    assert found == mine
    assert (closed.id, closed.is_open) == ("HO2", False)
    assert (mine.duty, mine.journal) == (Duty.HAND_BACK, Journal(removed=(AGENT, OTHER_AGENT), doubts=(BILLING,)))


def test_a_hand_back_waits_where_another_row_is_in_hand() -> None:
    """One at a time: whoever restores the agent is not disturbed."""
    rows = [failed(2, 9, Duty.RESTORE).hold(THEM, after(45)), accepted(1)]
    assert ask_back(rows, WAY, after(50)) == (Held(), ())


def test_a_hand_back_waits_for_what_may_come_to_nothing() -> None:
    """A flow answers while a later handover is in hand: which of the two goes back is known when that has ended."""
    rows = [begun(2, 45, key="b"), accepted(1)]
    assert ask_back(rows, WAY, after(50)) == (Held(), ())


def test_a_hand_back_is_noted_where_nobody_knows_what_came_about() -> None:
    """The later handover's process died: its caller may have been told that it is done, so it is not given up."""
    rows = [begun(2, 20, holder=THEM, key="b", flow=BILLING), accepted(1)]
    found, kept = ask_back(rows, WAY, after(50))
    assert found == rows[0].change(way=WAY, due=after(50))
    assert kept == (found,)


@pytest.mark.parametrize("is_settled", [True, False])
def test_a_hand_back_is_asked_of_what_answers_where_the_later_one_came_to_nothing(is_settled: bool) -> None:
    """Also where what answers had a duty of its own, which the later one had taken over."""
    earlier = accepted(1, journal=Journal(removed=(AGENT,)))
    mine, taken = admitted([earlier if is_settled else earlier.owe(Duty.TIDY, NOW)], row(2, 90, key="b"))
    rows = [mine.change(way=WAY), *(taken[:-1] or [earlier])]
    gone, kept = revise(rows, "HO2", US, lambda each: each.fail(FAILED, after(91), Duty.RESTORE))
    assert (gone.state, gone.is_open, gone.way) == (State.FAILED, False, None)
    assert gone in kept
    (back,) = [each for each in kept if each.id == "HO1"]
    assert (back.duty, back.way, back.journal.removed) == (Duty.HAND_BACK, WAY, (AGENT,))


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        ([], None),
        ([begun(2), failed(1)], None),
        ([begun(3), failed(2), accepted(1)], "HO1"),
        ([accepted(2), accepted(1)], "HO2"),
        ([begun(3), completed(2), accepted(1)], None),
    ],
    ids=["none", "nothing came about", "an older one", "the newer of two", "it was handed back"],
)
def test_who_answers_is_the_newest_that_came_about_and_is_not_back(rows: Sequence[Row], name: str | None) -> None:
    """What is not certain yet does not count."""
    found, kept = look_who_answers(rows)
    assert (found and found.id, kept) == (name, ())


def test_a_hand_back_of_what_came_to_nothing_is_over_where_nothing_else_answers() -> None:
    """The agent does."""
    gone, kept = revise([begun(1).change(way=WAY)], "HO1", US, lambda each: each.fail(FAILED, after(2)))
    assert (gone.way, gone.is_open, kept) == (None, False, (gone,))


def test_which_execution_asks_is_noted_where_a_person_asked_before() -> None:
    """The first that names itself is waited for."""
    asked = accepted(1, way=Way(NOW)).owe(Duty.HAND_BACK, NOW)
    found, kept = ask_back([asked], WAY, after(50))
    assert found == asked.change(way=Way(NOW, "FN1"))
    assert kept == (found,)
    assert ask_back([found], Way(after(60), "FN2"), after(60))[0] == found


def test_after_a_hand_back_the_handover_under_way_is_the_one_that_goes_back() -> None:
    """What came back before is over."""
    found, _kept = ask_back([begun(2, 45), completed(1).close(NOW)], WAY, after(50))
    assert isinstance(found, Row)
    assert (found.id, found.way) == ("HO2", WAY)


def test_what_a_target_began_is_known_to_the_next_handover() -> None:
    """It is handed on while the target stands, the latest last, and not once the conversation was given back."""
    human = ScopedWebhook.begun("human", "KD1")
    old = accepted(1, flow="human", journal=Journal().with_begun(human, AGENT))
    assert old.journal.begun == ("human:KD1",)
    taken = admit([old], row(2, 100, key="other"), LIMITS, US, after(100))[0]
    assert isinstance(taken, Admitted)
    assert taken.row.journal.begun == ("human:KD1",)
    assert taken.row.journal.with_begun(ScopedWebhook.begun("human", "KD2")).begun == ("human:KD1", "human:KD2")
    back = old.change(state=State.COMPLETED)
    again = admit([back], row(2, 100, key="other"), LIMITS, US, after(100))[0]
    assert isinstance(again, Admitted)
    assert again.row.journal.begun == ()


@pytest.mark.parametrize(
    ("flow", "replaced", "expected"),
    [
        ("human", (REFUNDS,), True),
        (BILLING, ("human", REFUNDS), True),
        (BILLING, (REFUNDS,), False),
        ("human", (), False),
    ],
)
def test_a_flow_that_returns_after_a_target_is_known_for_it(
    flow: str, replaced: tuple[str, ...], *, expected: bool
) -> None:
    """Its webhook was removed for the target, and Studio may put it back; one that was redirected stayed."""
    old = row(1, flow=flow, state=State.ACCEPTED, duty=Duty.TIDY, due=after(1), journal=Journal(replaced=replaced))
    next_one = admit([old], row(2, 100), LIMITS, US, after(100))[0]
    assert isinstance(next_one, Admitted)
    assert next_one.row.journal.has_returned is expected


def test_nobody_puts_a_target_back() -> None:
    """A target on its way back is in no doubt for the next handover to it, as a flow's webhook is."""
    for flow, doubts in (("human", ()), (REFUNDS, (REFUNDS,))):
        old = row(1, flow=flow, state=State.COMPLETED, duty=Duty.HAND_BACK, due=after(1), way=Way(since=after(1)))
        next_one = admit([old], row(2, 100, flow=flow, key="other"), LIMITS, US, after(100))[0]
        assert isinstance(next_one, Admitted)
        assert next_one.row.journal.doubts == doubts


def test_the_next_flow_is_looked_at_again_while_a_target_goes_back() -> None:
    """The agent's webhook, put back for the target by a request without an answer, may turn up beside the flow."""
    old = completed(1, flow="human")
    assert admitted([old], row(2, 9))[0].journal.doubts == (REFUNDS,)
    assert admitted([old.close(after(1))], row(2, 9))[0].journal.doubts == ()
