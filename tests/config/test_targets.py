"""Targets in ``routes.yaml``: which names a flow may have, and what is told where one is wrong."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from router.cli.explain import command as explain
from router.cli.routes import command as routes
from router.config.loading import attempt
from router.hooks.host import PluginHost
from router.web.changes import changes
from router.workshop.parcel import pack, unpack
from tests.config.kit import FLOW, HEAD, TOOLS, faults, loaded, write

if TYPE_CHECKING:
    from pathlib import Path

PLUGIN = """
from router import Target, hookimpl

class Desk(Target):
    async def start(self, handover, twilio): return "R1"
    async def find(self, reference, handover, twilio): return None
    async def stop(self, reference, handover, twilio): return None

@hookimpl
def plugin_info():
    return {"config_schema": {"type": "object", "required": ["names"]}}

@hookimpl
def register_targets(config):
    return {name: Desk() for name in config["names"]}
"""
USE = "plugins: [{use: desk, config: {names: [human, night]}}]\n"
HUMAN = TOOLS + "  /human: {flow: human}\n"


def told(directory: Path, text: str, **more: str) -> list[str]:
    """Say what is found wrong with a file that may use the plugin above."""
    path = write(directory, text)
    for name, source in {"desk": PLUGIN, **more}.items():
        (directory / "plugins" / f"{name}.py").write_text(source)
    return [f"{each.line}:{each.column}: {each.code}: {each.message}" for each in faults(path)]


def test_a_target_may_stand_for_a_flow(tmp_path: Path) -> None:
    """In a route, in a test, and for a guard; the routes know whose it is."""
    test = "tests: [{name: a, call: {tool: /human}, expect: {flow: human}}]\n"
    assert told(tmp_path, HEAD + USE + HUMAN + test) == []
    found = loaded(tmp_path, HEAD + USE + HUMAN).routes
    assert found.targets == {"human": "desk", "night": "desk"}
    assert found.tools["/human"].route.flow == "human"
    assert [found.flow_sid(name) for name in ("night", "refunds", "nobody")] == ["night", FLOW, None]
    assert found.flow_alias("human") == "human"


def test_a_name_that_nobody_registers_is_unknown(tmp_path: Path) -> None:
    """The guess is among flows and targets; without a plugin that registers any, only flows are spoken of."""
    (only,) = told(tmp_path, HEAD + USE + HUMAN.replace("flow: human", "flow: hunam"))
    assert only.endswith(
        "flow-unknown: tool '/human' names the flow 'hunam', which is not in 'flows', and no target of a plugin;"
        " did you mean 'human'?"
    )
    (only,) = told(tmp_path, HEAD + HUMAN)
    assert only.endswith("names the flow 'human', which is not in 'flows'; add it there")


def test_a_flow_and_a_target_of_one_name_are_a_fault(tmp_path: Path) -> None:
    """The fault is at the flow, and names the plugin."""
    (only,) = told(tmp_path, HEAD + USE.replace("human", "billing") + TOOLS)
    assert only == (
        "2:54: defined-twice: the flow 'billing' has the name of a target of the plugin 'desk'; rename one of the two"
    )


def test_two_plugins_with_one_name_are_a_fault(tmp_path: Path) -> None:
    """The second one is told, by its entry."""
    two = "plugins:\n  - {use: desk, config: {names: [human]}}\n  - {use: twin, config: {names: [human]}}\n"
    (only,) = told(tmp_path, HEAD + two + HUMAN, twin=PLUGIN)
    assert only.endswith(
        "plugin-broken: the plugin 'twin' cannot register its targets: gives 'human', which 'desk' gives too"
    )


@pytest.mark.parametrize(
    ("use", "code"),
    [
        ("plugins: [{use: desk}]\n", "plugin-config"),
        ("plugins: [{use: desk, config: {names: 17}}]\n", "plugin-broken"),
        ("plugins: [{use: desk, config: {names: [on]}}]\n", "scalar-boolean"),
        ("plugins: [{use: dsek}]\n", "plugin-unknown"),
        ("plugins: 17\n", "type-wrong"),
    ],
)
def test_a_plugin_at_fault_hides_what_it_might_register(tmp_path: Path, use: str, code: str) -> None:
    """Where it cannot register, the names that routes use are not told as unknown beside that."""
    (only,) = told(tmp_path, HEAD + use + HUMAN)
    assert code in only


@pytest.mark.parametrize(
    ("use", "codes"),
    [
        ("{use: audit, on_eror: stop}", {"key-unknown", "flow-unknown"}),
        ("{use: audit, on_error: [], config: 1}", {"type-wrong", "value-wrong", "flow-unknown"}),
        ("{use: desk, name: [human], config: {names: []}}", {"key-unknown"}),
        ("{config: {names: [human]}}", {"key-missing"}),
        ("desk", {"type-wrong"}),
    ],
)
def test_a_plugin_without_targets_hides_nothing(tmp_path: Path, use: str, codes: set[str]) -> None:
    """A flow that nobody knows is told beside the fault of such a plugin, but not where a target may be lost in it."""
    found = told(tmp_path, f"{HEAD}plugins: [{use}]\n{HUMAN}")
    assert {each.split(": ")[1] for each in found} == codes


def test_what_a_plugin_registers_it_makes_of_its_entry_alone(tmp_path: Path) -> None:
    """What a route lays over the config comes too late: the entry must be whole by itself."""
    route = TOOLS.replace("{flow: billing}", "{flow: billing, plugins: {desk: {names: [human]}}}")
    (only,) = told(
        tmp_path, HEAD + "plugins: [{use: desk, config: {}}]\n" + route.replace("flow: refunds", "flow: human")
    )
    assert "plugin-config" in only


def test_a_schema_that_cannot_be_used_is_told_once(tmp_path: Path) -> None:
    """It is told as the plugin's fault, and nothing is registered."""
    source = PLUGIN.replace('{"type": "object", "required": ["names"]}', '{"$ref": "https://example.com/other"}')
    (only,) = told(tmp_path, HEAD + USE.replace("desk", "far") + HUMAN, far=source)
    assert "plugin-broken: the config schema of the plugin 'far' cannot be used" in only


