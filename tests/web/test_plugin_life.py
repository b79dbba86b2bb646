"""The life of plugins over a start, reloads and a stop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from router.sandbox.faults import Fault, Kind
from router.web import lifespan
from tests.web.kit import ADMIN, ROUTES, running_router

if TYPE_CHECKING:
    from pathlib import Path

    from tests.web.kit import Reply, Router

LIFE = """
from pathlib import Path
from router import hookimpl

DIARY = Path(__file__).parent.parent / "diary.txt"

def note(text):
    with DIARY.open("a") as file:
        file.write(f"{text}\\n")

@hookimpl
async def started(config):
    note(f"started {config['name']}")
    if config.get("fails"):
        raise RuntimeError("no such +15550100 queue")

@hookimpl
def stopped(config):
    note(f"stopped {config['name']}")

@hookimpl
def after_swap(handover):
    note("handed over")

@hookimpl
def routes_reloaded(old, new):
    note(f"reloaded {len(old.tools)} {len(new.tools)}")
"""
ROOT = ROUTES + "plugins: [{use: life, config: {name: one}}]\n"


def write(directory: Path) -> None:
    (directory / "plugins").mkdir()
    (directory / "plugins" / "life.py").write_text(LIFE)


def diary(router: Router) -> list[str]:
    return (router.routes.parent / "diary.txt").read_text().splitlines()


async def reload(router: Router, text: str) -> Reply:
    router.routes.write_text(text)
    return await router.send("POST", "/-/reload", headers={"Authorization": f"Bearer {ADMIN}"})


async def until(router: Router, entry: str) -> None:
    async with asyncio.timeout(5):
        while entry not in diary(router):
            await asyncio.sleep(0.01)


async def test_plugins_start_and_stop_with_the_server(tmp_path: Path) -> None:
    """Before the first call, and after the last."""
    write(tmp_path)
    async with running_router(tmp_path, ROOT) as router:
        assert diary(router) == ["started one"]
        await router.call("/tools/support", {"intent": "refund"})
    assert diary(router) == ["started one", "handed over", "stopped one"]


async def test_new_plugins_start_before_old_ones_stop(tmp_path: Path) -> None:
    """A reload starts the new ones, tells them of the change, and then stops the old ones."""
    write(tmp_path)
    async with running_router(tmp_path, ROOT) as router:
        assert (await reload(router, ROOT.replace("name: one", "name: two") + "flows_: {}\n")).status == 422
        text = ROOT.replace("name: one", "name: two").replace(
            "  /tools/any:", "  /tools/more: {flow: refunds}\n  /tools/any:"
        )
        assert (await reload(router, text)).status == 200
        await until(router, "stopped one")
    assert diary(router) == ["started one", "started two", "reloaded 5 6", "stopped one", "stopped two"]


async def test_old_plugins_stay_until_their_last_call_has_ended(tmp_path: Path) -> None:
    """A call in flight keeps the plugins that it began with, also beyond its answer."""
    write(tmp_path)
    async with running_router(tmp_path, ROOT, HANDOVER_DEADLINE="1") as router:
        held = router.sandbox.faults.add(Fault(Kind.SLOW, path="*/Webhooks", method="GET"))
        call = asyncio.create_task(router.call("/tools/support", {"intent": "refund"}))
        await held.reached.wait()
        assert (await reload(router, ROOT.replace("name: one", "name: two"))).status == 200
        assert (await call).json["outcome"] == "pending"
        await asyncio.sleep(0.05)
        assert "stopped one" not in diary(router)
        held.release()
        await until(router, "stopped one")
        assert diary(router).index("handed over") < diary(router).index("stopped one")


async def test_a_plugin_that_does_not_start_refuses_the_reload(tmp_path: Path) -> None:
    """422 at the plugin's entry, with nobody's address; the old plugins go on, and the failed one is not stopped."""
    write(tmp_path)
    async with running_router(tmp_path, ROOT) as router:
        reply = await reload(router, ROOT.replace("{name: one}", "{name: two, fails: true}"))
        assert reply.status == 422
        (fault,) = reply.json["diagnostics"]
        assert (fault["code"], fault["line"], fault["column"]) == ("plugin-start", len(ROOT.splitlines()), 17)
        assert "plugins/life.py:15: RuntimeError: no such " in fault["message"]
        assert "5550100" not in fault["message"]
        assert (await router.call("/tools/support", {"intent": "refund"})).json["outcome"] == "handed_over"
    assert diary(router) == ["started one", "started two", "handed over", "stopped one"]


async def test_a_plugin_that_does_not_start_ends_the_start(tmp_path: Path) -> None:
    """The server does not come up, and its log says why, without a traceback."""
    write(tmp_path)
    with pytest.raises(RuntimeError, match="the app did not start"):
        async with running_router(tmp_path, ROOT.replace("{name: one}", "{name: one, fails: true}")):
            pass


async def test_a_plugin_that_was_edited_is_named(tmp_path: Path) -> None:
    """The receipt tells that a plugin is another one now, though no route changed."""
    write(tmp_path)
    async with running_router(tmp_path, ROOT) as router:
        (tmp_path / "plugins" / "life.py").write_text(LIFE + "# edited\n")
        reply = await reload(router, ROOT)
        assert (reply.status, reply.json["changes"]) == (200, ["changed plugin life"])


async def test_plugins_that_do_not_stop_are_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them together get the time of one; then the server ends without them, and says so."""
    monkeypatch.setattr(lifespan, "PATIENCE", 0.1)
    (tmp_path / "plugins").mkdir()
    source = "from router import hookimpl\nimport asyncio\n\n@hookimpl\nasync def stopped():\n"
    source += "    await asyncio.Event().wait()\n"
    for name in ("one", "two"):
        (tmp_path / "plugins" / f"{name}.py").write_text(source)
    async with asyncio.timeout(8), running_router(tmp_path, ROUTES + "plugins: [{use: one}, {use: two}]\n") as router:
        pass
    assert [entry["seconds"] for entry in router.entries if entry["event"] == "stopped before its plugins"] == [0.1]
