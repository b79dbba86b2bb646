from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from router.config import load
from router.sandbox.faults import Fault, Kind
from router.web.changes import changes
from router.workshop import Workshop
from tests.web.kit import ADMIN, AGENT_URL, BILLING, CUSTOMER, REFUNDS, ROUTES, SECRET, running_router

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from router.config.loading import Attempt
    from router.model.routes import Routes
    from tests.web.kit import Reply, Router

BEARER = {"Authorization": f"Bearer {ADMIN}"}
SWAPPED = ROUTES.replace("refund: {flow: refunds, aliases", "refund: {flow: billing, aliases")


@pytest.fixture
async def router(tmp_path: Path) -> AsyncIterator[Router]:
    """A router of its own, since these tests change its routes."""
    async with running_router(tmp_path) as running:
        yield running


async def reload(router: Router, routes: str | None = None) -> Reply:
    if routes is not None:
        router.routes.write_text(routes, encoding="utf-8")
    return await router.send("POST", "/-/reload", headers=BEARER)


async def test_a_changed_file_goes_live(router: Router) -> None:
    """200 with the new digest and what changed; the next call takes the new route."""
    old = (await router.send("GET", "/readyz")).text
    reply = await reload(router, SWAPPED + "  /tools/new: {flow: refunds}\n")
    assert reply.status == 200
    assert reply.json["changes"] == ["added /tools/new", "changed /tools/support refund"]
    assert reply.json["digest"][:12] not in old
    assert reply.json["digest"][:12] in (await router.send("GET", "/readyz")).text
    assert (await router.call("/tools/support", {"intent": "refund"})).json["flow"] == BILLING
    assert (await router.call("/tools/new", {})).status == 200


async def test_a_tool_that_went_is_not_found(router: Router) -> None:
    """A tool that is not in the file any more is a 404."""
    reply = await reload(router, ROUTES.replace("/tools/any", "/tools/some"))
    routes = ("", " billing", " refund")
    assert reply.json["changes"] == [
        *(f"removed /tools/any{route}" for route in routes),
        *(f"added /tools/some{route}" for route in routes),
    ]
    assert (await router.call("/tools/any", {})).status == 404
    assert (await router.call("/tools/some", {})).status == 200


async def test_an_unchanged_file_is_a_304(router: Router) -> None:
    """304 without a body, as often as one asks."""
    for _ in range(2):
        reply = await reload(router)
        assert (reply.status, reply.text) == (304, "")


async def test_a_faulty_file_leaves_the_old_routes(router: Router) -> None:
    """422 with each fault and its place; the old routes go on, and the repaired file goes live."""
    faulty = ROUTES.replace("billing: {flow: billing}", "billing: {flow: billling}").replace(
        "dry_run: true", "dry: true"
    )
    reply = await reload(router, faulty)
    assert reply.status == 422
    found = reply.json["diagnostics"]
    assert {each["code"] for each in found} >= {"flow-unknown"}
    assert len(found) >= 2
    assert all(each.keys() == {"file", "line", "column", "severity", "code", "message"} for each in found)
    assert (await router.call("/tools/support", {"intent": "billing"})).json["flow"] == BILLING
    assert (await reload(router, SWAPPED)).status == 200


async def test_a_file_that_is_none_leaves_the_old_routes(router: Router) -> None:
    """An empty, broken or half-written file is a 422, and the router goes on."""
    for routes in ("", "tools: [", "\x00", "version: 1\n", ROUTES[:200]):
        assert (await reload(router, routes)).status == 422, routes
    assert (await router.call("/tools/support", {"intent": "refund"})).json["flow"] == REFUNDS


async def test_a_missing_file_leaves_the_old_routes(router: Router) -> None:
    """A file that is gone is a 422 that names it, and the router goes on."""
    router.routes.unlink()
    reply = await reload(router)
    assert reply.status == 422
    assert "routes.yaml" in reply.json["diagnostics"][0]["file"]
    assert (await router.call("/tools/support", {"intent": "refund"})).json["flow"] == REFUNDS


