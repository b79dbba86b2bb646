from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.model.handover import Decline
from tests.hooks.kit import HANDOVER, LISTED, TWILIO, use
from tests.plugins.kit import block, bundled, faults, hosted, undescribed
from tests.rehearsal.kit import loaded, messages, rehearse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from router.hooks.discovery import FoundPlugin

NAME = "limits"
START = datetime(2026, 1, 5, 12, tzinfo=UTC)
ANNE, BERT = "whatsapp:+15550100", "whatsapp:+15550101"


FOUND = bundled(NAME)


class Door:
    """A plugin of its own that has counted nothing yet, and handovers that come to it."""

    def __init__(self, found: FoundPlugin = FOUND, most_keys: int = 10_000, **config: Any) -> None:
        self.module = cast("Any", found.plugin)
        self.module.PASSED = self.module.Passed(most_keys)
        self._host, _reports = hosted(found)
        self._config = config
        self._calls = 0

    async def admits(self, second: float = 0, *, config: Mapping[str, Any] | None = None, **fields: Any) -> bool:
        """Say whether a handover that comes so many seconds after the start is let through."""
        self._calls += 1
        at = START + timedelta(seconds=second)
        handover = dataclasses.replace(HANDOVER, **{"id": f"HO{self._calls:032}", "at": at, **fields})
        try:
            passed = await self._host.before_swap(handover, [use(NAME, **(config or self._config))], LISTED.get, TWILIO)
        except Decline:
            return False
        assert passed == handover
        return True

    def remembered(self) -> int:
        return len(self.module.PASSED)


async def test_so_many_pass_and_no_more() -> None:
    """The window slides: a place is free as soon as the oldest is just as old as the window is long."""
    door = Door(per_tool={"most": 2, "per": "minute"})
    asked = [0, 20, 59.9, 60, 61, 79.9, 80, 200]
    assert [second for second in asked if await door.admits(second)] == [0, 20, 60, 80, 200]


@given(st.lists(st.tuples(st.integers(0, 25), st.sampled_from([ANNE, BERT])), max_size=40), st.integers(1, 5))
@settings(max_examples=100)
async def test_no_window_ever_has_more_than_the_limit(calls: list[tuple[int, str]], most: int) -> None:
    """Whoever comes whenever: just those pass before whom fewer than the limit passed in the last minute."""
    door = Door(per_identity={"most": most, "per": 60})
    passed: list[tuple[int, str]] = []
    second = 0
    for gap, identity in calls:
        second += gap
        before = Counter(who for when, who in passed if second - when < 60)
        admitted = await door.admits(second, identity=identity)
        assert admitted == (before[identity] < most)
        passed += [(second, identity)] * admitted


@pytest.mark.parametrize(("per", "seconds"), [("minute", 60), ("hour", 3600), (7, 7)])
async def test_a_time_is_a_word_or_seconds(per: str | int, seconds: int) -> None:
    """A minute and an hour are what they are elsewhere."""
    door = Door(per_tool={"most": 1, "per": per})
    assert [await door.admits(second) for second in (0, seconds - 0.1, seconds)] == [True, False, True]


@pytest.mark.parametrize(
    ("scope", "field", "other"),
    [("per_tool", "tool", "/tools/other"), ("per_caller", "caller", "studio"), ("per_identity", "identity", BERT)],
)
async def test_each_tool_caller_and_identity_has_a_window_of_its_own(scope: str, field: str, other: str) -> None:
    """What one has used up, another has not."""
    config: dict[str, Any] = {scope: {"most": 1, "per": "hour"}}
    door = Door(**config)
    assert await door.admits()
    assert not await door.admits()
    others: dict[str, Any] = {field: other}
    assert await door.admits(**others)


async def test_nobody_in_particular_has_no_limit() -> None:
    """A call without an identity is not counted as somebody's."""
    door = Door(per_identity={"most": 1, "per": "hour"})
    assert all([await door.admits(identity="") for _ in range(3)])


async def test_one_that_is_declined_does_not_count() -> None:
    """What one limit refuses takes no place within another."""
    door = Door(per_tool={"most": 2, "per": "hour"}, per_identity={"most": 1, "per": "hour"})
    assert [await door.admits(identity=who) for who in (ANNE, ANNE, ANNE, BERT)] == [True, False, False, True]


async def test_the_same_handover_counts_once() -> None:
    """To be asked again about one that passed is nothing new, also where the limit is reached."""
    door = Door(per_tool={"most": 1, "per": "hour"})
    assert [await door.admits(id=HANDOVER.id) for _ in range(3)] == [True, True, True]
    assert not await door.admits()


async def test_equal_limits_count_together_and_others_apart() -> None:
    """A tool with other numbers has windows of its own; it is the numbers that count, not how they are written."""
    hourly: dict[str, Any] = {"per_identity": {"most": 1, "per": "hour"}}
    door = Door(**hourly)
    assert await door.admits()
    assert not await door.admits(tool="/tools/other", config={"per_identity": {"most": 1, "per": 3600}})
    assert await door.admits(tool="/tools/other", config={"per_identity": {"most": 2, "per": 3600}})


