"""What plugins put around a swap: entered in order, left in the other, whatever happens in between."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest

from router import Decline
from router.clock import Clock
from router.errors import TwilioBusy
from router.hooks.discovery import discover
from router.hooks.host import PluginFailed, PluginHost
from tests.hooks.kit import CONTINUE, HANDOVER, TWILIO, bench, use, write

if TYPE_CHECKING:
    from pathlib import Path

    from router.hooks.host import PluginReport

SURROUND = """
from contextlib import asynccontextmanager

@hookimpl
@asynccontextmanager
async def around_swap(handover, config, twilio):
    print("in", config["x"])
    try:
        {before}
        yield
    except BaseException as error:
        print("saw", type(error).__name__)
        {instead}
    finally:
        print("out", config["x"])
        {after}
"""


def surround(before: str = "pass", after: str = "pass", instead: str = "raise") -> str:
    return SURROUND.format(before=before, after=after, instead=instead)


async def swap(host: PluginHost, *names: str, error: BaseException | None = None, **how: Any) -> None:
    async with host.around_swap(HANDOVER, [use(name, x=name, **how) for name in names], TWILIO):
        sys.stdout.write("swap\n")
        if error is not None:
            raise error


async def test_they_are_left_in_the_opposite_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first in the route is the outermost; a plugin that is not in use has no part in it."""
    made = bench(tmp_path, a=surround(), b=surround(), off=surround())
    await swap(made.host, "b", "a")
    assert capsys.readouterr().out.splitlines() == ["in b", "in a", "swap", "out a", "out b"]
    assert made.reports == []


async def test_an_exception_is_seen_and_not_swallowed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that swallows it, and one that passes it on: the swap has failed all the same, and nobody is to blame."""
    made = bench(tmp_path, a=surround(), b=surround(instead="pass"))
    with pytest.raises(TwilioBusy, match="no answer"):
        await swap(made.host, "a", "b", error=TwilioBusy("create", "no answer"))
    assert capsys.readouterr().out.splitlines()[3:] == ["saw TwilioBusy", "out b", "saw TwilioBusy", "out a"]
    assert made.reports == []


async def test_what_is_raised_instead_is_never_felt(tmp_path: Path) -> None:
    """The error of the swap is what counts; that of the plugin goes into the log."""
    made = bench(tmp_path, a=surround(instead="raise ValueError('mine') from error"))
    with pytest.raises(TwilioBusy):
        await swap(made.host, "a", error=TwilioBusy("create", "no answer"))
    assert made.reasons == ["a.around_swap: ValueError: mine (line 15)"]
    assert [report.handover for report in made.reports] == [HANDOVER.id]


async def test_a_decline_leaves_what_was_entered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who was entered before sees why nothing is swapped; the one that declines cleans up by itself."""
    made = bench(tmp_path, a=surround(), b=surround(before="raise Decline('Not now.')"), c=surround())
    with pytest.raises(Decline, match="Not now"):
        await swap(made.host, "a", "b", "c", on_error=CONTINUE)
    assert capsys.readouterr().out.splitlines() == ["in a", "in b", "saw Decline", "out b", "saw Decline", "out a"]


async def test_a_decline_out_of_a_task_group_declines(tmp_path: Path) -> None:
    """A task group wraps what its tasks raise; a no is a no all the same, whatever else went wrong beside it."""
    group = "raise BaseExceptionGroup('all', [ValueError(), ExceptionGroup('some', [Decline('Not now.')])])"
    made = bench(tmp_path, a=surround(before=group))
    with pytest.raises(Decline, match="Not now"):
        await swap(made.host, "a", on_error=CONTINUE)
    assert made.reports == []


