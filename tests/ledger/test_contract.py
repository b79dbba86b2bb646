from __future__ import annotations

import asyncio
from dataclasses import fields
from typing import TYPE_CHECKING, Any, cast

import pytest

from router.errors import LedgerError
from router.ledger.journal import Journal
from router.ledger.ledger import Figures, Filter
from router.ledger.news import IN_HAND, News
from router.ledger.row import Duty, Row, State, Taken, Way
from router.model.webhook import ScopedWebhook, WebhookSpec
from tests.ledger.kit import NOW, AnyLedger, a_row, after, an_open_row, fill, keep, see, some_news

if TYPE_CHECKING:
    from collections.abc import Sequence

AGENT = ScopedWebhook("WH1", WebhookSpec("webhook", "https://a.twil.io/x", "POST", ("onMessageAdded",), ("x",)))
FULL = Row(
    id="HO1",
    conversation="CH1",
    service="IS1",
    created=NOW,
    **cast(
        "dict[str, Any]",
        {
            each.name: f"the {each.name}"
            for each in fields(Row)
            if each.type == "str" and each.name not in ("id", "conversation", "service")
        },
    ),
    state=State.ACCEPTED,
    duty=Duty.HAND_BACK,
    owed=after(2),
    due=after(1),
    attempts=2,
    looks=3,
    lease=after(2),
    journal=Journal((AGENT,), (AGENT,), ("FW1",)),
    taken=Taken("HO0", Duty.RESTORE),
    way=Way(after(3), "FN1", is_paved=True, runs=(("FW1", "FN1"), ("FW2", "FN2"))),
    requests=("RQ1", "RQ2"),
    updated=after(4),
    accepted=after(5),
    finished=after(6),
    news=(
        News("after_swap", "notify", after(7), after(8), 2, "HTTP 503", outcome="handed_over"),
        News("swap_failed", "notify", after(9), None, kind="TwilioBusy", text="too many requests"),
    ),
)


async def test_a_row_comes_back_as_it_was_kept(ledger: AnyLedger) -> None:
    """Each field of a row, the journal and the way included, is there again for the next decision."""
    await ledger.decide("CH1", keep(FULL))
    assert list(await ledger.decide("CH1", see)) == [FULL]


async def test_a_decision_sees_its_conversation_alone_newest_first(ledger: AnyLedger) -> None:
    """The rows of another conversation are no matter of a decision; the newest row comes first."""
    await fill(ledger, *(a_row(number, conversation="CH1") for number in (2, 1, 3)), a_row(4, conversation="CH2"))
    assert [row.id for row in await ledger.decide("CH1", see)] == ["HO3", "HO2", "HO1"]


async def test_a_decision_changes_rows_and_adds_others(ledger: AnyLedger) -> None:
    """What a decision gives is kept: a known row in place of its former self, a new one beside it."""
    await fill(ledger, an_open_row(1, conversation="CH1"))

    def follow(rows: Sequence[Row]) -> tuple[str, Sequence[Row]]:
        return "followed", [an_open_row(2, conversation="CH1"), rows[0].change(duty=Duty.NONE, due=None)]

    assert await ledger.decide("CH1", follow) == "followed"
    newest, former = await ledger.decide("CH1", see)
    assert (newest.id, newest.duty) == ("HO2", Duty.TIDY)
    assert (former.id, former.duty, former.due) == ("HO1", Duty.NONE, None)


async def test_a_conversation_has_one_open_row(ledger: AnyLedger) -> None:
    """A decision that would open a second row fails as a whole, and what was there stays."""
    await fill(ledger, an_open_row(1, conversation="CH1"))
    with pytest.raises(LedgerError, match=r"a conversation (would|may) have"):
        await ledger.decide("CH1", keep(a_row(3, conversation="CH1"), an_open_row(2, conversation="CH1")))
    assert [row.id for row in await ledger.decide("CH1", see)] == ["HO1"]


async def test_what_a_decision_raises_comes_out_and_nothing_is_kept(ledger: AnyLedger) -> None:
    """An error of the decision itself is the caller's, and no fault of the ledger."""

    def refuse(_: object) -> tuple[None, list[Row]]:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await ledger.decide("CH1", refuse)
    assert ledger.faults() == ()


async def test_decisions_about_a_conversation_follow_each_other(ledger: AnyLedger) -> None:
    """Of many that come together each sees what the one before it has kept."""

    def count(rows: Sequence[Row]) -> tuple[int, Sequence[Row]]:
        return len(rows), [a_row(len(rows), conversation="CH1")]

    seen = await asyncio.gather(*(ledger.decide("CH1", count) for _ in range(20)))
    assert sorted(seen) == list(range(20))


