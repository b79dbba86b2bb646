from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError

from router.bundled import PLUGINS
from router.hooks.discovery import FoundPlugin, discover
from router.hooks.host import PluginHost
from router.model.routes import PluginUse
from tests.hooks.kit import FLOW, HANDOVER

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "conversation-attributes"
PAGE = (Path(__file__).parents[2] / "docs" / "plugins" / "conversation_attributes.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def found() -> FoundPlugin:
    return discover([PLUGINS]).plugins[NAME]


async def given_by(found: FoundPlugin, config: Mapping[str, Any], **inputs: Any) -> Mapping[str, Any]:
    handover = dataclasses.replace(HANDOVER, inputs=inputs)
    return await PluginHost.of([found]).add_attributes(handover, [PluginUse(name=NAME, config=config)])


def test_the_bundled_plugins_load_without_a_fault() -> None:
    """What travels with the router is found, and describes itself."""
    bundled = discover([PLUGINS])
    assert bundled.faults == ()
    assert bundled.plugins[NAME].version
    assert bundled.plugins[NAME].hooks == ("plugin_info", "add_attributes")


async def test_without_config_no_input_is_written(found: FoundPlugin) -> None:
    """The flow learns which handover it is; what a customer told the model stays out unless it is asked for."""
    assert await given_by(found, {}, order_id="A-17") == {
        "handover": {"id": HANDOVER.id, "tool": "/tools/support", "intent": "refund", "flow": FLOW, "inputs": {}}
    }


async def test_chosen_inputs_are_written_where_they_are_there(found: FoundPlugin) -> None:
    """In the order of the config, with their JSON values, under the chosen key."""
    config = {"key": "desk", "include": ["amount", "order_id", "missing"]}
    given = await given_by(found, config, order_id="A-17", amount=12.5, secret="x")
    assert list(given) == ["desk"]
    assert list(given["desk"]["inputs"].items()) == [("amount", 12.5), ("order_id", "A-17")]


async def test_a_handover_without_a_flow_names_none(found: FoundPlugin) -> None:
    """An empty flow would be a lie in a report."""
    host = PluginHost.of([found])
    given = await host.add_attributes(HANDOVER.replace(flow=""), [PluginUse(name=NAME)])
    assert "flow" not in given["handover"]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("x" * 1000, "x" * 1000),
        ("x" * 1001, "x" * 993 + "… (cut)"),
        (["é" * 2000], '["' + "é" * 991 + "… (cut)"),
        ({"a": [1, None]}, {"a": [1, None]}),
    ],
)
async def test_a_long_input_is_cut_with_a_mark(found: FoundPlugin, value: Any, written: Any) -> None:
    """1000 characters fit; of more the beginning is kept, and one sees that something is missing."""
    given = await given_by(found, {"include": ["note"]}, note=value)
    assert given["handover"]["inputs"]["note"] == written


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=1500),
    lambda values: st.lists(values, max_size=30) | st.dictionaries(st.text(), values, max_size=5),
    max_leaves=20,
)


@given(JSON)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_the_model_wrote_stays_bounded(found: FoundPlugin, value: Any) -> None:
    """No input takes more than 1000 characters of JSON text, its quotes and escapes aside."""
    given = await given_by(found, {"include": ["note"]}, note=value)
    written = given["handover"]["inputs"]["note"]
    assert len(written if isinstance(written, str) else json.dumps(written, ensure_ascii=False)) <= 1000
    assert written == value or written.endswith("… (cut)")


@pytest.mark.parametrize(
    "config",
    [{"key": ""}, {"key": 7}, {"include": "order_id"}, {"include": [1]}, {"include": ["a", "a"]}, {"inlude": []}],
)
def test_a_wrong_config_is_refused_at_load(found: FoundPlugin, config: dict[str, Any]) -> None:
    """The schema holds each key to its type, and knows no other."""
    assert found.config_schema is not None
    with pytest.raises(ValidationError):
        Draft202012Validator(found.config_schema).validate(config)


async def test_the_page_shows_what_is_written(found: FoundPlugin) -> None:
    """The config of the page is valid, its table has the live defaults, and its example has the live keys."""
    assert found.config_schema is not None
    config = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0])["plugins"][0]["config"]
    Draft202012Validator(found.config_schema).validate(config)
    shown = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])
    written = await given_by(found, config, order_id="A-17")
    assert shown["handover"].keys() == written["handover"].keys()
    assert shown["handover"]["inputs"] == written["handover"]["inputs"]
    for key, schema in found.config_schema["properties"].items():
        default = schema["default"] if isinstance(schema["default"], str) else json.dumps(schema["default"])
        assert f"| `{key}` | `{default}` |" in PAGE
