"""The steps of a row: each is a value, so that each can be looked at alone."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from router.ledger.journal import Journal
from router.ledger.ledger import Holder
from router.ledger.row import LOOKS, SOON, Duty, Row, State, Way
from router.model.call import ConversationRef
from router.model.outcome import Answer, Outcome
from tests.ledger.kit import NOW, a_row, after, an_open_row

US = Holder("us", lease=10)
FLOW = "FW" + "1" * 32
HANDED = Answer(Outcome.HANDED_OVER, "Done.", "HO1", "/t", "refund", FLOW, "a detail")
FAILED = Answer(Outcome.FAILED, "It did not work.", "HO1", "/t", "refund", FLOW, "code 50361")


def held(**fields: Any) -> Row:
    return an_open_row(**fields).hold(US, NOW)


def test_a_row_knows_where_its_conversation_is() -> None:
    """The gateway is asked by both SIDs."""
    assert a_row().where == ConversationRef("IS1", "CH1")


def test_a_row_has_its_fields_and_no_others() -> None:
    """A change of what is no field is a mistake, and is told by its name."""
    with pytest.raises(TypeError, match="a row has no flows, owners"):
        a_row().change(flow=FLOW, owners="us", flows=())


def test_a_row_is_in_hand_until_its_lease_is_over() -> None:
    """Who holds it may be silent for so long; then, and where nobody holds it, it is free."""
    row = held()
    assert (row.owner, row.lease, row.updated) == ("us", after(10), NOW)
    assert row.is_held(after(9.9))
    assert not row.is_held(after(10))
    assert not row.change(owner="").is_held(NOW)
    assert not row.change(lease=None).is_held(NOW)


def test_what_was_told_can_be_told_again() -> None:
    """A row gives back the answer that it was given, so that a repeat hears the same."""
    row = a_row(tool="/t", intent="refund", flow=FLOW).told(HANDED, after(3))
    assert row.answer == HANDED
    assert (row.state, row.updated) == (State.INITIATED, after(3))


def test_what_was_told_nobody_cannot_be_told_again() -> None:
    """As long as nobody was told anything there is no answer."""
    with pytest.raises(ValueError, match="Outcome"):
        _ = a_row().answer


def test_accepted_what_is_left_is_to_tidy() -> None:
    """The responder is attached: who has the row in hand goes on with it, and counts from the beginning."""
    row = held(duty=Duty.SETTLE, attempts=3, looks=2).accept(HANDED, after(1))
    assert (row.state, row.accepted, row.success) == (State.ACCEPTED, after(1), "Done.")
    assert (row.duty, row.due, row.attempts, row.looks) == (Duty.TIDY, after(1), 0, 0)
    assert (row.owner, row.finished) == ("us", None)


def test_failed_with_nothing_left_it_is_closed() -> None:
    """A guard's word, or a refusal that changed nothing, leaves no work; a hand-back of it has no object."""
    row = held(way=Way(NOW)).fail(FAILED, after(1))
    assert (row.state, row.outcome, row.message, row.reason) == (
        State.FAILED,
        "failed",
        "It did not work.",
        "code 50361",
    )
    assert (row.duty, row.due, row.owner, row.lease, row.way) == (Duty.NONE, None, "", None, None)
    assert row.finished == after(1)
    assert not row.is_open


def test_failed_with_the_agent_gone_it_stays_open() -> None:
    """The agent's webhook must be put back, at once and by whoever is free."""
    row = held(attempts=2, looks=1).fail(FAILED, after(1), Duty.RESTORE)
    assert (row.duty, row.due, row.owner, row.attempts, row.looks) == (Duty.RESTORE, after(1), "", 0, 0)
    assert (row.state, row.finished) == (State.FAILED, after(1))