def test_one_that_stands_twice_registers_once(tmp_path: Path) -> None:
    """The second entry is a fault of its own."""
    (only,) = told(tmp_path, HEAD + USE.replace("]}}]", "]}}, {use: desk, config: {names: [human]}}]") + HUMAN)
    assert "plugin-twice" in only


def test_targets_are_registered_again_in_another_process(tmp_path: Path) -> None:
    """A configuration that was tried apart has its targets where it is used."""
    assert told(tmp_path, HEAD + USE + HUMAN) == []
    packed = io.BytesIO(b"".join(pack(attempt(tmp_path / "routes.yaml", environ={}))))
    again = unpack(packed, [tmp_path / "plugins"], PluginHost.of, lambda: None).loaded
    assert again is not None
    assert list(again.plugins.registered) == list(again.routes.targets) == ["human", "night"]


def test_what_leads_to_a_target_is_shown_with_its_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the table of routes, for people and programs, and in the explanation of a call."""
    monkeypatch.chdir(tmp_path)
    assert told(tmp_path, HEAD + USE + HUMAN) == []
    shown = CliRunner().invoke(routes, []).output.splitlines()[-1]
    assert re.fullmatch(r"/human +- +human \(desk\) +Conversation handed over +desk", shown)
    line = json.loads(CliRunner().invoke(routes, ["--json"]).output)["routes"][-1]
    assert (line["flow"], line["flow_sid"], line["target_of"]) == ("human", "", "desk")
    explained = CliRunner().invoke(explain, ["POST", "/human"]).output
    assert "'human' is a target of the plugin 'desk'" in explained
    assert '"plugin": "desk"' in CliRunner().invoke(explain, ["POST", "/human", "--format", "json"]).output


def test_a_target_that_comes_or_goes_is_a_change(tmp_path: Path) -> None:
    """The receipt of a reload names it."""
    assert told(tmp_path, HEAD + USE + HUMAN) == []
    new = loaded(tmp_path, HEAD + USE + HUMAN).routes
    old = replace(new, targets={"human": "front"})
    assert list(changes(old, new)) == ["changed target human", "added target night"]