async def test_without_a_limit_everything_passes() -> None:
    """A plugin that is switched on for a tool that sets nothing is in nobody's way."""
    door = Door(message="Never told.")
    assert all([await door.admits() for _ in range(3)])
    assert door.remembered() == 0


async def test_two_apps_count_apart() -> None:
    """Each load has its own count, so that one app does not use up what another may have."""
    limit: dict[str, Any] = {"most": 1, "per": "hour"}
    first, second = Door(bundled(NAME), per_tool=limit), Door(bundled(NAME), per_tool=limit)
    assert [await first.admits(), await first.admits(), await second.admits()] == [True, False, True]


async def test_a_clock_that_is_set_back_shuts_nobody_out() -> None:
    """What was counted in a time that is still to come counts no more; what came a little out of order does."""
    door = Door(per_tool={"most": 2, "per": "minute"})
    asked = [3600, 3601, 3602, 0, 5, 3, 61]
    assert [await door.admits(second) for second in asked] == [True, True, False, True, True, False, True]
    assert [len(times) for times in door.module.PASSED._times.values()] == [2]


async def test_what_counts_no_more_is_forgotten() -> None:
    """Customers who were quiet for a whole window leave nothing behind; one in the window stays."""
    door = Door(per_identity={"most": 5, "per": "minute"})
    for second in range(50):
        assert await door.admits(second, identity=f"chat:{second}")
    assert door.remembered() == 50
    assert await door.admits(100, identity=ANNE)
    assert door.remembered() == 10
    assert await door.admits(1000, identity=ANNE)
    assert door.remembered() == 1


async def test_made_up_identities_do_not_fill_the_memory() -> None:
    """Of too many the one that was quiet for longest goes, and one that was heard of again stays."""
    door = Door(most_keys=3, per_identity={"most": 2, "per": "hour"})
    for identity in ("chat:1", "chat:2", "chat:3", "chat:1", "chat:4"):
        assert await door.admits(identity=identity)
    assert door.remembered() == 3
    assert not await door.admits(identity="chat:1")
    assert [await door.admits(identity="chat:2") for _ in range(3)] == [True, True, False]


async def test_of_each_window_no_more_is_kept_than_counts() -> None:
    """A busy tool takes as much memory as its limit, however long it is busy."""
    door = Door(per_tool={"most": 3, "per": 1})
    for second in range(100):
        assert await door.admits(second)
    assert [len(times) for times in door.module.PASSED._times.values()] == [3]


async def test_the_model_is_told_what_to_do_now() -> None:
    """By the sentence of the config, or by one that says what happened."""
    host, _reports = hosted(bundled(NAME))
    limit: dict[str, Any] = {"per_tool": {"most": 1, "per": "hour"}}
    await host.before_swap(HANDOVER, [use(NAME, **limit)], LISTED.get, TWILIO)
    later = dataclasses.replace(HANDOVER, id="HO" + "1" * 32)
    for config, sentence in ((limit, block(NAME, "text").strip()), ({**limit, "message": "Wait."}, "Wait.")):
        with pytest.raises(Decline) as declined:
            await host.before_swap(later, [use(NAME, **config)], LISTED.get, TWILIO)
        assert declined.value.sentence == sentence


async def test_tests_of_the_routes_never_reach_a_limit(tmp_path: Path) -> None:
    """A file with many tests is not refused for being tested well."""
    one = "\n  - {name: %s, call: {tool: /tools/recipe}, expect: {outcome: handed_over}}"
    more = "plugins: [{use: limits, config: {per_tool: {most: 1, per: hour}}}]\ntests:" + one % "a" + one % "b"
    report = await rehearse(loaded(tmp_path, more))
    assert (len(report.results), messages(report)) == (2, [])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"per_tool": {"most": 0, "per": "hour"}}, "'most' of"),
        ({"per_tool": {"most": 1001, "per": "hour"}}, "is too large: at most 1000"),
        ({"per_tool": {"most": 5, "per": "day"}}, "'day' is no time: write minute, hour, or seconds from 1 to 86400"),
        ({"per_tool": {"most": 5, "per": 0}}, "is too small: at least 1"),
        ({"per_tool": {"most": 5}}, "lacks 'per'"),
        ({"per_tool": {"per": "hour"}}, "lacks 'most'"),
        ({"per_tool": 5}, "expected a mapping"),
        ({"per_tol": {}}, "no key 'per_tol'; did you mean 'per_tool'?"),
        ({"message": ""}, "'message'"),
    ],
)
def test_a_wrong_config_is_told_by_the_check(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    """Each slip is found before the first call, and the message says what would be right."""
    told = faults(tmp_path, NAME, config)
    assert len(told) == 1
    assert message in told[0]


def test_the_page_describes_the_config() -> None:
    """Each key stands on the page, with its default."""
    assert undescribed(bundled(NAME)) == []
