"""The telling in the background: at least once, at its own pace, by whoever is there, and not for ever."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from router.config import load
from router.handover import hand_over
from router.ledger.ledger import Filter
from router.ledger.news import IN_HAND, PAUSES, News
from router.model.outcome import Outcome
from router.rounds import Rounds
from router.sandbox.faults import Kind
from tests.faulty import FaultyLedger
from tests.kit import (
    AGENT_URL,
    DELETE,
    LIST,
    ROUTES,
    TOOL,
    LeapingClock,
    agents,
    arm,
    call,
    open_desk,
    settled,
    until,
)
from tests.observers import PLUGINS, cure, deafen, entries, heard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from router.desk import Desk
    from router.ledger.row import Row
    from router.model.execution import Executions
    from router.sandbox.sandbox import Sandbox

KEPT = timedelta(days=90)


def rounds_of(desk: Desk, on_given_up: Any = lambda _news: None) -> Rounds:
    return Rounds(lambda: desk, cast("Executions", desk.gateway), KEPT, on_given_up)


async def the_row(desk: Desk) -> Row:
    (row,) = await desk.ledger.history(Filter())
    return row


def leap(desk: Desk, seconds: float) -> None:
    assert isinstance(desk.clock, LeapingClock)
    desk.clock.leap(desk.clock.now() + timedelta(seconds=seconds))


@contextlib.asynccontextmanager
async def handed_over(
    sandbox: Sandbox, directory: Path, routes: str = "", **how: Any
) -> AsyncIterator[tuple[Desk, Rounds, list[News]]]:
    """Hand over at a desk with both observers; nobody has told the one in the background yet."""
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    plugins = how.pop("plugins", PLUGINS)
    async with open_desk(sandbox, directory, routes or entries(directory), plugins=plugins, **how) as desk:
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.HANDED_OVER
        assert await desk.background.drain(5) == 0
        lost: list[News] = []
        yield desk, rounds_of(desk, lost.append), lost


async def test_a_plugin_that_fails_is_told_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """After five seconds, thirty and so on; the row says how often it was tried and why it failed last."""
    deafen(tmp_path, "later")
    async with handed_over(sandbox, tmp_path) as (desk, rounds, lost):
        for attempt, pause in enumerate(PAUSES[:3], 1):
            assert await rounds.make() == 1
            (news,) = (await the_row(desk)).news
            assert news.attempts == attempt
            assert news.reason.startswith("IsADirectoryError: ")
            leap(desk, pause - 1)
            assert await rounds.make() == 0
            leap(desk, 1.1)
        cure(tmp_path, "later")
        assert await rounds.make() == 1
        assert (await the_row(desk)).news == ()
        assert await rounds.make() == 0
    assert [each.what for each in heard(tmp_path, "later")] == ["handed_over"]
    assert lost == []


async def test_a_plugin_that_never_hears_is_given_up(sandbox: Sandbox, tmp_path: Path) -> None:
    """After ten attempts, most of a day later: the log, the figures and the history say so; nothing is tried again."""
    deafen(tmp_path, "later")
    stream = io.StringIO()
    async with handed_over(sandbox, tmp_path, stream=stream) as (desk, rounds, lost):
        begun = 0
        while (due := await desk.ledger.next_due()) is not None:
            assert isinstance(desk.clock, LeapingClock)
            desk.clock.leap(due)
            begun += await rounds.make()
        row = await the_row(desk)
    (said,) = [line for line in map(json.loads, stream.getvalue().splitlines()) if line["event"] == "not told"]
    assert begun == len(PAUSES) + 1
    assert [each.plugin for each in lost] == ["later"]
    assert (row.news, row.is_open, row.news_due) == (tuple(lost), False, None)
    assert (said["level"], said["plugin"], said["hook"], said["attempts"]) == ("error", "later", "after_swap", 10)
    assert (said["handover"], said["reason"]) == (row.id, lost[0].reason)


async def test_a_plugin_that_takes_its_process_along_is_given_up(sandbox: Sandbox, tmp_path: Path) -> None:
    """No attempt ever came to an end: at last it is not called any more, and the next process lives."""
    async with handed_over(sandbox, tmp_path) as (desk, rounds, lost):
        for _process in range(len(PAUSES) + 1):
            assert len(await desk.ledger.claim_news(desk.clock.now(), 9)) == 1
            desk.ledger._telling.clear()  # type: ignore[attr-defined]  # as another process does not know of it
            leap(desk, IN_HAND + 0.1)
        assert await rounds.make() == 1
        assert [(each.reason, each.due) for each in lost] == [("no attempt came to an end", None)]
    assert heard(tmp_path, "later") == []


def anew(desk: Desk, directory: Path, routes: str) -> Desk:
    """Load other routes, as a reload does."""
    (directory / "routes.yaml").write_text(routes, encoding="utf-8")
    loaded = load(directory / "routes.yaml", environ={})
    return replace(desk, routes=loaded.routes, plugins=loaded.plugins)


async def test_the_config_is_that_of_now(sandbox: Sandbox, tmp_path: Path) -> None:
    """After a reload the plugin is called as the route of now has it."""
    async with handed_over(sandbox, tmp_path) as (desk, _rounds, _lost):
        reloaded = anew(desk, tmp_path, ROUTES + entries(tmp_path, later="of now"))
        await settled(reloaded)
    assert [each.mark for each in heard(tmp_path, "later")] == ["of now"]


async def test_where_the_route_is_gone_the_plugins_own_entry_counts(sandbox: Sandbox, tmp_path: Path) -> None:
    """The handover was made while the route was there: it is told with the config that the plugin started with."""
    async with handed_over(sandbox, tmp_path) as (desk, _rounds, _lost):
        routes = ROUTES.replace(f"{TOOL}:", "/tools/renamed:") + entries(tmp_path, later="its own")
        reloaded = anew(desk, tmp_path, routes)
        uses = reloaded.routes.tools["/tools/renamed"].route.plugins
        assert list(await reloaded.plugins.start(uses, reloaded.twilio)) == []
        await settled(reloaded)
    assert [each.mark for each in heard(tmp_path, "later")] == ["its own"]


async def test_a_plugin_that_another_process_has_is_told_by_that(sandbox: Sandbox, tmp_path: Path) -> None:
    """A new version is rolled out, and a process that does not know of the plugin yet came first."""
    async with handed_over(sandbox, tmp_path) as (desk, rounds, lost):
        assert await rounds_of(anew(desk, tmp_path, ROUTES)).make() == 1
        ((news,), at) = ((await the_row(desk)).news, desk.clock.now())
        assert (news.reason, news.is_due(at)) == ("the plugin is not in use here", False)
        leap(desk, PAUSES[0] + 0.1)
        assert await rounds.make() == 1
        assert (await the_row(desk)).news == ()
    assert ([each.what for each in heard(tmp_path, "later")], lost) == (["handed_over"], [])


async def test_a_plugin_that_is_gone_is_given_up_in_the_end(sandbox: Sandbox, tmp_path: Path) -> None:
    """A reload switched it off everywhere: nobody is there to be told, which is said once."""
    stream = io.StringIO()
    async with handed_over(sandbox, tmp_path, stream=stream) as (desk, _rounds, _lost):
        await settled(anew(desk, tmp_path, ROUTES))
        ((news,),) = [row.news for row in await desk.ledger.history(Filter())]
    assert (news.due, news.reason, news.attempts) == (None, "the plugin is not in use here", len(PAUSES) + 1)
    assert stream.getvalue().count('"not told"') == 1


async def test_a_reload_while_news_are_taken_is_heard_of(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plugins that were in use when the taking began are stopped by its end: those of now are told."""
    async with handed_over(sandbox, tmp_path) as (desk, _rounds, _lost):
        desks, claim = [desk], desk.ledger.claim_news

        async def claim_news(now: datetime, most: int) -> Sequence[Row]:
            taken = await claim(now, most)
            desks.append(anew(desk, tmp_path, ROUTES + entries(tmp_path, later="of now")))
            return taken

        monkeypatch.setattr(desk.ledger, "claim_news", claim_news)
        assert await Rounds(lambda: desks[-1], cast("Executions", desk.gateway), KEPT).make() == 1
    assert [each.mark for each in heard(tmp_path, "later")] == ["of now"]


