from __future__ import annotations

import dataclasses
import sys
import zoneinfo
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from router.cli import group
from router.hooks.failure import PluginFailed
from router.model.handover import Decline
from tests.hooks.kit import FLOW, HANDOVER, LISTED, NIGHT, TWILIO, use
from tests.plugins.kit import block, bundled, faults, hosted, undescribed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from router.model.handover import Handover

NAME = "business-hours"
WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CLOSED = {"decline": "Come back tomorrow."}
BERLIN = {
    "timezone": "Europe/Berlin",
    "open": {
        "monday": ["09:00-12:30", "13:30-17:30"],
        "friday": ["22:00-02:00"],
        "saturday": ["20:00-00:00"],
        "sunday": ["01:30-02:30", "20:00-24:00"],
    },
    "closed": CLOSED,
}
FOUND = bundled(NAME)
IS_OPEN = FOUND.plugin.is_open  # type: ignore[attr-defined]  # of the module that the plugin is


async def asked(config: Mapping[str, Any], at: str) -> Handover:
    """Ask the guard about a handover at a time; raises what it raises."""
    handover = dataclasses.replace(HANDOVER, at=datetime.fromisoformat(at).astimezone(UTC))
    host, _reports = hosted(FOUND)
    return await host.before_swap(handover, [use(NAME, **config)], LISTED.get, TWILIO)


async def is_open(config: Mapping[str, Any], at: str) -> bool:
    try:
        return await asked(config, at) is not None
    except Decline:
        return False


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-01-05T08:59:59+01:00", False),  # a Monday
        ("2026-01-05T09:00:00+01:00", True),
        ("2026-01-05T12:29:59.999999+01:00", True),
        ("2026-01-05T12:30:00+01:00", False),
        ("2026-01-05T13:30:00+01:00", True),
        ("2026-01-05T17:30:00+01:00", False),
        ("2026-01-06T10:00:00+01:00", False),
        ("2026-01-09T21:59:59+01:00", False),
        ("2026-01-09T22:00:00+01:00", True),
        ("2026-01-10T01:59:59+01:00", True),
        ("2026-01-10T02:00:00+01:00", False),
        ("2026-01-10T23:59:59+01:00", True),
        ("2026-01-11T00:00:00+01:00", False),
        ("2026-01-11T23:59:59+01:00", True),
        ("2026-01-12T00:00:00+01:00", False),
    ],
)
async def test_a_span_has_its_first_minute_and_not_its_last(at: str, *, expected: bool) -> None:
    """Over noon, over midnight and up to midnight, by the clock of the desk's time zone; other days are closed."""
    assert await is_open(BERLIN, at) is expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-03-29T00:30:00+00:00", True),  # 01:30, and half an hour later it is 03:00
        ("2026-03-29T00:59:59+00:00", True),
        ("2026-03-29T01:00:00+00:00", False),
        ("2026-10-24T23:30:00+00:00", True),  # 01:30
        ("2026-10-25T00:29:59+00:00", True),
        ("2026-10-25T00:30:00+00:00", False),  # 02:30 for the first time
        ("2026-10-25T01:00:00+00:00", True),  # 02:00 for the second time
        ("2026-10-25T01:29:59+00:00", True),
        ("2026-10-25T01:30:00+00:00", False),
    ],
)
async def test_the_clock_on_the_wall_counts_where_it_is_changed(at: str, *, expected: bool) -> None:
    """The hour that is left out ends a span within it, and the hour that comes twice is open twice."""
    assert await is_open(BERLIN, at) is expected


async def test_a_span_that_begins_in_the_missing_hour_begins_after_it() -> None:
    """02:30 never comes in that night, and at 03:00 the desk is open."""
    config = {**BERLIN, "open": {"sunday": ["02:30-10:00"]}}
    assert not await is_open(config, "2026-03-29T00:59:59+00:00")
    assert await is_open(config, "2026-03-29T01:00:00+00:00")


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-12-25T10:00:00", False),  # a Friday, and Christmas
        ("2026-12-25T00:59:59", True),  # the night of its eve
        ("2026-12-25T01:00:00", False),
        ("2026-12-25T23:00:00", False),
        ("2026-12-26T00:30:00", False),  # the night of the holiday itself
        ("2026-12-24T17:30:00", False),  # has hours of its own
        ("2026-12-24T23:30:00", True),
        ("2027-12-24T23:30:00", False),
        ("2026-12-31T10:00:00", True),
        ("2027-12-31T10:00:00", False),
        ("2028-02-29T10:00:00", False),
        ("2027-03-01T10:00:00", True),
    ],
)
async def test_a_holiday_has_its_own_hours_or_none(at: str, *, expected: bool) -> None:
    """A night belongs to the day on which it begins; one year's date goes before each year's."""
    config = {
        "timezone": "UTC",
        "open": {day: ["08:00-18:00"] for day in WEEK},
        "holidays": [
            "12-24",
            "12-25",
            "12-31",
            "02-29",
            {"date": "2026-12-24", "open": ["10:00-14:00", "23:00-01:00"]},
            {"date": "2026-12-31", "open": ["08:00-12:00"]},
        ],
        "closed": CLOSED,
    }
    assert await is_open(config, f"{at}+00:00") is expected


