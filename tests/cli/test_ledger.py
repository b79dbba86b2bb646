"""``handover history`` and ``handover hand-back``: the ledger as people ask it, and speak to it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from router.cli import group
from router.cli.history import _Since
from router.clock import Clock
from router.errors import SettingsError
from router.ledger.durable import DurableLedger
from router.ledger.ledger import Holder
from router.ledger.news import News
from router.ledger.row import Duty, Row, State, Way
from router.model.outcome import Answer, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from click.testing import Result

NOW = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
ONE, TWO, NONE = ("CH" + digit * 32 for digit in "120")


def accepted(number: int, conversation: str, at: datetime = NOW) -> Row:
    row = Row(f"HO{number:032x}", conversation, "IS" + "0" * 32, at, tool="/tools/support", intent="refund")
    row = row.change(flow="FW" + "1" * 32, identity="whatsapp:+1…00", requests=("RQ1", "RQ2"))
    return row.accept(Answer(Outcome.HANDED_OVER, "It is theirs now.", row.id, row.tool), at).close(at)


def failed(number: int, conversation: str, at: datetime) -> Row:
    row = Row(f"HO{number:032x}", conversation, "IS" + "0" * 32, at, tool="/tools/bill")
    answer = Answer(Outcome.FAILED, "It did not work.", row.id, row.tool, detail="create_webhook: Twilio failed")
    return row.fail(answer, at, Duty.RESTORE).retry(at)


async def keep(path: Path, rows: Sequence[Row]) -> None:
    async with DurableLedger(str(path), Holder("test"), Clock()) as ledger:
        for row in rows:
            await ledger.decide(row.conversation, lambda _rows, row=row: (None, (row,)))  # type: ignore[misc]  # bound at once


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HANDOVER_DATABASE_URL", str(tmp_path / "kept.db"))
    monkeypatch.delenv("HANDOVER_CONFIG", raising=False)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, arguments)


def fill(tmp_path: Path) -> None:
    """Two handovers of one conversation, and one of another that is owed something."""
    later = NOW + timedelta(hours=1)
    asyncio.run(keep(tmp_path / "kept.db", [accepted(1, ONE), accepted(2, ONE, later), failed(3, TWO, later)]))


def test_the_history_is_a_table(tmp_path: Path) -> None:
    """The newest is first; what is owed, how often it was tried, and why are in its line, the customer is masked."""
    fill(tmp_path)
    titles, first, *others = run("history").output.splitlines()
    assert titles.split() == [
        *("WHEN", "(UTC)", "CONVERSATION", "TOOL", "INTENT", "STATE", "OUTCOME", "OWED", "CUSTOMER", "REASON")
    ]
    assert "restore (tried 1x)" in first
    assert "create_webhook: Twilio failed" in first
    assert [line.split()[:3] for line in others] == [["2026-11-01", "09:00:00", ONE], ["2026-11-01", "08:00:00", ONE]]
    assert all("whatsapp:+1…00" in line for line in others)


def test_a_handover_that_a_later_one_followed_says_so(tmp_path: Path) -> None:
    """Its flow answers no more; what came to nothing followed nobody, and another conversation is another matter."""
    later = NOW + timedelta(hours=1)
    back = accepted(2, ONE, later).change(way=Way(since=later)).complete(later)
    rows = [accepted(1, ONE), back, accepted(3, TWO), failed(4, TWO, later)]
    asyncio.run(keep(tmp_path / "kept.db", rows))
    lines = run("history", "--intent", "refund").output.splitlines()[1:]
    assert [(line.split()[2], "accepted, followed" in line) for line in lines] == [
        *((ONE, False), (TWO, False), (ONE, True))
    ]


def test_what_is_only_looked_at_again_is_not_told_as_owed(tmp_path: Path) -> None:
    """A conversation that is back is looked at some more times; one that is on its way back is still owed that."""
    asked = accepted(1, ONE).change(way=Way(since=NOW)).owe(Duty.HAND_BACK, NOW)
    asyncio.run(keep(tmp_path / "kept.db", [asked, accepted(2, TWO).owe(Duty.HAND_BACK, NOW).complete(NOW)]))
    back, waits = sorted(run("history").output.splitlines()[1:], key=lambda line: ONE in line)
    assert ("look again" in back, "hand_back" in back) == (True, False)
    assert "hand_back" in waits


def test_the_history_is_json_for_programs(tmp_path: Path) -> None:
    """It has all that is known: what was told, Twilio's names of the requests, and times in ISO 8601."""
    fill(tmp_path)
    (told,) = json.loads(run("history", "--json", "--conversation", ONE, "--limit", "1").output)["handovers"]
    assert (told["id"], told["state"], told["outcome"], told["owed"]) == (f"HO{2:032x}", "accepted", "handed_over", "")
    assert (told["message"], told["requests"]) == ("It is theirs now.", ["RQ1", "RQ2"])
    assert datetime.fromisoformat(told["created"]) == NOW + timedelta(hours=1)
    assert (told["due"], told["execution"]) == (None, "")


