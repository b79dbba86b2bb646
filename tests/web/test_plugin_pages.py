"""The endpoints that plugins bring along, and what operators see of plugins."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

import pytest

from router.web.pages import LARGEST
from tests.web.kit import ADMIN, ROUTES, running_router

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.web.kit import Reply, Router

PAGES = """
import asyncio, time
from router import hookimpl
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route

@hookimpl
def plugin_info():
    return {"version": "2.0", "name": "The queue"}

@hookimpl
def stopped(config):
    print("stopped", config["name"], flush=True)

@hookimpl
def before_swap():
    time.sleep(0.06)

@hookimpl
def register_endpoints(config):
    gate = asyncio.Event()

    async def show(request):
        about = {"name": config["name"], "path": request.path_params, "url": str(request.url_for("show", number=7))}
        return JSONResponse({**about, "app": "app" in request.scope})

    async def count(request):
        return PlainTextResponse(str(len(await request.body())))

    async def slow(request):
        print("asked", flush=True)
        await gate.wait()
        return PlainTextResponse(config["name"])

    async def free(request):
        gate.set()
        return PlainTextResponse("freed")

    async def crash(request):
        raise {"plain": ValueError, "exit": SystemExit, "refusal": HTTPException}[request.path_params["how"]](418)

    async def broken(request):
        async def parts():
            yield b"begun"
            raise ValueError("+15550100")
        return StreamingResponse(parts())

    return config.get("routes") or [
        Route("/show/{number:int}", show, name="show"),
        Route("/slow", slow),
        Route("/free", free),
        Route("/crash/{how}", crash),
        Route("/broken", broken),
        Route("/count", count, methods=["POST"]),
        Mount("/below", routes=[Route("/there", free, methods=["POST"])]),
    ]
"""
CONFIG = ROUTES + "plugins: [{use: queue_pages, config: {name: one}}]\n"
FREE = 2
"""The place of the endpoint that lets the slow one go."""

BEARER = {"Authorization": f"Bearer {ADMIN}"}


def write(directory: Path) -> None:
    (directory / "plugins").mkdir(exist_ok=True)
    (directory / "plugins" / "queue_pages.py").write_text(PAGES)


@pytest.fixture
async def paged(tmp_path: Path) -> AsyncIterator[Router]:
    """A router whose plugin has endpoints."""
    write(tmp_path)
    async with running_router(tmp_path, CONFIG) as running:
        yield running


async def get(router: Router, path: str) -> Reply:
    return await router.send("GET", path)


@pytest.mark.parametrize("name", ["queue-pages", "queue_pages"])
async def test_a_plugin_serves_below_its_name(paged: Router, name: str) -> None:
    """In both spellings; it has routes, URLs and parameters of its own, and nothing of the app around it."""
    reply = await get(paged, f"/plugins/{name}/show/3?x=1")
    assert (reply.status, reply.json["name"], reply.json["path"]) == (200, "one", {"number": 3})
    assert reply.json["url"] == f"{paged.url}/plugins/{name}/show/7"
    assert not reply.json["app"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/plugins/queue-pages/none", 404),
        ("GET", "/plugins/queue-pages/", 404),
        ("GET", "/plugins/queue-pages", 404),
        ("GET", "/plugins/other/show/3", 404),
        ("GET", "/plugins/", 404),
        ("POST", "/plugins/queue-pages/show/3", 405),
        ("GET", "/plugins/queue-pages/below/there", 405),
        ("POST", "/plugins/queue-pages/below/there", 200),
    ],
)
async def test_what_is_not_there_is_nobodys_failure(paged: Router, method: str, path: str, status: int) -> None:
    """404 and 405 come from the plugin's own routes, and are not counted against it."""
    assert (await paged.send(method, path)).status == status
    assert not [entry for entry in paged.entries if entry["event"] == "plugin failed"]


async def test_a_crash_is_a_plain_500(paged: Router) -> None:
    """Without a detail; the log and the figures name the plugin, and the server goes on."""
    for how in ("plain", "exit"):
        reply = await get(paged, f"/plugins/queue-pages/crash/{how}")
        assert (reply.status, reply.text) == (500, "Internal Server Error")
    reasons = [entry["reason"] for entry in paged.entries if entry["event"] == "plugin failed"]
    assert [reason.split(" (line")[0] for reason in reasons] == ["ValueError: 418", "SystemExit: 418"]
    line = 'handover_plugin_failures_total{hook="register_endpoints",plugin="queue-pages"} 2.0'
    assert line in (await get(paged, "/metrics")).text.splitlines()
    assert (await get(paged, "/plugins/queue-pages/crash/refusal")).status == 418