async def test_routes_that_nobody_could_call_are_refused(tmp_path: Path) -> None:
    """A file whose only proof cannot be checked here is a 422 that says what to set."""
    key = {"TWILIO_API_KEY": "SK" + "0" * 32, "TWILIO_API_SECRET": "api-secret"}
    async with running_router(tmp_path, TWILIO_AUTH_TOKEN="", TWILIO_AUTH_TOKEN_SECONDARY="", **key) as router:
        reply = await reload(router, ROUTES.replace("  - secret: ${env:HANDOVER_SECRET}\n", ""))
        assert reply.status == 422
        (fault,) = reply.json["diagnostics"]
        assert (fault["severity"], fault["code"]) == ("error", "settings")
        assert "TWILIO_AUTH_TOKEN" in fault["message"]
        assert (await router.call("/tools/support", {"intent": "sue"})).status == 200


async def test_only_the_admin_may_reload(router: Router) -> None:
    """Another token, another place or none is a 403, and the file is not read."""
    router.routes.write_text(SWAPPED)
    for headers in (
        {},
        {"Authorization": ADMIN},
        {"Authorization": f"Basic {ADMIN}"},
        {"Authorization": f"Bearer {ADMIN}x"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {SECRET}"},
        {"X-Handover-Secret": SECRET},
        {"X-Handover-Secret": ADMIN},
    ):
        reply = await router.send("POST", "/-/reload", headers=headers)
        assert (reply.status, reply.text) == (403, "Forbidden"), headers
    assert (await router.call("/tools/support", {"intent": "refund"})).json["flow"] == REFUNDS


async def test_without_an_admin_token_nobody_may(tmp_path: Path) -> None:
    """Where no token is set, the empty one does not open."""
    async with running_router(tmp_path, HANDOVER_ADMIN_TOKEN="") as router:
        assert (await router.send("POST", "/-/reload", headers={"Authorization": "Bearer "})).status == 403


async def test_a_call_in_flight_ends_on_the_old_routes(router: Router) -> None:
    """A call that began before a reload ends as it began, and the next one takes the new route."""
    held = router.sandbox.faults.add(Fault(Kind.SLOW, path="*/Webhooks", method="GET"))
    call = asyncio.create_task(router.call("/tools/support", {"intent": "refund"}))
    await held.reached.wait()
    assert (await reload(router, SWAPPED.replace("/tools/any", "/tools/some"))).status == 200
    held.release()
    assert (await call).json["flow"] == REFUNDS
    assert router.flows == [REFUNDS]
    assert (await router.call("/tools/support", {"intent": "refund"})).json["flow"] == BILLING
    assert router.flows == [BILLING]


async def test_no_call_is_lost_while_files_come_and_go(router: Router) -> None:
    """Calls that never cease are all handed over, by the old route or the new one, while the file turns about."""
    done, flows, lost = asyncio.Event(), set[str](), []

    async def call_on() -> None:
        while not done.is_set():
            conversation = router.sandbox.open_conversation(agent_url=AGENT_URL, customer=CUSTOMER)
            reply = await router.call("/tools/support", {"intent": "refund"}, session=conversation.session)
            await asyncio.sleep(0.02)
            if reply.json["outcome"] == "handed_over":
                flows.add(reply.json["flow"])
            else:
                lost.append(reply.json)

    calls = asyncio.gather(*(call_on() for _ in range(4)))
    statuses = [(await reload(router, text)).status for text in (SWAPPED, "tools: [", ROUTES, ROUTES, "}", SWAPPED)]
    done.set()
    await calls
    assert statuses == [200, 422, 200, 304, 422, 200]
    assert (flows, lost) == ({REFUNDS, BILLING}, [])


async def test_reloads_at_the_same_time_are_one_after_the_other(router: Router) -> None:
    """Of several reloads of one change one reports it, and the others find nothing new."""
    router.routes.write_text(SWAPPED)
    replies = await asyncio.gather(*(reload(router) for _ in range(5)))
    assert sorted(reply.status for reply in replies) == [200, 304, 304, 304, 304]


async def test_a_reload_needs_no_thread_that_plugins_can_take(router: Router) -> None:
    """What plugins leave hanging in the threads of the event loop keeps nobody from a reload."""
    loop, end = asyncio.get_running_loop(), threading.Event()
    loop.set_default_executor(ThreadPoolExecutor(1))
    hung = asyncio.create_task(asyncio.to_thread(end.wait, 20))
    await asyncio.sleep(0)
    try:
        async with asyncio.timeout(10):
            assert (await reload(router, SWAPPED)).status == 200
    finally:
        end.set()
        await hung


async def test_an_older_reading_never_replaces_a_newer_one(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reload that takes long with what it has read does not bring it back over what a later one has read."""
    has_read, go_on = threading.Event(), threading.Event()

    try_apart = Workshop.try_apart

    def slow_in_the_middle(workshop: Workshop, *order: Any) -> Attempt:
        found = try_apart(workshop, *order)
        if found.loaded and "/tools/slow" in found.loaded.routes.tools:
            has_read.set()
            assert go_on.wait(5)
        return found

    monkeypatch.setattr(Workshop, "try_apart", slow_in_the_middle)
    older = asyncio.create_task(reload(router, ROUTES + "  /tools/slow: {flow: refunds}\n"))
    assert await asyncio.to_thread(has_read.wait, 10)
    newer = asyncio.create_task(reload(router, ROUTES + "  /tools/new: {flow: refunds}\n"))
    await asyncio.sleep(0.1)
    go_on.set()
    assert [(await task).status for task in (older, newer)] == [200, 200]
    assert (await router.call("/tools/slow", {})).status == 404
    assert (await router.call("/tools/new", {})).status == 200


async def test_a_body_that_arrives_after_a_reload_belongs_to_the_old_routes(router: Router) -> None:
    """A call keeps the routes that it found its tool in, also where that tool is gone when its body is there."""
    session = router.conversation.session
    body = b'{"wish": "refund"}'
    async with router.connection() as (reader, writer):
        writer.write(
            f"POST /tools/any HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Session-Id: {session}\r\n"
            f"X-Handover-Secret: {SECRET}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body[:5]
        )
        await writer.drain()
        await asyncio.sleep(0.1)
        assert (await reload(router, ROUTES.replace("/tools/any", "/tools/some"))).status == 200
        writer.write(body[5:])
        answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.endswith(b"Conversation handed over")
    assert router.flows == [REFUNDS]


async def test_the_figures_count_reloads(router: Router) -> None:
    """Reloads are counted by how they ended, and the log has those that did something or should have."""
    for routes in (None, SWAPPED, "tools: ["):
        await reload(router, routes)
    text = (await router.send("GET", "/metrics")).text
    for result in ("unchanged", "changed", "refused"):
        assert f'handover_reloads_total{{result="{result}"}} 1.0' in text
    assert [entry["event"] for entry in router.entries] == ["reloaded", "reload refused"]


def test_changes_are_named_by_route(tmp_path: Path) -> None:
    """What is the same is not named; a change of a tool's own route is not one of its intents'."""
    path = tmp_path / "routes.yaml"
    environ = {"HANDOVER_SECRET": SECRET}

    def routes(text: str) -> Routes:
        path.write_text(text, encoding="utf-8")
        return load(path, environ=environ).routes

    old = routes(ROUTES)
    new = routes(ROUTES.replace("    dry_run: true\n", ""))
    assert list(changes(old, old)) == []
    assert list(changes(old, new)) == ["changed /tools/rehearsal"]
    renamed = ROUTES.replace("  billing: FW", "  bills: FW").replace("flow: billing", "flow: bills")
    assert list(changes(old, routes(renamed))) == ["removed flow billing", "added flow bills"]
    new = routes(ROUTES.replace("aliases: [money back], ", "").replace("  - twilio_signature\n", ""))
    assert list(changes(old, new)) == ["changed auth", "changed /tools/support refund"]
    for key, value in (("limits", "{handovers_per_hour: 3}"), ("hand_back", "{end_execution: true}")):
        new = routes(ROUTES.replace("    dry_run: true\n", f"    dry_run: true\n    {key}: {value}\n"))
        assert list(changes(old, new)) == ["changed /tools/rehearsal"]
