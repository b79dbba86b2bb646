from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from router.config.inheritance import inherited, patch, plugin_layers
from router.model.messages import Messages
from router.model.routes import HandBack, Limits, OnError, Replay
from tests.config.kit import FLOW, HEAD, OTHER, loaded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

VALUES = st.none() | st.integers(0, 3)
FLAT = st.dictionaries(st.sampled_from("abc"), VALUES)
CONFIGS = st.recursive(FLAT, lambda inner: st.dictionaries(st.sampled_from("abc"), VALUES | inner), max_leaves=6)


def nearest(layers: Sequence[Mapping[str, Any]], key: str) -> Any:
    """Say what the rule says, in another way: the last layer that has the key decides, and null removes."""
    return next((layer[key] for layer in reversed(layers) if key in layer), None)


@given(st.lists(FLAT, max_size=4))
def test_the_nearest_wins_and_null_removes(layers: list[Mapping[str, Any]]) -> None:
    """Over any layers, a key has the value of the last layer that has it, and is gone where that is null."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = patch(merged, layer)
    assert merged == {key: nearest(layers, key) for key in "abc" if nearest(layers, key) is not None}


@given(CONFIGS, CONFIGS)
def test_mappings_within_are_laid_over_each_other_too(base: dict[str, Any], change: dict[str, Any]) -> None:
    """A patch leaves its arguments alone, keeps no null that it brings, and brings nothing new the second time."""
    before = repr((base, change))
    merged = patch(base, change)
    assert repr((base, change)) == before
    assert patch(merged, change) == merged
    for key, value in change.items():
        if value is None:
            assert key not in merged
        elif isinstance(value, dict):
            below = base.get(key)
            assert merged[key] == patch(below if isinstance(below, dict) else {}, value)
        else:
            assert merged[key] == value
    assert all(merged[key] == base[key] for key in base.keys() - change.keys())


@given(
    st.lists(
        st.fixed_dictionaries({}, optional={"flow": VALUES, "replay": VALUES, "messages": FLAT | st.none()}), max_size=4
    )
)
def test_levels_inherit_key_by_key(levels: list[dict[str, Any]]) -> None:
    """defaults, tool and intent: each key from the nearest level; messages key by key; null goes back to nothing."""
    merged = inherited([((), level) for level in levels])
    for key in ("flow", "replay"):
        assert merged.get(key) == nearest(levels, key)
    since = [index for index, level in enumerate(levels) if level.get("messages", {}) is None]
    sentences = [level.get("messages") or {} for level in levels[since[-1] if since else 0 :]]
    expected = {key: nearest(sentences, key) for key in "abc" if nearest(sentences, key) is not None}
    assert merged.get("messages", {}) == expected


SETTINGS = st.none() | st.booleans() | FLAT


@given(
    st.lists(
        st.fixed_dictionaries(
            {}, optional={"plugins": st.none() | st.fixed_dictionaries({}, optional={"a_b": SETTINGS})}
        ),
        max_size=4,
    )
)
def test_a_plugin_is_on_as_the_last_level_says(levels: list[dict[str, Any]]) -> None:
    """The last level with an opinion switches a plugin on or off; null for all plugins goes back to the list."""
    chain = plugin_layers("a-b", (("plugins", 0, "config"), {"a": 9}), [((), level) for level in levels])
    opinions: list[Any] = [True]
    for level in levels:
        if level.get("plugins", {}) is None:
            opinions = [True]
        elif level.get("plugins", {}).get("a_b") is not None:
            opinions.append(level["plugins"]["a_b"])
    if opinions[-1] is False:
        assert chain is None
    else:
        assert chain is not None
        assert [config for _trail, config in chain] == [
            {"a": 9},
            *(each for each in opinions if isinstance(each, dict)),
        ]


def test_a_route_has_what_it_inherits(tmp_path: Path) -> None:
    """From defaults over the tool to the intent, with null back to what is built in."""
    text = (
        HEAD
        + """
defaults: {replay: last_message, dry_run: true, messages: {success: D, failure: D, closed: D}}
tools:
  /a:
    flow: refunds
    dry_run: false
    messages: {success: T, failure: T}
    intents:
      one: {messages: {success: I, closed: null}}
      two: {flow: billing, replay: null, messages: null, dry_run: null}