@pytest.mark.parametrize(
    ("narrowing", "numbers"),
    [
        (["--conversation", ONE], [2, 1]),
        (["--tool", "/tools/bill"], [3]),
        (["--intent", "refund"], [2, 1]),
        (["--outcome", "failed"], [3]),
        (["--state", "accepted"], [2, 1]),
        (["--since", "2026-11-01T08:30"], [3, 2]),
        (["--since", "2026-11-01T08:30+01:00"], [3, 2, 1]),
        (["--since", "1s"], []),
        (["--since", "9999d"], [3, 2, 1]),
        (["--open"], [3]),
        (["--limit", "1"], [3]),
    ],
    ids=str,
)
def test_the_history_can_be_narrowed_down(tmp_path: Path, narrowing: list[str], numbers: list[int]) -> None:
    """Each option leaves out what does not fit it."""
    fill(tmp_path)
    told = json.loads(run("history", "--json", *narrowing).output)["handovers"]
    assert [each["id"] for each in told] == [f"HO{number:032x}" for number in numbers]


def test_the_history_says_which_plugins_have_not_heard(tmp_path: Path) -> None:
    """Those that are told again, how often that was tried and why it failed; and those that are told no more."""
    since = NOW + timedelta(minutes=1)
    again = News("after_swap", "notify", since, since + timedelta(hours=1), 3, "NotDelivered: it answered 503")
    over, fresh = News("after_swap", "crm", since, None, 10, "gone"), News("after_hand_back", "notify", since, since)
    owed = failed(2, TWO, NOW + timedelta(hours=1)).with_news(fresh)
    asyncio.run(keep(tmp_path / "kept.db", [accepted(1, ONE).with_news(again, over), owed]))
    first, second = run("history").output.splitlines()[1:]
    assert "restore (tried 1x), tell notify" in first
    assert "tell notify (tried 3x), crm not told" in second
    (told,) = json.loads(run("history", "--json", "--conversation", ONE).output)["handovers"]
    about = {"hook": "after_swap", "since": since.isoformat()}
    due = (since + timedelta(hours=1)).isoformat()
    assert told["news"] == [
        {"plugin": "notify", "attempts": 3, "reason": "NotDelivered: it answered 503", "due": due} | about,
        {"plugin": "crm", "attempts": 10, "reason": "gone", "due": None} | about,
    ]


def test_an_empty_history_says_so(tmp_path: Path) -> None:
    """Nothing that fits is no error."""
    fill(tmp_path)
    told = run("history", "--conversation", NONE)
    assert (told.exit_code, told.output) == (0, "No handovers, or none that fit.\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--since", "yesterday"], "expected 30m, 2h, 7d or a time in UTC such as 2026-11-01T08:00, found 'yesterday'"),
        (["--since", "999999d"], "expected 30m, 2h, 7d or a time in UTC"),
        (["--outcome", "fine"], "expected one of handed_over, already_handed_over, declined"),
        (["--conversation", "CH1"], "expected CH and 32 hex digits, found 'CH1'"),
        (["--tool", "nope"], "expected a path that begins with '/', such as /tools/support, found 'nope'"),
        (["--state", "open"], "expected one of initiated, accepted, failed, completed, found 'open'"),
    ],
)
def test_a_wrong_option_says_what_is_expected(arguments: list[str], said: str) -> None:
    """Wrong usage is told in one line, with exit code 2."""
    told = run("history", *arguments)
    assert told.exit_code == 2
    assert said in told.output