async def test_a_failing_entry_leaves_what_was_entered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With on_error stop nothing is swapped; with continue it goes on without the one that failed."""
    made = bench(tmp_path, a=surround(), b=surround(before="raise ValueError"))
    with pytest.raises(PluginFailed, match="plugin 'b' failed in around_swap: ValueError"):
        await swap(made.host, "a", "b")
    assert capsys.readouterr().out.splitlines()[-2:] == ["saw PluginFailed", "out a"]
    await swap(made.host, "a", "b", on_error=CONTINUE)
    assert capsys.readouterr().out.splitlines()[-2:] == ["swap", "out a"]


async def test_what_was_entered_too_late_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A plain function that blocked gives an answer that does not count, and yet must not stay open."""
    source = surround().replace("async def around_swap", "async def surroundings").replace("@hookimpl\n", "")
    source += "\n@hookimpl\ndef around_swap(handover, config, twilio):\n    time.sleep(0.25)\n"
    made = bench(tmp_path, a=source + "    return surroundings(handover, config, twilio)\n")
    await swap(made.host, "a", on_error=CONTINUE)
    await asyncio.sleep(0)
    assert capsys.readouterr().out.splitlines() == ["in a", "swap", "saw CancelledError", "out a"]


async def test_what_is_entered_against_its_cancellation_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An entry that swallows the cancellation of its deadline comes too late, and must not stay open."""
    before = """
        try:
            await asyncio.Event().wait()
        except BaseException:
            print("swallowed")
"""
    made = bench(tmp_path, a=surround(before=before))
    await swap(made.host, "a", on_error=CONTINUE)
    for _ in range(3):
        await asyncio.sleep(0)
    assert capsys.readouterr().out.splitlines() == ["in a", "swap", "swallowed", "saw CancelledError", "out a"]


async def test_our_own_cancellation_unwinds_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """When the server stops in the middle of a swap, each plugin is left, and sees why."""
    made = bench(tmp_path, 30, a=surround(), b=surround())
    entered = asyncio.Event()

    async def work() -> None:
        async with made.host.around_swap(HANDOVER, [use("a", x="a"), use("b", x="b")], TWILIO):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    out = ["saw CancelledError", "out b", "saw CancelledError", "out a"]
    assert capsys.readouterr().out.splitlines()[2:] == out
    assert made.reports == []


async def test_a_cancellation_while_one_enters_unwinds_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The one that is being entered is cancelled, and the one before it is left."""
    made = bench(tmp_path, 30, a=surround(), b=surround(before="await asyncio.Event().wait()"))
    task = asyncio.create_task(swap(made.host, "a", "b"))
    seen = ""
    async with asyncio.timeout(5):
        while "in b" not in seen:
            await asyncio.sleep(0)
            seen += capsys.readouterr().out
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    out = set(capsys.readouterr().out.splitlines())
    assert out == {"saw CancelledError", "out b", "out a"}


async def test_a_cancellation_while_one_is_left_leaves_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing waits for ever for somebody to leave it."""
    made = bench(tmp_path, 30, a=surround(), b=surround(after="await asyncio.Event().wait()"))
    task = asyncio.create_task(swap(made.host, "a", "b"))
    seen = ""
    async with asyncio.timeout(5):
        while "out b" not in seen:
            await asyncio.sleep(0)
            seen += capsys.readouterr().out
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    assert capsys.readouterr().out.splitlines() == ["saw CancelledError", "out a"]


async def test_entering_and_leaving_happen_in_one_task(tmp_path: Path) -> None:
    """So a plugin may open what belongs to its task: a time-out, a task group."""
    body = """
    from contextlib import asynccontextmanager

    @hookimpl
    @asynccontextmanager
    async def around_swap():
        task = asyncio.current_task()
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0))
            yield
        assert asyncio.current_task() is task
    """
    made = bench(tmp_path, a=body)
    async with made.host.around_swap(HANDOVER, [use("a")], TWILIO):
        await asyncio.sleep(0)
    assert made.reports == []


async def test_who_is_not_left_for_want_of_time_is_cancelled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Leaving has the time of one hook in all; what is beyond it is left by a cancellation."""
    ahead = [0.0]
    write(tmp_path, "a", surround())
    write(tmp_path, "b", surround(after="sys.modules['builtins'].late_for_test()"))
    reports: list[PluginReport] = []
    clock = Clock(monotonic=lambda: sum(ahead))
    host = PluginHost.of(discover([tmp_path]).plugins.values(), clock, report=reports.append)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.late_for_test", lambda: ahead.append(9), raising=False)
        await swap(host, "a", "b")
    await asyncio.sleep(0)
    assert capsys.readouterr().out.splitlines()[-3:] == ["out b", "saw CancelledError", "out a"]
    assert reports[-1].reason == "not called: those before it took the 2 s that this hook has in all"