async def test_a_caller_that_leaves_in_the_middle_is_nobodys_failure(paged: Router) -> None:
    """A connection that ends before its body does is not counted against the plugin that waits for that."""
    async with paged.connection() as (_reader, writer):
        writer.write(b"POST /plugins/queue-pages/count HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.1)
    assert paged.trouble == []
    assert not [entry for entry in paged.entries if entry["event"] == "plugin failed"]


async def test_a_body_is_read_within_bounds(paged: Router) -> None:
    """One MiB is read whole; of a larger body no more than that, and 413 is the answer and nobody's failure."""
    most = b"x" * LARGEST
    reply = await paged.send("POST", "/plugins/queue-pages/count", body=io.BytesIO(most))
    assert (reply.status, reply.text) == (200, str(LARGEST))
    reply = await paged.send("POST", "/plugins/queue-pages/count", body=io.BytesIO(most + b"x"))
    assert (reply.status, reply.headers["Connection"]) == (413, "close")
    assert not [entry for entry in paged.entries if entry["event"] == "plugin failed"]


async def test_an_answer_that_breaks_off_is_cut(paged: Router) -> None:
    """What has begun cannot become a 500; nobody takes the half for the whole."""
    answer = await paged.raw(b"GET /plugins/queue-pages/broken HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.split(b"\r\n\r\n")[1].startswith(b"5\r\nbegun\r\n")
    assert not answer.endswith(b"0\r\n\r\n")
    assert [entry["plugin"] for entry in paged.entries if entry["event"] == "plugin failed"] == ["queue-pages"]
    paged.trouble.clear()  # the HTTP server says that the answer is not complete


async def test_they_change_with_a_reload(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A request that is under way ends with what it began with; only then that plugin is stopped."""
    write(tmp_path)
    async with running_router(tmp_path, CONFIG) as router:
        slow = asyncio.create_task(get(router, "/plugins/queue-pages/slow"))
        seen = ""
        async with asyncio.timeout(5):
            while "asked" not in seen:
                await asyncio.sleep(0.01)
                seen += capfd.readouterr().out
        old = router.app.state.reloader.live.desk.plugins
        router.routes.write_text(CONFIG.replace("name: one", "name: two"))
        assert (await router.send("POST", "/-/reload", headers=BEARER)).status == 200
        assert (await get(router, "/plugins/queue-pages/show/3")).json["name"] == "two"
        assert "stopped" not in capfd.readouterr().out
        await old.endpoints["queue-pages"][FREE].endpoint(None)
        assert (await slow).text == "one"
    assert capfd.readouterr().out == "stopped one\nstopped two\n"


@pytest.mark.parametrize("routes", ["'/queue'", "[1]"])
async def test_endpoints_that_are_none_refuse_the_reload(paged: Router, routes: str) -> None:
    """422 at the plugin's entry, like a plugin that does not start; what was served is served."""
    paged.routes.write_text(CONFIG.replace("name: one", f"name: two, routes: {routes}"))
    reply = await paged.send("POST", "/-/reload", headers=BEARER)
    assert reply.status == 422
    (fault,) = reply.json["diagnostics"]
    assert (fault["code"], fault["line"]) == ("plugin-start", len(CONFIG.splitlines()))
    assert "did not start: register_endpoints: returned " in fault["message"]
    assert (await get(paged, "/plugins/queue-pages/show/3")).json["name"] == "one"


async def test_operators_see_what_plugins_do(paged: Router) -> None:
    """Who is in use, from where, with which hooks, and how each has fared; who holds the event loop is in the log."""
    await paged.call("/tools/support", {"intent": "refund"})
    reply = await paged.send("GET", "/-/plugins", headers=BEARER)
    assert reply.status == 200
    (plugin,) = reply.json["plugins"]
    assert (plugin["name"], plugin["title"], plugin["version"]) == ("queue-pages", "The queue", "2.0")
    assert plugin["source"].endswith("queue_pages.py")
    hooks = {hook["hook"]: hook for hook in plugin["hooks"]}
    assert list(hooks) == ["plugin_info", "register_endpoints", "before_swap", "stopped"]
    asked = hooks["before_swap"]
    assert (asked["kind"], asked["calls"], asked["failures"], asked["blocked"]) == ("guard", 1, 0, 1)
    assert asked["p95"] == asked["seconds"] > 0.05
    (entry,) = [entry for entry in paged.entries if entry["event"] == "plugin blocks"]
    assert (entry["plugin"], entry["hook"], entry["level"]) == ("queue-pages", "before_swap", "warning")
    assert entry["seconds"] > 0.05
    assert "async def" in entry["remedy"]
    figures = (await get(paged, "/metrics")).text.splitlines()
    assert 'handover_plugin_calls_total{hook="before_swap",plugin="queue-pages"} 1.0' in figures
    assert 'handover_plugin_seconds_count{hook="before_swap",plugin="queue-pages"} 1.0' in figures


async def test_only_operators_see_it(paged: Router) -> None:
    """403 without the token, 405 for another method, 413 for a body that nobody asked for."""
    assert (await get(paged, "/-/plugins")).status == 403
    assert (await paged.send("POST", "/-/plugins", headers=BEARER)).status == 405
    assert (await paged.send("GET", "/-/plugins", headers=BEARER, body=b"x" * 70_000)).status == 413