def test_a_time_may_be_given_as_one() -> None:
    """A time that is one already is taken as it is."""
    assert _Since().convert(NOW, None, None) == NOW


@pytest.mark.parametrize("command", [["history"], ["hand-back", ONE]])
def test_a_ledger_that_is_not_there_is_no_empty_one(tmp_path: Path, command: list[str]) -> None:
    """A wrong directory is told, and nothing is made there."""
    told = run(*command)
    assert isinstance(told.exception, SettingsError)
    assert f"there is no ledger at {tmp_path / 'kept.db'} yet" in str(told.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_that_does_not_work_is_told(tmp_path: Path) -> None:
    """What is no database is told in one line that names the file."""
    (tmp_path / "kept.db").write_bytes(b"no database at all" * 100)
    told = run("history")
    assert isinstance(told.exception, SettingsError)
    assert str(told.exception).startswith("the ledger: ")
    assert "kept.db" in str(told.exception)


def test_a_hand_back_is_noted_for_a_server(tmp_path: Path) -> None:
    """Where no server does it in time, the wish stays, and the exit code is 1."""
    fill(tmp_path)
    told = run("hand-back", ONE, "--wait", "0.3")
    assert told.exit_code == 1
    assert f"HO{2:032x} is noted and not done yet" in told.output
    (row,) = json.loads(run("history", "--json", "--open", "--conversation", ONE).output)["handovers"]
    assert (row["id"], row["owed"], row["state"]) == (f"HO{2:032x}", "hand_back", "accepted")


def test_a_hand_back_that_is_done_is_told(tmp_path: Path) -> None:
    """It waits until a server has done it; one that was done before is told at once."""
    row = accepted(1, ONE).change(way=Way(since=NOW)).complete(NOW)
    assert row.state is State.COMPLETED
    asyncio.run(keep(tmp_path / "kept.db", [row]))
    told = run("hand-back", ONE)
    assert told.exit_code == 0
    assert told.output == f"{row.id} is handed back: the agent answers in {ONE} again.\n"


async def test_a_hand_back_waits_until_it_is_done(tmp_path: Path) -> None:
    """What a server does meanwhile is seen by the command."""
    await keep(tmp_path / "kept.db", [accepted(1, ONE)])
    waiting = asyncio.create_task(asyncio.to_thread(run, "hand-back", ONE, "--wait", "20"))
    async with DurableLedger(str(tmp_path / "kept.db"), Holder("server"), Clock()) as ledger, asyncio.timeout(20):
        while not (due := await ledger.claim(datetime.now(UTC), 1)):
            await asyncio.sleep(0.05)
        done = due[0].complete(datetime.now(UTC))
        await ledger.decide(ONE, lambda _rows: (None, (done,)))
        told = await waiting
    assert told.exit_code == 0
    assert told.output.endswith(f"is handed back: the agent answers in {ONE} again.\n")


def test_what_was_never_handed_over_cannot_go_back(tmp_path: Path) -> None:
    """It says so, with exit code 1."""
    fill(tmp_path)
    told = run("hand-back", NONE)
    assert (told.exit_code, told.output) == (1, f"handover: no handover of {NONE} is known to this ledger\n")


def test_a_conversation_is_named_by_its_sid() -> None:
    """Anything else is wrong usage."""
    told = run("hand-back", "CH1")
    assert told.exit_code == 2
    assert "expected CH and 32 hex digits, found 'CH1'" in told.output