"""
    )
    tool = loaded(tmp_path, text).routes.tools["/a"]
    one, two = tool.intents["one"].route, tool.intents["two"].route
    assert (tool.route.flow, one.flow, two.flow) == (FLOW, FLOW, OTHER)
    assert (tool.route.replay, one.replay, two.replay) == (Replay.LAST_MESSAGE, Replay.LAST_MESSAGE, Replay.NONE)
    assert (tool.route.dry_run, one.dry_run, two.dry_run) == (False, False, False)
    assert tool.route.messages == Messages(success="T", failure="T", closed="D")
    assert one.messages == Messages(success="I", failure="T")
    assert two.messages == Messages()


def test_limits_and_the_hand_back_are_inherited_value_by_value(tmp_path: Path) -> None:
    """An intent that sets one value keeps the others of its tool; null for one, or for all, is what is built in."""
    text = (
        HEAD
        + """
defaults: {limits: {handovers_per_hour: 3.0, repeat_window: 5}, hand_back: {within: 300, end_execution: true}}
tools:
  /a:
    flow: refunds
    limits: {repeat_window: 0.5}
    hand_back: {within: null}
    intents:
      one: {flow: billing, limits: {handovers_per_hour: 7}, hand_back: {end_execution: false}}
      two: {flow: billing, limits: null, hand_back: null}
  /b: {flow: refunds, limits: {handovers_per_hour: null}}
"""
    )
    tools = loaded(tmp_path, text).routes.tools
    one, two = tools["/a"].intents["one"].route, tools["/a"].intents["two"].route
    assert (tools["/a"].route.limits, tools["/a"].route.hand_back) == (Limits(3, 0.5), HandBack(60, end_execution=True))
    assert (one.limits, one.hand_back) == (Limits(7, 0.5), HandBack())
    assert (two.limits, two.hand_back) == (Limits(), HandBack())
    assert (tools["/b"].route.limits, tools["/b"].route.hand_back) == (Limits(10, 5), HandBack(300, end_execution=True))


def test_plugins_of_a_route_stand_in_the_order_of_the_list(tmp_path: Path) -> None:
    """Each route has the plugins of the list, in its order, with its own config, less those that it switches off."""
    text = (
        HEAD
        + """
plugins:
  - use: second
    config: {a: 1, b: {x: 1, y: 2}}
    on_error: continue
  - use: first_one
defaults: {plugins: {second: {a: 2}}}
tools:
  /a:
    flow: refunds
    plugins: {first-one: {z: 1}, second: {b: {x: null}}}
  /b: {flow: billing, plugins: {second: false, first-one: true}}
  /c: {flow: billing, plugins: null}
"""
    )
    tools = loaded(tmp_path, text, None, first_one="None", second="None").routes.tools
    uses = {
        path: [(use.name, dict(use.config), use.on_error) for use in tool.route.plugins] for path, tool in tools.items()
    }
    assert uses == {
        "/a": [("second", {"a": 2, "b": {"y": 2}}, OnError.CONTINUE), ("first-one", {"z": 1}, OnError.STOP)],
        "/b": [("first-one", {}, OnError.STOP)],
        "/c": [("second", {"a": 1, "b": {"x": 1, "y": 2}}, OnError.CONTINUE), ("first-one", {}, OnError.STOP)],
    }


def test_a_tool_may_leave_a_config_for_its_intents_to_complete(tmp_path: Path) -> None:
    """What a plugin requires need only be there where a handover can end up."""
    text = (
        HEAD
        + """
plugins: [{use: audit}]
tools:
  /a:
    intents:
      one: {flow: refunds, plugins: {audit: {desk: x}}}
      two: {flow: billing, plugins: {audit: false}}
"""
    )
    tool = loaded(tmp_path, text, None, audit='{"required": ["desk"]}').routes.tools["/a"]
    assert dict(tool.intents["one"].route.plugins[0].config) == {"desk": "x"}
    assert tool.intents["two"].route.plugins == ()
    assert dict(tool.route.plugins[0].config) == {}
