from __future__ import annotations

import contextlib
import dataclasses
import json
import resource
import stat
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from router.errors import TwilioBusy
from router.model.outcome import Outcome
from router.rehearsal.rehearsal import rehearse
from tests.hooks.kit import FLOW, HANDOVER, TWILIO, use
from tests.plugins.kit import block, bundled, faults, hosted, undescribed
from tests.rehearsal.kit import loaded, messages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


NAME = "audit"
FAILED = TwilioBusy("create a webhook", "too many requests from +15550100", status=429)


class Desk:
    """The plugin of one app, started with a file in ``directory``."""

    def __init__(self, directory: Path, **config: Any) -> None:
        self.path = directory / "audit.jsonl"
        self.use = use(NAME, path=str(self.path), **config)
        self.found = bundled(NAME)
        self.host, self.reports = hosted(self.found)

    async def accepts(self, *, outcome: Outcome = Outcome.HANDED_OVER, **fields: Any) -> None:
        await self.host.after_swap(dataclasses.replace(HANDOVER, **fields), outcome, [self.use], TWILIO)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text("ascii").splitlines()]

    @property
    def reasons(self) -> list[str]:
        return [report.reason for report in self.reports]


@contextlib.asynccontextmanager
async def running(directory: Path, **config: Any) -> AsyncIterator[Desk]:
    desk = Desk(directory, **config)
    assert await desk.host.start([desk.use], TWILIO) == []
    yield desk
    await desk.host.stop(TWILIO)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with running(tmp_path) as desk:
        yield desk


async def test_each_turn_is_a_line(desk: Desk) -> None:
    """In the words of the handoff protocol; the time is that of the line, and that of the call stands beside it."""
    at = datetime(2026, 1, 5, 12, 30, 15, 250_000, UTC)
    before = datetime.now(UTC)
    await desk.accepts(at=at)
    await desk.accepts(at=at, outcome=Outcome.ALREADY_HANDED_OVER)
    await desk.host.swap_failed(HANDOVER, FAILED, [desk.use], TWILIO)
    about = {"handover_id": HANDOVER.id, "conversation": HANDOVER.conversation}
    about |= {"event": "handoff.status", "tool": "/tools/support", "intent": "refund", "flow": FLOW}
    called = {"called_at": "2026-01-05T12:30:15.250Z"}
    times = [datetime.fromisoformat(line.pop("at")) for line in desk.lines]
    assert [{key: value for key, value in line.items() if key != "at"} for line in desk.lines] == [
        {**about, **called, "state": "accepted", "outcome": "handed_over"},
        {**about, **called, "state": "accepted", "outcome": "already_handed_over"},
        {**about, "called_at": "1970-01-01T00:00:00.000Z"}
        | {"state": "failed", "outcome": "failed", "reason": "TwilioBusy"},
    ]
    assert times == sorted(times)
    assert before.replace(microsecond=0) <= times[0] <= datetime.now(UTC)
    assert desk.reports == []


async def test_a_hand_back_completes_the_handover(desk: Desk) -> None:
    """The line bears the id of the handover that has ended, and no outcome of a call."""
    module: Any = desk.found.plugin
    await desk.accepts()
    module.after_hand_back(dataclasses.replace(HANDOVER, inputs={}), desk.use.config)
    accepted, completed = desk.lines
    assert (accepted.pop("state"), completed.pop("state")) == ("accepted", "completed")
    assert accepted.pop("outcome") == "handed_over"
    assert accepted | {"at": completed["at"]} == completed


def test_its_hooks_run_in_threads() -> None:
    """A slow disk holds up no other call."""
    module: Any = bundled(NAME).plugin
    assert module.plugin_info()["blocking"] is True


async def test_no_address_is_written(desk: Desk) -> None:
    """Not the identity, not an input, not the text of an error, not the sentence for the model."""
    await desk.accepts(inputs={"phone": "+15550100"}, message="Goodbye +15550100.")
    await desk.host.swap_failed(HANDOVER, FAILED, [desk.use], TWILIO)
    assert len(desk.lines) == 2
    assert "15550100" not in desk.path.read_text("ascii")


