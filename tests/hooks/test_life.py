"""Plugins that start, stop, and stay while somebody uses them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from router.hooks import life
from router.hooks.usage import Usage
from router.model.routes import Routes
from tests.hooks.kit import TWILIO, bench, use

if TYPE_CHECKING:
    from pathlib import Path

    from tests.hooks.kit import Bench

DIARY = """
DIARY = {diary!r}

def note(text):
    with open(DIARY, "a") as file:
        file.write(text + "\\n")

@hookimpl
{start} started(config):
    note("start {name}")
    {body}

@hookimpl
async def stopped():
    note("stop {name}")

@hookimpl
def routes_reloaded(old, new):
    note(f"{name} {{len(old.tools)}} {{len(new.tools)}}")
"""


@pytest.fixture
def diary(tmp_path: Path) -> Path:
    path = tmp_path / "diary.txt"
    path.touch()
    return path


def lines(diary: Path) -> list[str]:
    return diary.read_text().splitlines()


def plugin(name: str, diary: Path, start: str = "def", body: str = "pass") -> str:
    return DIARY.format(diary=str(diary), name=name, start=start, body=body)


def made(directory: Path, diary: Path, **bodies: str) -> Bench:
    return bench(directory, **{name: plugin(name, diary, "async def", body) for name, body in bodies.items()})


async def test_they_start_in_order_and_stop_in_the_other(tmp_path: Path, diary: Path) -> None:
    """Only those that are in use, each with its own config; a second stop does nothing."""
    one = plugin("one", diary, body="note(config['text'])")
    host = bench(tmp_path, one=one, two=plugin("two", diary), off=plugin("off", diary)).host
    assert await host.start([use("two"), use("one", text="hello")], TWILIO) == []
    await host.stop(TWILIO)
    await host.stop(TWILIO)
    assert lines(diary) == ["start two", "start one", "hello", "stop one", "stop two"]


async def test_where_one_cannot_start_the_others_are_stopped(tmp_path: Path, diary: Path) -> None:
    """Every failure is given, with the plugin's name; what did start is stopped at once."""
    made_ = made(tmp_path, diary, one="pass", two="raise OSError('full')", three="return 7")
    failures = await made_.host.start([use("one"), use("two"), use("three")], TWILIO)
    assert [(failure.plugin, failure.hook) for failure in failures] == [("two", "started"), ("three", "started")]
    assert failures[0].reason.startswith("OSError: full")
    assert lines(diary) == ["start one", "start two", "start three", "stop one"]
    assert len(made_.reports) == 2


async def test_a_start_may_take_longer_than_a_call_but_not_for_ever(
    tmp_path: Path, diary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a deadline of its own."""
    slow = {"slow": "await asyncio.sleep(0.4)"}
    (tmp_path / "a").mkdir()
    assert await made(tmp_path / "a", diary, **slow).host.start([use("slow")], TWILIO) == []
    monkeypatch.setattr(life, "PATIENCE", 0.3)
    (tmp_path / "b").mkdir()
    (failure,) = await made(tmp_path / "b", diary, **slow).host.start([use("slow")], TWILIO)
    assert failure.reason == "no answer within 0.3 s"


async def test_a_stop_waits_for_whoever_uses_them(tmp_path: Path, diary: Path) -> None:
    """Nobody's plugin is closed under their hands."""
    host = made(tmp_path, diary, one="pass").host
    await host.start([use("one")], TWILIO)
    with host.held():
        with host.held():
            stop = asyncio.create_task(host.stop(TWILIO))
        await asyncio.sleep(0.01)
        assert not stop.done()
    await stop
    assert lines(diary)[-1] == "stop one"


async def test_observers_hear_of_other_routes(tmp_path: Path, diary: Path) -> None:
    """They are told what was and what is, once they are started."""
    host = made(tmp_path, diary, one="pass").host
    old, new = Routes({}, {}, ()), Routes({"/a": Any}, {}, ())  # type: ignore[dict-item]  # only counted here
    await host.routes_reloaded(old, new)
    assert lines(diary) == []
    await host.start([use("one")], TWILIO)
    await host.routes_reloaded(old, new)
    assert lines(diary)[-1] == "one 0 1"


async def test_usage_is_counted_over_errors() -> None:
    """Whoever leaves by an exception has left too; a thing that nobody uses is free at once."""
    usage = Usage()
    await usage.ended()
    with pytest.raises(ZeroDivisionError), usage.held():
        raise ZeroDivisionError
    await usage.ended()