HANGING = """
import asyncio
from pathlib import Path

@hookimpl
def plugin_info():
    return {"background": True}

@hookimpl
async def after_swap(config):
    Path(config["file"]).touch()
    await asyncio.Event().wait()
"""


def hanging(directory: Path) -> str:
    return f"plugins: [{{use: hanging, config: {{file: {directory}/reached}}}}]\n"


async def test_a_stop_leaves_what_is_being_told_to_the_next(sandbox: Sandbox, tmp_path: Path) -> None:
    """The attempt is broken off when nobody waits for it any longer; the next process need not wait for its lease."""
    how: dict[str, Any] = {"plugins": {"hanging": HANGING}}
    async with handed_over(sandbox, tmp_path, hanging(tmp_path), **how) as (desk, rounds, _lost):
        running = asyncio.create_task(rounds.run())
        await until((tmp_path / "reached").exists)
        rounds.stop()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await running
        async with asyncio.timeout(5):
            await desk.plugins.stop(desk.twilio)  # which waits for whoever uses a plugin
        (news,) = (await the_row(desk)).news
        assert news.attempts == 1
        assert news.is_due(desk.clock.now())
        assert len(await desk.ledger.claim_news(desk.clock.now(), 9)) == 1


async def test_repairs_do_not_wait_for_a_plugin_that_hangs(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All places of the telling are taken: what is owed to a conversation is done all the same."""
    monkeypatch.setattr("router.rounds.AT_ONCE", 1)
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    how: dict[str, Any] = {"plugins": {"hanging": HANGING}}
    async with handed_over(sandbox, tmp_path, hanging(tmp_path), **how) as (desk, rounds, _lost):
        running = asyncio.create_task(rounds.run())
        await until((tmp_path / "reached").exists)
        arm(sandbox, conversation, DELETE, Kind.REFUSED, status=401, code=20003)
        await hand_over(call(conversation), desk)
        await until(lambda: not agents(conversation))
        assert not running.done()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def test_other_plugins_do_not_wait_for_one_that_hangs(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has half of the places at the most: its other news are put off, and no attempt is counted."""
    monkeypatch.setattr("router.rounds.AT_ONCE", 2)
    monkeypatch.setattr("router.shares.PATIENCE", 0.05)
    routes = f"{entries(tmp_path).rstrip()[:-1]}, {hanging(tmp_path).split('[')[1]}"
    conversations = [sandbox.open_conversation(agent_url=AGENT_URL) for _ in range(4)]
    async with open_desk(sandbox, tmp_path, routes, plugins={**PLUGINS, "hanging": HANGING}) as desk:
        for conversation in conversations:
            await hand_over(call(conversation), desk)
        assert await desk.background.drain(5) == 0
        running = asyncio.create_task(rounds_of(desk).run())
        await until(lambda: len(heard(tmp_path, "later")) == 4)
        await put_off(desk, 3)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def _count_put_off(desk: Desk) -> int:
    return sum([each.attempts for each in row.news] == [0] for row in await desk.ledger.history(Filter()))


async def put_off(desk: Desk, most: int) -> None:
    """Wait until so many rows have nothing but news of which no attempt was made."""
    async with asyncio.timeout(5):
        while await _count_put_off(desk) != most:
            await asyncio.sleep(0.01)


async def test_the_telling_does_not_wait_for_a_repair_that_hangs(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All places of the repairs are taken: plugins are told all the same."""
    monkeypatch.setattr("router.rounds.AT_ONCE", 1)
    stuck, other = (sandbox.open_conversation(agent_url=AGENT_URL) for _ in range(2))
    async with open_desk(sandbox, tmp_path, entries(tmp_path), plugins=PLUGINS) as desk:
        arm(sandbox, stuck, DELETE, Kind.REFUSED, times=3, status=401, code=20003)
        held = arm(sandbox, stuck, LIST, Kind.SLOW, skip=1)
        first = await hand_over(call(stuck), desk)
        assert await desk.background.drain(5) == 0
        leap(desk, 5)
        rounds = rounds_of(desk)
        running = asyncio.create_task(rounds.run())
        await held.reached.wait()
        second = await hand_over(call(other), desk)
        told = {first.handover_id, second.handover_id}
        await until(lambda: {each.handover for each in heard(tmp_path, "later")} == told)
        held.release()
        rounds.stop()
        await running


async def test_what_cannot_be_kept_is_told_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """The plugin heard, and the ledger did not work then: twice is better than never, and the log says so."""
    stream = io.StringIO()
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with open_desk(sandbox, tmp_path, entries(tmp_path), plugins=PLUGINS, stream=stream) as opened:
        ledger = FaultyLedger(opened.clock)
        desk = replace(opened, ledger=ledger)
        await hand_over(call(conversation), desk)
        assert await desk.background.drain(5) == 0
        ledger.fails_settling = 1
        rounds = rounds_of(desk)
        assert await rounds.make() == 1
        leap(desk, IN_HAND + 0.1)
        assert await rounds.make() == 1
        assert (await the_row(desk)).news == ()
    assert len(heard(tmp_path, "later")) == 2
    assert '"unrecorded"' in stream.getvalue()


async def test_a_telling_that_breaks_is_logged_and_left_to_its_time(sandbox: Sandbox, tmp_path: Path) -> None:
    """News of a newer program that this one cannot read: a mistake that stops nothing else, and is no busy loop."""
    stream = io.StringIO()
    async with handed_over(sandbox, tmp_path, stream=stream) as (desk, rounds, _lost):
        row = await the_row(desk)
        odd = row.change(news=(replace(row.news[0], outcome="beamed_up"),))
        await desk.ledger.decide(row.conversation, lambda _rows: (None, (odd,)))
        assert await rounds.make() == 1
        assert "a telling broke" in stream.getvalue()
        assert await rounds.make() == 0
        leap(desk, IN_HAND + 0.1)
        assert await rounds.make() == 1


async def test_an_error_is_told_without_an_address(sandbox: Sandbox, tmp_path: Path) -> None:
    """What Twilio says may name the customer: the ledger keeps, and the plugin hears, what is left without that."""
    guard = """
    @hookimpl
    def before_swap(handover):
        raise ValueError("no +15550100 here " + "x" * 900)
    """
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    routes = entries(tmp_path).replace("plugins: [", "plugins: [{use: guard}, ")
    async with open_desk(sandbox, tmp_path, routes, plugins={**PLUGINS, "guard": guard}) as desk:
        assert (await hand_over(call(conversation), desk)).outcome is Outcome.FAILED
        await settled(desk)
    (later,) = heard(tmp_path, "later")
    assert later.what.startswith("PluginFailed: plugin 'guard' failed in before_swap: ValueError: no +… here xxx")
    assert len(later.what) <= 220


async def test_each_turn_of_a_row_is_told_on_its_own(sandbox: Sandbox, tmp_path: Path) -> None:
    """News that come while others are told wait for these, and are told then."""
    async with handed_over(sandbox, tmp_path) as (desk, rounds, _lost):
        (row,) = await desk.ledger.claim_news(desk.clock.now(), 9)
        now = desk.clock.now()
        more = News("after_hand_back", "later", now, now)
        await desk.ledger.decide(row.conversation, lambda rows: (None, (rows[0].with_news(more),)))
        assert await rounds.make() == 0
        await desk.ledger.settle_news(row, dict.fromkeys(row.news))
        assert await rounds.make() == 1
    assert [each.hook for each in heard(tmp_path, "later")] == ["after_hand_back"]