TIMES = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 1, 15, 30, 59]))
SPANS = st.lists(
    st.tuples(TIMES, TIMES | st.just("24:00")).filter(lambda times: times[0] != times[1]).map("-".join), max_size=3
)
DAYS = st.dates(date(2026, 1, 1), date(2027, 12, 31))
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "America/Santiago", "Africa/Cairo", "Australia/Lord_Howe"]
"""Two of them change their clocks at midnight, and one by half an hour."""


@st.composite
def times_near_a_change(draw: st.DrawFn, zone: str) -> datetime:
    """Give a time of two years; often it is near one at which the clock is changed."""
    start = datetime.combine(draw(DAYS), datetime.min.time(), UTC)
    if draw(st.booleans()):
        here = ZoneInfo(zone)
        later = (start + timedelta(days=each) for each in range(300))
        start = next((day for day in later if day.astimezone(here).utcoffset() != _a_day_on(day, here)), start)
    return start + timedelta(seconds=draw(st.integers(0, 2 * 24 * 3600)))


def _a_day_on(day: datetime, zone: ZoneInfo) -> timedelta | None:
    return (day + timedelta(days=1)).astimezone(zone).utcoffset()


@st.composite
def situations(draw: st.DrawFn) -> tuple[dict[str, Any], datetime]:
    zone = draw(st.sampled_from(ZONES))
    at = draw(times_near_a_change(zone))
    near = [at.date() + timedelta(days=days) for days in (-2, -1, 0, 1)]
    dates = draw(st.sets(st.sampled_from([f"{day:{form}}" for day in near for form in ("%Y-%m-%d", "%m-%d")])))
    holidays = [draw(st.just(day) | st.fixed_dictionaries({"date": st.just(day), "open": SPANS})) for day in dates]
    week = draw(st.dictionaries(st.sampled_from(WEEK), SPANS))
    return {"timezone": zone, "open": week, "holidays": holidays, "closed": CLOSED}, at


def open_minutes(config: Mapping[str, Any], day: date) -> Iterator[datetime]:
    """Walk from minute to minute through the spans that begin on a day, by a clock that is never changed."""
    own = {holiday if isinstance(holiday, str) else holiday["date"]: holiday for holiday in config["holidays"]}
    spans = config["open"].get(WEEK[day.weekday()], [])
    for each in (day.strftime("%m-%d"), day.isoformat()):
        if each in own:
            spans = [] if isinstance(own[each], str) else own[each]["open"]
    for span in spans:
        begin, end = span.replace("24:00", "00:00").split("-")
        time = datetime.combine(day, datetime.strptime(begin, "%H:%M").time())  # noqa: DTZ007 - a clock on a wall
        while True:
            yield time
            time += timedelta(minutes=1)
            if f"{time:%H:%M}" == end:
                break


@given(situations())
@settings(max_examples=150)
def test_it_is_open_in_the_minutes_that_a_walk_through_the_spans_finds(
    situation: tuple[dict[str, Any], datetime],
) -> None:
    """Whatever the hours, the holidays and the zone: within two years, and often near a change of the clock."""
    config, at = situation
    on_the_wall = at.astimezone(ZoneInfo(config["timezone"])).replace(second=0, microsecond=0, tzinfo=None)
    days = (on_the_wall.date() - timedelta(days=1), on_the_wall.date())
    assert IS_OPEN(config, at) == any(on_the_wall in open_minutes(config, day) for day in days)


@pytest.mark.parametrize(
    ("closed", "flow", "message"),
    [
        ({"flow": "night"}, NIGHT, HANDOVER.message),
        ({"message": "It takes until tomorrow."}, FLOW, "It takes until tomorrow."),
        ({"flow": NIGHT, "message": "Our night desk takes over."}, NIGHT, "Our night desk takes over."),
    ],
)
async def test_outside_the_hours_another_flow_or_sentence_is_given(
    closed: dict[str, str], flow: str, message: str
) -> None:
    """What ``closed`` does not name stays as it was."""
    handover = await asked({**BERLIN, "closed": closed}, "2026-01-06T10:00:00+01:00")
    assert (handover.flow, handover.message) == (flow, message)