async def test_chosen_inputs_are_written_bounded_and_on_one_line(tmp_path: Path) -> None:
    """Whatever the model wrote: no line is broken by it, none is endless, and none cannot be written."""
    async with running(tmp_path, include=["note", "amount", "missing"]) as desk:
        await desk.accepts(inputs={"amount": 12.5, "note": "a\nb\u2028\udcff", "secret": "x"})
        await desk.accepts(inputs={"note": "x" * 5000, "amount": ["é" * 2000]})
        await desk.accepts(inputs={"secret": "x"})
    first, second, third = desk.lines
    assert first["inputs"] == {"note": "a\nb\u2028\udcff", "amount": 12.5}
    assert second["inputs"] == {"note": "x" * 993 + "… (cut)", "amount": '["' + "é" * 991 + "… (cut)"}
    assert "inputs" not in third


async def test_without_a_path_it_writes_to_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    """And leaves it open when it stops."""
    host, reports = hosted(bundled(NAME))
    for _ in range(2):
        assert await host.start([use(NAME)], TWILIO) == []
        await host.after_swap(HANDOVER, Outcome.HANDED_OVER, [use(NAME)], TWILIO)
        await host.stop(TWILIO)
    print("still open")  # noqa: T201 - what is tested
    first, second, last = capfd.readouterr().out.splitlines()
    assert (json.loads(first)["state"], json.loads(second)["state"], last) == ("accepted", "accepted", "still open")
    assert reports == []


async def test_the_file_is_its_owners_alone(desk: Desk) -> None:
    """It is made at the start, and who may read the log of the router may not therefore read this one."""
    assert stat.S_IMODE(desk.path.stat().st_mode) == 0o600


async def test_what_was_there_stays(tmp_path: Path) -> None:
    """Lines are added behind those of an earlier run, and behind those of another process."""
    (tmp_path / "audit.jsonl").write_text('{"state": "earlier"}\n')
    async with running(tmp_path) as first, running(tmp_path) as second:
        await first.accepts(intent="one")
        await second.accepts(intent="two")
        await first.accepts(intent="three")
    assert [line.get("intent") for line in first.lines] == [None, "one", "two", "three"]


async def test_a_missing_directory_is_a_fault_at_the_start(tmp_path: Path) -> None:
    """It is named, and what to do about it is said."""
    desk = Desk(tmp_path / "audits")
    (failure,) = await desk.host.start([desk.use], TWILIO)
    assert f"there is no directory {tmp_path / 'audits'}; make it, or change 'path'" in str(failure)
    assert not (tmp_path / "audits").exists()


async def test_after_a_rotation_the_next_line_is_in_a_new_file(desk: Desk) -> None:
    """Moved away, deleted or replaced: what is written stands where one looks for it."""
    await desk.accepts(intent="first")
    desk.path.rename(desk.path.with_suffix(".1"))
    await desk.accepts(intent="second")
    assert [line["intent"] for line in desk.lines] == ["second"]
    assert stat.S_IMODE(desk.path.stat().st_mode) == 0o600
    desk.path.unlink()
    desk.path.write_text("")
    await desk.accepts(intent="third")
    assert [line["intent"] for line in desk.lines] == ["third"]
    assert len(desk.path.with_suffix(".1").read_text().splitlines()) == 1
    assert desk.reports == []


async def test_a_directory_that_is_taken_away_and_comes_back(tmp_path: Path) -> None:
    """In between each line is the observer's failure; afterwards they are written again."""
    away = tmp_path / "away"
    away.mkdir()
    async with running(away) as desk:
        away.rename(tmp_path / "elsewhere")
        await desk.accepts()
        await desk.accepts()
        assert ["there is no directory" in reason for reason in desk.reasons] == [True, True]
        away.mkdir()
        await desk.accepts()
    assert len(desk.lines) == 1


async def test_a_full_disk_is_never_felt(desk: Desk) -> None:
    """The failure is counted, the handover goes on, and nothing is raised."""
    full = use(NAME, path="/dev/full")
    await desk.host.after_swap(HANDOVER, Outcome.HANDED_OVER, [full], TWILIO)
    assert len(desk.reasons) == 1
    assert "No space left on device" in desk.reasons[0]
    assert desk.host.figures[NAME, "after_swap"].failures == 1


