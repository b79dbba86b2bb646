"""Files with faults under a running server, and under one that starts: what answers, and how loudly it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.errors import ConfigError
from tests.web.kit import ADMIN, BILLING, REFUNDS, ROUTES, running_router

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.web.kit import Reply, Router

ROOT = ROUTES.replace("flows:\n", "include: ['teams/*.yaml']\nflows:\n", 1)
A = "tools: {/tools/a: {flow: refunds}}\n"
B = "tools: {/tools/b: {flow: billing}}\n"


def team(directory: Path, **texts: str) -> None:
    (directory / "teams").mkdir(exist_ok=True)
    for name, text in texts.items():
        (directory / "teams" / f"{name}.yaml").write_text(text)


@pytest.fixture
async def router(tmp_path: Path) -> AsyncIterator[Router]:
    """A router with a fragment for each of two teams."""
    team(tmp_path, a=A, b=B)
    async with running_router(tmp_path, ROOT) as running:
        yield running


async def reload(router: Router, query: str = "") -> Reply:
    return await router.send("POST", f"/-/reload{query}", headers={"Authorization": f"Bearer {ADMIN}"})


async def figures(router: Router) -> dict[str, float]:
    """Read the figures of the configuration; files by their names alone."""
    text = (await router.send("GET", "/metrics")).text
    rows = [
        line.rpartition(" ") for line in text.splitlines() if line.startswith(("handover_config", "handover_reloads_t"))
    ]
    return {name.replace(str(router.routes.parent) + "/", ""): float(value) for name, _, value in rows}


async def test_a_broken_fragment_freezes_itself_alone(router: Router) -> None:
    """Its last good form answers, a change beside it goes live, and receipt, page, figures and log all tell."""
    team(router.routes.parent, a="tools: {/tools/a: {flow: nowhere}}\n", b=B.replace("billing", "refunds"))
    reply = await reload(router)
    assert reply.status == 200
    assert reply.json["changes"] == ["changed /tools/b"]
    (degraded,) = reply.json["degraded"]
    assert degraded["file"].endswith("teams/a.yaml")
    assert degraded["state"] == "last_good"
    assert [each["code"] for each in degraded["diagnostics"]] == ["flow-unknown"]
    assert (await router.call("/tools/a")).json["flow"] == REFUNDS
    router.begin_anew()
    assert (await router.call("/tools/b")).json["flow"] == REFUNDS
    page = await router.send("GET", "/readyz")
    assert page.status == 200
    assert page.text.startswith("degraded\n")
    assert "a.yaml has faults, and its last good form still answers; the first: " in page.text
    assert "teams/a.yaml:1: flow-unknown\n" in page.text
    found = await figures(router)
    assert found["handover_config_last_reload_successful"] == 0
    assert found['handover_config_fragment_good{fragment="teams/a.yaml"}'] == 0
    assert found['handover_config_fragment_good{fragment="teams/b.yaml"}'] == 1
    assert found['handover_reloads_total{result="degraded"}'] == 1


async def test_a_fragment_that_breaks_is_told_and_its_repair_too(router: Router) -> None:
    """A fragment that breaks while nothing else changes is a receipt of its own, once, and so is its repair."""
    team(router.routes.parent, a="{")
    first = await reload(router)
    assert (first.status, first.json["changes"], len(first.json["degraded"])) == (200, [], 1)
    (entry,) = [entry for entry in router.entries if entry["event"] == "degraded"]
    assert entry["level"] == "error"
    assert entry["fragment"].endswith("teams/a.yaml")
    assert "yaml" in entry["diagnostics"][0]
    again = await reload(router)
    assert (again.status, again.json) == (200, first.json)
    team(router.routes.parent, a=A)
    repaired = await reload(router)
    assert (repaired.status, repaired.json["changes"]) == (200, [])
    assert "degraded" not in repaired.json
    assert (await router.send("GET", "/readyz")).text.startswith("ready\n")
    assert (await figures(router))["handover_config_last_reload_successful"] == 1


async def test_a_renamed_fragment_keeps_its_last_good_form(router: Router) -> None:
    """Another name is no other content, but what is good is known by its name from then on."""
    teams = router.routes.parent / "teams"
    (teams / "a.yaml").rename(teams / "z.yaml")
    renamed = await reload(router)
    assert (renamed.status, renamed.json["changes"]) == (200, [])
    (teams / "z.yaml").write_text("{")
    assert (await reload(router)).json["degraded"][0]["state"] == "last_good"
    assert (await router.call("/tools/a")).json["flow"] == REFUNDS


async def test_what_is_mended_is_told(router: Router) -> None:
    """The log says that a fault is gone, whether or not anything changed."""
    router.routes.write_text("}")
    await reload(router)
    router.routes.write_text(ROOT)
    assert (await reload(router)).status == 304
    assert [entry["event"] for entry in router.entries] == ["reload refused", "recovered"]
    router.begin_anew()
    team(router.routes.parent, a="}")
    await reload(router)
    team(router.routes.parent, a=A)
    await reload(router)
    assert [entry["event"] for entry in router.entries] == ["reloaded", "degraded", "recovered", "reloaded"]


async def test_strict_fragments_go_live_together_or_not_at_all(tmp_path: Path) -> None:
    """With ``fragments: strict`` a broken fragment refuses the whole."""
    team(tmp_path, a=A, b=B)
    async with running_router(tmp_path, ROOT + "fragments: strict\n") as router:
        team(tmp_path, a="{", b=B.replace("billing", "refunds"))
        assert (await reload(router)).status == 422
        assert (await router.call("/tools/b")).json["flow"] == BILLING
        found = await figures(router)
        assert found["handover_config_last_reload_successful"] == 0
        page = (await router.send("GET", "/readyz")).text
        assert page.startswith("degraded\n")
        assert "config: the last reload was refused: " in page
        team(tmp_path, a=A, b=B)
        assert (await reload(router)).status == 304
        assert (await router.send("GET", "/readyz")).text.startswith("ready\n")


async def test_a_tool_without_a_good_form_says_that_it_is_out_of_order(tmp_path: Path) -> None:
    """At the first start a broken fragment's tool tells the model so, whatever its call says; the rest answers."""
    team(tmp_path, a="tools:\n  /tools/a: {flow: nowhere}\n", b=B)
    async with running_router(tmp_path, ROOT) as router:
        reply = await router.call("/tools/a")
        assert (reply.status, reply.json["outcome"]) == (200, "failed")
        assert reply.json["message"].startswith("Nothing was handed over: this tool is out of order.")
        assert (await router.call("/tools/a", session="voice:1")).json["outcome"] == "failed"
        assert (await router.send("POST", "/tools/a")).status == 403
        assert router.writes == []
        assert (await router.call("/tools/b")).json["flow"] == BILLING
        assert [entry["event"] for entry in router.entries][:2] == ["config", "degraded"]
        team(tmp_path, a=A)
        assert (await reload(router)).json["changes"] == ["changed /tools/a"]


