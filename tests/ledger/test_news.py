"""News: how often a plugin is told, and when, until it has heard or is told no more."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from router.ledger.news import IN_HAND, PAUSES, News, settle, take
from tests.ledger.kit import NOW, a_row, after, some_news

ENDS = st.sampled_from(["fails", "dies"])
DELAYS = st.floats(0, 100)


@given(st.lists(st.tuples(ENDS, DELAYS), min_size=30, max_size=30))
def test_news_that_nobody_hears_are_given_up(attempts: list[tuple[str, float]]) -> None:
    """After ten attempts, each a pause after the one before it, or a while after a process that died with it.

    However long it takes until somebody comes, whatever becomes of each attempt: it ends, and never too early.
    """
    news, now, begun = some_news(), NOW, 0
    for end, delay in attempts:
        assert news.due is not None
        now = max(now, news.due) + timedelta(seconds=delay)
        ((news,), _) = take((news,), now)
        if news.is_worn_out:
            break
        begun += 1
        if end == "fails":
            news = news.failed("no", now)
            if news.due is None:
                break
            assert news.due == now + timedelta(seconds=PAUSES[begun - 1])
        else:
            assert news.due == now + timedelta(seconds=IN_HAND)
    assert begun == len(PAUSES) + 1
    assert news.is_worn_out or news.due is None


def test_it_is_told_for_most_of_a_day() -> None:
    """A receiver that is away over night still hears; the pauses grow, and the first attempt is at once."""
    assert list(PAUSES) == sorted(PAUSES)
    assert timedelta(hours=18) < timedelta(seconds=sum(PAUSES)) < timedelta(hours=24)
    assert some_news().is_due(NOW)
    assert not some_news(due=after(1)).is_due(NOW)
    assert not some_news(due=None).is_due(NOW)


def test_what_is_put_back_is_due_at_once() -> None:
    """An attempt that a stop broke off is made again by the next process, and counts as one."""
    put_back = some_news().taken(NOW).put_back(after(1))
    assert (put_back.due, put_back.attempts) == (after(1), 1)


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["due", "later", "over"])), max_size=6, unique=True))
def test_taking_and_settling_lose_nothing(plugins: list[tuple[int, str]]) -> None:
    """What is due is taken, all else stays as it is; what was heard goes, and only that."""
    due = {"due": NOW, "later": after(1), "over": None}
    news = tuple(some_news(f"{number}-{when}", due=due[when]) for number, when in plugins)
    taken, kept = take(news, NOW)
    assert [each.plugin for each in taken] == [each.plugin for each in news if each.due == NOW]
    assert {each.plugin for each in kept} == {each.plugin for each in news}
    assert [each for each in kept if each not in taken] == [each for each in news if each.due != NOW]
    told: dict[News, News | None] = dict.fromkeys(taken[:1])
    assert settle(kept, told) == kept[len(taken[:1]) :]
    assert settle(kept, {}) == kept


def test_a_row_has_the_same_news_once() -> None:
    """What is kept twice, as after a commit whose answer was lost, is told once."""
    row = a_row().with_news(some_news(), some_news("other"))
    assert row.with_news(some_news(since=after(1))) is row
    assert [each.plugin for each in row.with_news(some_news("third")).news] == ["notify", "other", "third"]


def test_a_row_says_when_its_news_are_due() -> None:
    """By those that are not given up; a row without any is due never."""
    assert (a_row().news_due, a_row().news_since) == (None, None)
    over = some_news("over", due=None, since=after(-9))
    assert (a_row(news=(over,)).news_due, a_row(news=(over,)).news_since) == (None, None)
    row = a_row(news=(over, some_news(due=after(4), since=after(2)), some_news("x", due=after(3), since=after(1))))
    assert (row.news_due, row.news_since) == (after(3), after(1))
