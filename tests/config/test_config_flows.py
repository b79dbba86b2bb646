from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.config.kit import HEAD, TOOLS, faults, write

if TYPE_CHECKING:
    from pathlib import Path

FLOW = "{'type': 'string', 'x-flow': True}"
SCHEMA = f"""{{
    'type': 'object',
    'properties': {{
        'flow': {FLOW},
        'by_intent': {{'additionalProperties': {FLOW}}},
        'any': {{'items': {FLOW}}},
        'all': {{'additionalProperties': False}},
        'note': {{}},
    }},
}}"""


def told(directory: Path, config: str, tools: str = TOOLS) -> list[str]:
    """Say what is found wrong with a file that gives the plugin ``own`` this config."""
    path = write(directory, f"{HEAD}plugins:\n  - use: own\n    config: {config}\n{tools}", own=SCHEMA)
    return [f"{each.line}:{each.column}: {each.code}: {each.message}" for each in faults(path)]


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ("{flow: biling}", "6:20: flow-unknown: 'config' of plugin 'own'"),
        ("{by_intent: {refund: biling}}", "6:34: flow-unknown: 'by_intent' of 'config' of plugin 'own'"),
        ("{any: [refunds, biling]}", "6:29: flow-unknown: 'any' of 'config' of plugin 'own'"),
    ],
)
def test_a_flow_that_a_config_names_must_be_there(config: str, place: str, tmp_path: Path) -> None:
    """It is told where it stands, with the one that was meant."""
    message = "names the flow 'biling', which is not in 'flows'; did you mean 'billing'?"
    assert told(tmp_path, config) == [f"{place} {message}"]


@pytest.mark.parametrize(
    "config",
    ["{flow: billing}", "{flow: null}", "{flow: ''}", "{note: nowhere}", "{more: nowhere, all: {}}", "{any: [null]}"],
)
def test_what_is_no_flow_is_not_looked_up(config: str, tmp_path: Path) -> None:
    """A flow that is listed is right, one that is taken out names none, and without the mark a text is a text."""
    assert [each for each in told(tmp_path, config) if "flow-unknown" in each] == []


def test_a_route_names_flows_in_its_own_config_too(tmp_path: Path) -> None:
    """What a tool lays over the entry is looked at as well; a plugin that it switches off names nothing."""
    tools = """tools:
  /refunds: {flow: refunds, plugins: {own: {flow: biling}}}
  /billing: {flow: billing, plugins: {own: false}}
"""
    (only,) = told(tmp_path, "{}", tools)
    assert only.startswith("8:51: flow-unknown: 'own' of 'plugins' of tool '/refunds' names the flow 'biling'")


def test_a_flow_that_only_a_config_names_is_used(tmp_path: Path) -> None:
    """Nobody is told to remove it."""
    tools = "tools:\n  /refunds: {flow: refunds}\n"
    assert told(tmp_path, "{flow: billing}", tools) == []
    assert ["flow-unused" in each for each in told(tmp_path, "{}", tools)] == [True]


def test_a_plugin_that_there_is_not_names_nothing(tmp_path: Path) -> None:
    """That it is not there is the one fault."""
    path = write(tmp_path, f"{HEAD}plugins: [{{use: gone, config: {{flow: biling}}}}]\n{TOOLS}")
    assert [each.code for each in faults(path)] == ["plugin-unknown"]