async def test_who_waits_wakes_by_a_decision(ledger: AnyLedger) -> None:
    """All who wait for a conversation wake when a row of it was kept, and not by another conversation."""
    waiting = [asyncio.create_task(ledger.wait("CH1", 30)) for _ in range(2)]
    other = asyncio.create_task(ledger.wait("CH2", 30))
    await asyncio.sleep(0)
    await ledger.decide("CH1", keep(a_row()))
    async with asyncio.timeout(5):
        await asyncio.gather(*waiting)
    assert not other.done()
    other.cancel()


async def test_a_look_wakes_nobody(ledger: AnyLedger) -> None:
    """Two calls that wait for a third look once each and go on waiting: they do not wake each other for ever."""
    looks: list[str] = []

    async def look_and_wait(name: str) -> None:
        while len(looks) < 10:
            await ledger.decide("CH1", see)
            looks.append(name)
            await ledger.wait("CH1", 30)

    calls = [asyncio.create_task(look_and_wait(name)) for name in ("first", "second")]
    await asyncio.wait(calls, timeout=0.2)
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    assert sorted(looks) == ["first", "second"]


async def test_who_waits_does_not_wait_longer_than_asked(ledger: AnyLedger) -> None:
    """A wait without news ends by itself."""
    async with asyncio.timeout(5):
        await ledger.wait("CH1", 0.01)


async def test_urgent_rows_are_claimed_first_then_the_longest_due(ledger: AnyLedger) -> None:
    """A conversation that may be without a responder comes before one that is merely untidy."""
    await fill(
        ledger,
        an_open_row(1, due=after(-9)),
        an_open_row(2, due=after(-1), duty=Duty.RESTORE),
        an_open_row(3, due=after(-2), duty=Duty.FINISH),
        an_open_row(4, due=after(-8), duty=Duty.HAND_BACK),
    )
    assert [row.id for row in await ledger.claim(NOW, 3)] == ["HO3", "HO2", "HO1"]
    assert [row.id for row in await ledger.claim(NOW, 3)] == ["HO4"]


async def test_what_a_clock_that_ran_ahead_put_off_is_due(ledger: AnyLedger) -> None:
    """A clock that was an hour fast and was set right leaves nobody alone for an hour: no row waits that long."""
    await fill(ledger, an_open_row(1, due=after(3600), duty=Duty.RESTORE), an_open_row(2, due=after(60)))
    assert [row.id for row in await ledger.claim(NOW, 10)] == ["HO1"]


async def test_a_claimed_row_is_in_our_hand(ledger: AnyLedger) -> None:
    """A claim names us until the lease ends, in what it gives and in what is kept; nobody claims it twice."""
    await fill(ledger, an_open_row())
    (row,) = await ledger.claim(NOW, 10)
    assert (row.owner, row.lease) == ("us", after(ledger.holder.lease))
    assert list(await ledger.decide("CH1", see)) == [row]
    assert list(await ledger.claim(NOW, 10)) == []


@pytest.mark.parametrize(
    ("row", "is_claimed"),
    [
        (a_row(due=NOW), False),
        (an_open_row(due=after(0.001)), False),
        (an_open_row(created=NOW, due=None), True),
        (an_open_row(owner="other", lease=after(1)), False),
        (an_open_row(owner="other", lease=NOW), True),
        (an_open_row(owner="other", lease=None), True),
        (an_open_row(owner="", lease=after(1)), True),
        (an_open_row(owner="other", lease=after(3600)), True),  # by a clock that ran ahead
    ],
)
async def test_only_what_is_due_and_in_nobodys_hand_is_claimed(ledger: AnyLedger, row: Row, is_claimed: bool) -> None:
    """A row without a duty, or before its time, or in another's hand is left alone."""
    await fill(ledger, row)
    assert bool(await ledger.claim(NOW, 10)) is is_claimed


async def test_what_we_have_in_hand_by_a_clock_that_ran_ahead_stays_there(ledger: AnyLedger) -> None:
    """We know of it: nobody of us makes a second attempt beside the first."""
    await fill(ledger, an_open_row(owner="us", lease=after(3600)))
    assert list(await ledger.claim(NOW, 10)) == []