@pytest.fixture
def small_files() -> Iterator[Any]:
    """Gives a way to let no file grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda most: resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_line_that_was_cut_off_spoils_no_other(desk: Desk, small_files: Any) -> None:
    """Half a line is told as a failure, and the next one begins on a line of its own."""
    await desk.accepts()
    length = desk.path.stat().st_size
    small_files(length + 10)
    await desk.accepts()
    small_files(resource.RLIM_INFINITY)
    assert len(desk.reasons) == 1
    assert f"only 10 of {length} bytes could be written; is the disk full?" in desk.reasons[0]
    await desk.accepts(intent="later")
    await desk.accepts(intent="latest")
    _first, torn, later, latest = desk.path.read_text().splitlines()
    assert torn == '{"event": '
    assert (json.loads(later)["intent"], json.loads(latest)["intent"]) == ("later", "latest")


async def test_a_route_may_have_a_file_of_its_own(desk: Desk, tmp_path: Path) -> None:
    """It is opened when the first line comes, and closed with the others."""
    own = use(NAME, path=str(tmp_path / "refunds.jsonl"))
    await desk.host.after_swap(HANDOVER, Outcome.HANDED_OVER, [own], TWILIO)
    await desk.accepts()
    await desk.host.stop(TWILIO)
    assert len((tmp_path / "refunds.jsonl").read_text().splitlines()) == 1
    assert len(desk.lines) == 1
    module: Any = desk.found.plugin
    assert module.JOURNALS == {}


async def test_a_thread_that_is_late_opens_nothing(desk: Desk) -> None:
    """It had the journal before the plugin was stopped: its line is refused, and no file stays open."""
    module: Any = desk.found.plugin
    journal = module.journal_of(desk.use.config)
    await desk.host.stop(TWILIO)
    with pytest.raises(OSError, match="the plugin was stopped before the line could be written"):
        journal.add(b"{}")
    assert journal._file is None


async def test_a_reader_that_is_too_slow_is_told_of(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe that does not block takes nothing where it is full."""
    module: Any = desk.found.plugin
    journal = module.journal_of(desk.use.config)

    class Full:
        def write(self, _line: bytes) -> None:
            return None

    monkeypatch.setattr(journal, "open", Full)
    with pytest.raises(OSError, match="only 0 of 3 bytes could be written"):
        journal.add(b"{}")


async def test_what_was_never_written_to_closes_too(tmp_path: Path) -> None:
    """A journal whose file could not be opened is no trouble when the plugin stops."""
    desk = Desk(tmp_path / "missing")
    await desk.accepts()
    await desk.host.start([use(NAME)], TWILIO)
    await desk.host.stop(TWILIO)
    assert [report.hook for report in desk.reports] == ["after_swap"]


async def test_lines_of_several_threads_are_whole_also_while_the_log_is_rotated(desk: Desk) -> None:
    """Blocking hooks run in threads: no line is lost, written twice, or within another."""
    module: Any = desk.found.plugin
    journal = module.journal_of(desk.use.config)
    old = desk.path.with_suffix(".1")

    def write(name: str) -> None:
        for number in range(200):
            journal.add(json.dumps([name, number]).encode())

    threads = [threading.Thread(target=write, args=(f"thread {each}",)) for each in range(4)]
    for thread in threads:
        thread.start()
    desk.path.rename(old)
    for thread in threads:
        thread.join()
    await desk.accepts()
    written = [tuple(json.loads(line)) for path in (old, desk.path) for line in path.read_text().splitlines()]
    assert sorted(written[:-1]) == sorted((f"thread {each}", number) for each in range(4) for number in range(200))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"path": ""}, "'path' of"),
        ({"path": 7}, "expected text"),
        ({"include": "order_id"}, "expected a list"),
        ({"pth": "-"}, "no key 'pth'; did you mean 'path'?"),
    ],
)
def test_a_wrong_config_is_told_by_the_check(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    """Each slip is found before the first call."""
    told = faults(tmp_path, NAME, config)
    assert len(told) == 1
    assert message in told[0]


async def test_tests_of_the_routes_write_nothing(tmp_path: Path) -> None:
    """They start the plugin, and no line tells of a customer who is none."""
    path = tmp_path / "audit.jsonl"
    more = f"plugins: [{{use: audit, config: {{path: {path}}}}}]\n"
    more += "tests: [{name: a test, call: {tool: /tools/recipe}, expect: {outcome: handed_over}}]\n"
    assert messages(await rehearse(loaded(tmp_path, more))) == []
    assert path.read_text() == ""


async def test_the_page_shows_what_is_written(desk: Desk) -> None:
    """The page's example has the live keys, and its table the live defaults."""
    desk.use = dataclasses.replace(desk.use, config={**desk.use.config, "include": ["order_id"]})
    await desk.accepts()
    (written,) = desk.lines
    shown = json.loads(block(NAME, "json"))
    assert list(shown) == list(written)
    assert {key: shown[key] for key in ("event", "state", "outcome", "inputs")} == {
        key: written[key] for key in ("event", "state", "outcome", "inputs")
    }
    assert undescribed(desk.found) == []