async def test_a_restart_with_a_broken_file_comes_up_and_says_so(tmp_path: Path) -> None:
    """The last good form answers; page, figures and log tell since when, until the file is repaired."""
    async with running_router(tmp_path, ROUTES) as router:
        good = (await figures(router)).keys()
    async with running_router(tmp_path, "tools: [") as router:
        assert (await router.call("/tools/support", {"intent": "refund"})).json["flow"] == REFUNDS
        page = await router.send("GET", "/readyz")
        assert (page.status, page.text.partition("\n")[0]) == (200, "degraded")
        assert "config: the files are broken: this is their last good form, of 20" in page.text
        assert [(entry["event"], entry["level"]) for entry in router.entries if entry["level"] == "error"][-2:] == [
            ("config", "error"),
            ("degraded", "error"),
        ]
        found = await figures(router)
        assert found["handover_config_last_reload_successful"] == 0
        assert {name for name in found if "info" in name} <= good
        assert (await reload(router)).status == 422
        router.routes.write_text(ROUTES)
        assert (await reload(router)).status == 200
        assert (await router.send("GET", "/readyz")).text.startswith("ready\n")
        assert (await figures(router))["handover_config_last_reload_successful"] == 1


async def test_without_a_last_good_form_it_does_not_start(tmp_path: Path) -> None:
    """Where nothing is kept, a broken file is refused with its faults."""
    async with running_router(tmp_path, ROUTES, HANDOVER_STATE="none"):
        pass
    with pytest.raises(ConfigError, match=r"routes\.yaml:1:8: error"):
        async with running_router(tmp_path, "tools: ["):
            pass