def test_each_failed_attempt_is_repeated_a_little_later() -> None:
    """The pauses grow to half a minute and stay there: it is tried until it is done, and is nobody's meanwhile."""
    row, pauses = held(), []
    for _ in range(len(SOON) + 2):
        row = row.retry(NOW)
        assert row.due is not None
        pauses.append((row.due - NOW).total_seconds())
        assert (row.owner, row.duty) == ("", Duty.TIDY)
    assert pauses == [*SOON[1:], SOON[-1], SOON[-1], SOON[-1]]
    assert row.attempts == len(pauses)
    assert all(before <= following for before, following in pairwise(pauses))


def test_waiting_is_no_failure() -> None:
    """What has not come yet is looked for again, and the pauses do not grow."""
    row = held(attempts=5).wait(NOW, 1.5)
    assert (row.due, row.attempts, row.owner, row.duty) == (after(1.5), 0, "", Duty.TIDY)


def test_a_row_is_looked_at_again_and_then_closed() -> None:
    """The looks are further and further apart, and after the last one nothing is owed."""
    row, pauses = held(), []
    while row.is_open:
        pauses.append(row.looks)
        assert row.is_last_look is (row.looks == len(LOOKS))
        following = row.look_again(NOW)
        if following.due:
            assert following.due == after(LOOKS[row.looks])
        row = following
    assert pauses == [0, 1, 2, 3, 4]
    assert (row.looks, row.finished) == (0, NOW)


def test_tidied_with_doubts_it_is_looked_at_again() -> None:
    """Only where a request without an answer may still take effect there is something to look for."""
    assert not held().tidied(NOW).is_open
    doubtful = held(journal=Journal(doubts=(FLOW,))).tidied(NOW)
    assert (doubtful.duty, doubtful.due, doubtful.looks) == (Duty.TIDY, after(LOOKS[0]), 1)


@pytest.mark.parametrize("journal", [Journal(), Journal(doubts=(FLOW,))], ids=["sure", "doubtful"])
def test_a_hand_back_comes_after_the_tidying(journal: Journal) -> None:
    """One that was asked for before the agent was gone begins as soon as nothing else is owed."""
    way = Way(NOW, "FN1")
    row = held(state=State.ACCEPTED, way=way, journal=journal, looks=2).tidied(after(1))
    assert (row.duty, row.due, row.way, row.looks, row.owner) == (Duty.HAND_BACK, after(1), way, 0, "")


def test_a_hand_back_that_was_made_is_closed_in_the_end() -> None:
    """Completed, a row is looked at again, and the way does not begin anew."""
    row = held(state=State.ACCEPTED, duty=Duty.HAND_BACK, way=Way(NOW, "FN1")).complete(after(1))
    assert (row.state, row.reason, row.finished) == (State.COMPLETED, "handed back", after(1))
    assert (row.duty, row.due, row.way) == (Duty.HAND_BACK, after(1 + LOOKS[0]), Way(NOW, "FN1"))
    for _ in LOOKS:
        row = row.look_again(after(2))
    assert (row.duty, row.state, row.finished) == (Duty.NONE, State.COMPLETED, after(1))


def test_a_hand_back_notes_that_the_execution_goes_on() -> None:
    """The agent answers, and the execution may put its webhook back later than the looks reach."""
    row = held(state=State.ACCEPTED, duty=Duty.HAND_BACK, way=Way(NOW, "FN1")).complete(after(1), (("FW1", "FN1"),))
    assert row.way == Way(NOW, "FN1", runs=(("FW1", "FN1"),))


def test_closed_twice_it_was_finished_once() -> None:
    """When it ended stays, and what it had taken over is forgotten."""
    row = held(finished=after(1)).close(after(5))
    assert (row.finished, row.taken, row.due, row.attempts, row.looks) == (after(1), None, None, 0, 0)


def test_a_way_is_paved_once() -> None:
    """The agent answers beside the flow: nothing else of the row changes but when."""
    row = held(state=State.ACCEPTED, duty=Duty.HAND_BACK, way=Way(NOW, "FN1"))
    paved = row.paved(after(1))
    assert paved.way == Way(NOW, "FN1", is_paved=True)
    assert (paved.duty, paved.state) == (Duty.HAND_BACK, State.ACCEPTED)