@pytest.mark.parametrize(
    ("rows", "due"),
    [
        ((), None),
        ((a_row(due=NOW),), None),
        ((an_open_row(due=after(7)), an_open_row(2, due=after(5))), after(5)),
        ((an_open_row(due=None),), after(1)),
        ((an_open_row(owner="other", lease=after(9)), an_open_row(2, due=after(20))), after(9)),
        ((an_open_row(owner="other", lease=after(3), due=after(4)),), after(4)),
        ((an_open_row(owner="other", lease=after(-1)),), NOW),
        ((an_open_row(owner="us", lease=after(9)),), None),
        ((an_open_row(owner="us", lease=after(-9)),), NOW),
    ],
)
async def test_it_says_when_the_next_row_is_free_and_due(ledger: AnyLedger, rows: tuple[Row, ...], due: object) -> None:
    """What is in our own hand needs no look; what is in another's needs one when its lease ends."""
    await fill(ledger, *rows)
    assert await ledger.next_due() == due


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(), ["HO4", "HO3", "HO2", "HO1"]),
        (Filter(limit=2), ["HO4", "HO3"]),
        (Filter(conversation="CH2"), ["HO2"]),
        (Filter(tool="/tools/a"), ["HO1"]),
        (Filter(intent="refund"), ["HO2"]),
        (Filter(state="failed"), ["HO3"]),
        (Filter(outcome="declined"), ["HO3"]),
        (Filter(since=after(3)), ["HO4", "HO3"]),
        (Filter(open=True), ["HO4"]),
        (Filter(open=True, conversation="CH1"), []),
    ],
)
async def test_history_gives_what_is_wanted_newest_first(ledger: AnyLedger, wanted: Filter, found: list[str]) -> None:
    """Each field of the filter narrows the history down, and no empty one does."""
    await fill(
        ledger,
        a_row(1, tool="/tools/a"),
        a_row(2, intent="refund"),
        a_row(3, state=State.FAILED, outcome="declined"),
        an_open_row(4),
    )
    assert [row.id for row in await ledger.history(wanted)] == found


async def test_figures_count_what_is_open(ledger: AnyLedger) -> None:
    """Open rows are counted by duty, with the time of the oldest but for those that are back with the agent."""
    assert await ledger.figures() == Figures({}, None)
    back = an_open_row(0, duty=Duty.HAND_BACK, state=State.COMPLETED)
    await fill(ledger, back)
    assert await ledger.figures() == Figures({"hand_back": 1}, None)
    await fill(ledger, a_row(1), an_open_row(2), an_open_row(3), an_open_row(4, duty=Duty.FINISH))
    assert await ledger.figures() == Figures({"hand_back": 1, "tidy": 2, "finish": 1}, after(2))


async def test_news_are_claimed_the_longest_due_first(ledger: AnyLedger) -> None:
    """Each row comes with those of its news that are due, one attempt more, and in nobody's hand for a while."""
    later, over = some_news("later", due=after(1)), some_news("over", due=None)
    await fill(
        ledger,
        a_row(1, news=(some_news(due=after(-1)), later, over)),
        a_row(2, news=(some_news(due=after(-2)), some_news("other"))),
        a_row(3, news=(later,)),
        an_open_row(4),
    )
    claimed = await ledger.claim_news(NOW, 10)
    in_hand: dict[str, Any] = {"due": after(IN_HAND), "attempts": 1}
    assert [row.id for row in claimed] == ["HO2", "HO1"]
    assert [row.news for row in claimed] == [
        (some_news(**in_hand), some_news("other", **in_hand)),
        (some_news(**in_hand),),
    ]
    (kept,) = await ledger.decide("CH1", see)
    assert set(kept.news) == {some_news(**in_hand), later, over}
    assert list(await ledger.claim_news(NOW, 10)) == []


async def test_no_more_news_are_claimed_than_there_are_places(ledger: AnyLedger) -> None:
    """What is left over is there for the next who asks."""
    await fill(ledger, *(a_row(number, news=(some_news(due=after(-number)),)) for number in range(1, 4)))
    assert [row.id for row in await ledger.claim_news(NOW, 2)] == ["HO3", "HO2"]
    assert [row.id for row in await ledger.claim_news(NOW, 2)] == ["HO1"]