async def test_a_form_that_cannot_be_kept_is_told_and_nothing_else(tmp_path: Path) -> None:
    """A directory that cannot be written to costs the next restart, and no call."""
    (tmp_path / "state").write_text("a file where the directory should be")
    async with running_router(tmp_path) as router:
        (entry,) = router.entries
        assert (entry["event"], entry["directory"]) == ("the last good form cannot be kept", str(tmp_path / "state"))
        assert "HANDOVER_STATE" in entry["remedy"]
        assert (await router.call("/tools/support", {"intent": "refund"})).json["flow"] == REFUNDS


async def test_a_file_that_was_cut_off_is_refused(router: Router) -> None:
    """A file with less than half of what runs stays out, until somebody says that it is meant so."""
    router.routes.write_text(ROOT[: ROOT.index("tools:\n")] + "tools: {/x: {flow: refunds}}\n")
    refused = await reload(router)
    assert refused.status == 422
    assert "file-shorter" in [each["code"] for each in refused.json["diagnostics"]]
    assert (await reload(router, "?shorter=no")).status == 422
    accepted = await reload(router, "?shorter=accept")
    assert accepted.status == 200
    assert (await router.call("/x")).json["flow"] == REFUNDS


async def test_digest_and_time_are_shown(router: Router) -> None:
    """The digest is that of the receipt, one at a time; the time moves with each configuration that goes live."""
    before = await figures(router)
    (shown,) = [name for name in before if name.startswith("handover_config_info")]
    router.routes.write_text(ROOT + "test_on_reload: false\n")
    digest = (await reload(router)).json["digest"]
    after = await figures(router)
    assert [name for name in after if "info" in name] == [f'handover_config_info{{digest="{digest}"}}']
    assert shown not in after
    time = "handover_config_last_reload_success_timestamp_seconds"
    assert after[time] > before[time]


async def test_tests_of_the_file_keep_a_reload_back(router: Router) -> None:
    """With ``test_on_reload`` a failing test is a 422 at the place of its expectation; a passing one goes live."""
    tests = "test_on_reload: true\ntests:\n- {name: x, call: {tool: /tools/a}, expect: {flow: %s}}\n"
    router.routes.write_text(ROOT + tests % "billing")
    refused = await reload(router)
    assert refused.status == 422
    (fault,) = refused.json["diagnostics"]
    assert fault["code"] == "test-failed"
    assert fault["line"] == len(ROOT.splitlines()) + 3
    router.routes.write_text(ROOT + tests % "refunds")
    assert (await reload(router)).status == 200
    assert router.sandbox.requests == []


async def test_the_schema_is_served_for_editors(router: Router) -> None:
    """Anyone may fetch the grammar, with the configs of the plugins that are installed."""
    reply = await router.send("GET", "/-/schema.json")
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("application/schema+json")
    assert reply.json["$schema"].endswith("2020-12/schema")
    assert "conversation-attributes" in reply.text
    (router.routes.parent / "plugins").mkdir()
    plugin = "from router import hookimpl\n\n@hookimpl\ndef plugin_info():\n    return {'config_schema': {}}\n"
    (router.routes.parent / "plugins" / "newcomer.py").write_text(plugin)
    assert (await reload(router)).status == 304
    assert "newcomer" in (await router.send("GET", "/-/schema.json")).text