async def test_outside_the_hours_it_declines_with_the_sentence_of_the_config() -> None:
    """And within them the handover is as it was."""
    with pytest.raises(Decline, match=r"Come back tomorrow\."):
        await asked(BERLIN, "2026-01-06T10:00:00+01:00")
    at = datetime(2026, 1, 5, 10, tzinfo=UTC)
    assert await asked(BERLIN, at.isoformat()) == dataclasses.replace(HANDOVER, at=at)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"timezone": "Europe/Berln"}, "'Europe/Berln' is no time zone that this machine knows, such as Europe/Berlin"),
        ({"timezone": "../../etc/passwd"}, "no time zone that this machine knows"),
        ({"open": {"mondy": []}}, "no key 'mondy'; did you mean 'monday'?"),
        ({"open": {"monday": "09:00-17:30"}}, "expected a list"),
        ({"open": {"monday": ["9:00-17:30"]}}, "'9:00-17:30' is no span such as '09:00-17:30'"),
        ({"open": {"monday": ["09:00-09:00"]}}, "'09:00-09:00' is no span"),
        ({"open": {"monday": ["09:00-24:30"]}}, "'09:00-24:30' is no span"),
        ({"open": {"monday": ["24:00-02:00"]}}, "'24:00-02:00' is no span"),
        ({"holidays": ["2026-02-30"]}, "'2026-02-30' is no day of the calendar"),
        ({"holidays": ["06-31"]}, "'06-31' is no day of the calendar"),
        ({"holidays": ["25.12."]}, "'25.12.' is no day of the calendar"),
        ({"holidays": [{"date": "13-01", "open": []}]}, "'13-01' is no day of the calendar"),
        ({"holidays": [{"date": "12-24"}]}, "lacks 'open'"),
        ({"closed": {}}, "'closed' wants either 'decline', or 'flow', 'message' or both"),
        ({"closed": {"decline": "No.", "message": "Come back."}}, "'closed' wants either 'decline'"),
        ({"closed": {"decline": " "}}, "'decline'"),
        ({"opens": {}}, "no key 'opens'; did you mean 'open'?"),
    ],
)
def test_a_wrong_config_is_told_by_the_check(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """Each slip is found before the first call, and the message says what would be right."""
    told = faults(tmp_path, NAME, {**BERLIN, **change})
    assert len(told) == 1
    assert message in told[0]


def test_what_is_needed_is_missed_by_the_check(tmp_path: Path) -> None:
    """A desk without a time zone, hours, or a word for those who come outside them, is none."""
    missing = sorted(faults(tmp_path, NAME, {}))
    assert [message.split("lacks ")[1].split(";")[0] for message in missing] == ["'closed'", "'open'", "'timezone'"]


@pytest.mark.parametrize(
    ("holidays", "reason"),
    [
        (["2027-02-29"], "'holidays' has 2027-02-29, but that year has no 29 February"),
        (["12-25", {"date": "12-25", "open": []}], "'holidays' has 12-25 twice"),
        (["2028-02-29", "02-29", "2026-12-25", "12-25"], ""),
        (None, ""),
    ],
)
async def test_what_a_schema_cannot_tell_is_told_at_the_start(holidays: Any, reason: str) -> None:
    """A day that never comes and a day with two meanings are faults of the configuration; a removed list is none."""
    host, _reports = hosted(FOUND)
    failures = await host.start([use(NAME, holidays=holidays)], TWILIO)
    assert [reason in str(failure) for failure in failures] == ([True] if reason else [])


def test_a_flow_that_there_is_not_is_told_by_the_check(tmp_path: Path) -> None:
    """A slip in ``closed`` is found at load, with the flow that was meant."""
    (told,) = faults(tmp_path, NAME, {**BERLIN, "closed": {"flow": "nihgt"}})
    assert told.startswith("'closed' of 'config' of plugin 'business-hours' names the flow 'nihgt', which is not in")


async def test_a_flow_that_is_not_listed_is_a_failure_of_the_guard() -> None:
    """A slip in ``closed`` that got past the check is told with the flow's name, and sends nobody astray."""
    with pytest.raises(PluginFailed, match="chose the flow 'nihgt', which is not in 'flows'"):
        await asked({**BERLIN, "closed": {"flow": "nihgt"}}, "2026-01-06T10:00:00+01:00")


@pytest.fixture
def bare_machine() -> Iterator[None]:
    """A machine whose system has no time zones."""
    zoneinfo.reset_tzpath(to=())
    ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath()
    ZoneInfo.clear_cache()


@pytest.mark.usefixtures("bare_machine")
async def test_a_machine_without_time_zones_has_those_of_the_package(tmp_path: Path) -> None:
    """The router brings ``tzdata``, so that slim images know Berlin too."""
    assert faults(tmp_path, NAME, BERLIN) == []
    assert await is_open(BERLIN, "2026-01-05T09:00:00+01:00")


@pytest.mark.usefixtures("bare_machine")
def test_a_machine_without_any_time_zone_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the package was taken out, the check tells it, and no call meets it."""
    monkeypatch.setitem(sys.modules, "tzdata", None)
    (fault,) = faults(tmp_path, NAME, BERLIN)
    assert fault.startswith("the plugin 'business-hours' cannot be used: ")
    assert "tzdata" in fault


def test_the_page_shows_what_handover_test_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests of the page's example pass, with the output that the page shows."""
    (tmp_path / "routes.yaml").write_text(block(NAME, "yaml"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(group, ["test"])
    assert (told.exit_code, told.output) == (0, block(NAME, "text"))


def test_the_page_describes_the_config() -> None:
    """Each key stands on the page, with its default."""
    assert undescribed(FOUND) == []