async def test_news_leave_their_conversation_alone(ledger: AnyLedger) -> None:
    """While a plugin is told, the same conversation is handed over once more, and the news are kept all the same."""
    await fill(ledger, a_row(1, conversation="CH1", news=(some_news(),)))
    (row,) = await ledger.claim_news(NOW, 1)
    await fill(ledger, an_open_row(2, conversation="CH1"))
    await ledger.decide("CH1", lambda rows: (None, [each.change(reason="changed") for each in rows]))
    await ledger.settle_news(row, {row.news[0]: None})
    assert [(each.reason, each.news) for each in await ledger.decide("CH1", see)] == [("changed", ()), ("changed", ())]


async def test_what_came_of_news_is_kept(ledger: AnyLedger) -> None:
    """What was heard is gone, what failed is due later, what is told no more says why; what came meanwhile stays."""
    await fill(ledger, a_row(1, news=tuple(some_news(each) for each in ("heard", "failed", "given-up"))))
    (row,) = await ledger.claim_news(NOW, 1)
    heard, failed, lost = row.news
    meanwhile = some_news("notify", hook="after_hand_back")
    await ledger.decide("CH1", lambda rows: (None, [rows[0].with_news(meanwhile)]))
    assert list(await ledger.claim_news(NOW, 9)) == []  # of this row we tell already
    told = {heard: None, failed: failed.failed("HTTP 503", NOW), lost: lost.given_up("gone")}
    await ledger.settle_news(row, told)
    (kept,) = await ledger.decide("CH1", see)
    assert set(kept.news) == {
        some_news("failed", due=after(5), attempts=1, reason="HTTP 503"),
        some_news("given-up", due=None, attempts=1, reason="gone"),
        meanwhile,
    }
    assert [row.news[0].hook for row in await ledger.claim_news(NOW, 9)] == ["after_hand_back"]


async def test_what_another_has_taken_since_is_theirs(ledger: AnyLedger) -> None:
    """A process that was silent for too long changes nothing of what another one tells by then."""
    await fill(ledger, a_row(1, news=(some_news(),)))
    (row,) = await ledger.claim_news(NOW, 1)
    taken = row.news[0].taken(after(IN_HAND))
    await ledger.decide("CH1", lambda rows: (None, [rows[0].change(news=(taken,))]))
    await ledger.settle_news(row, {row.news[0]: row.news[0].failed("late", after(IN_HAND))})
    assert [each.news for each in await ledger.decide("CH1", see)] == [(taken,)]


async def test_news_of_a_row_that_is_gone_are_nobodys(ledger: AnyLedger) -> None:
    """Somebody has removed the row meanwhile: that is no fault of the ledger."""
    await ledger.settle_news(a_row(1), {some_news(): None})
    assert ledger.faults() == ()


async def test_it_says_when_news_are_due(ledger: AnyLedger) -> None:
    """They count beside what is owed, unless that is not asked for; those that are told at this moment do not."""
    await fill(ledger, a_row(1, news=(some_news(due=after(3)), some_news("over", due=None))))
    assert await ledger.next_due() == after(3)
    assert await ledger.next_due(news=False) is None
    await fill(ledger, an_open_row(2, due=after(5)))
    assert await ledger.next_due() == after(3)
    assert await ledger.next_due(news=False) == after(5)
    await ledger.claim_news(after(3), 1)
    assert await ledger.next_due() == after(5)


async def test_figures_count_what_is_still_to_be_told(ledger: AnyLedger) -> None:
    """A row counts once, with its oldest news; what was given up is no news any more."""
    await fill(
        ledger,
        a_row(1, news=(some_news(since=after(7)), some_news("other", since=after(6)))),
        a_row(2, news=(some_news(since=after(8)),)),
        a_row(3, news=(some_news(since=after(1), due=None),)),
    )
    assert await ledger.figures() == Figures({}, None, 2, after(6))


async def test_only_what_is_finished_is_forgotten(ledger: AnyLedger) -> None:
    """A row that owes something, or whose news are not told, stays however old it is; so does one finished since."""
    await fill(
        ledger,
        a_row(0, news=(some_news(),)),
        a_row(5, news=(some_news(due=None),)),
        a_row(1, finished=after(5)),
        a_row(2),
        a_row(3, finished=after(50)),
        an_open_row(4, finished=after(5)),
        a_row(20),
    )
    assert await ledger.forget(after(10)) == 3
    assert [row.id for row in await ledger.history(Filter())] == ["HO20", "HO4", "HO3", "HO0"]


async def test_a_ledger_that_works_has_no_faults(ledger: AnyLedger) -> None:
    """A probe passes, leaves nothing behind, and there is nothing to tell."""
    await ledger.probe()
    assert ledger.faults() == ()
    assert list(await ledger.history(Filter())) == []
