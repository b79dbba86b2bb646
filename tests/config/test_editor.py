from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from router import bundled
from router.config.editor import fragment_schema, merged_schema
from router.hooks.discovery import FoundPlugin, discover
from tests.config.kit import HEAD, TOOLS

ROOT = Path(__file__).parent.parent.parent
GOOD = sorted((ROOT / "tests" / "examples" / "good").glob("*/routes.yaml"))
DESK = {
    "type": "object",
    "additionalProperties": False,
    "required": ["queue"],
    "properties": {
        "queue": {"$ref": "#/$defs/queue"},
        "hours": {"type": "object", "properties": {"from": {"type": "integer"}}, "required": ["from"]},
        "skills": {"type": "array", "items": {"$ref": "#/$defs/queue"}},
    },
    "$defs": {"queue": {"enum": ["first", "second"], "x-message": "ours"}},
}


class _Written(yaml.SafeLoader):
    """Reads YAML 1.2's core types, as editors do: a date is a text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own name and type
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read(text: str) -> Any:
    return yaml.load(text, _Written)  # noqa: S506 - a safe loader, with a resolver less


def plugin(name: str, schema: dict[str, Any] | None) -> FoundPlugin:
    return FoundPlugin(name=name, source=f"{name}.py", plugin=object(), config_schema=schema)


def editor(**schemas: dict[str, Any] | None) -> Draft202012Validator:
    """Make the merged schema of plugins by these names, with '-' for '_'; it must be one."""
    names = {name.replace("_", "-"): schema for name, schema in schemas.items()}
    whole = merged_schema({name: plugin(name, schema) for name, schema in names.items()})
    Draft202012Validator.check_schema(whole)
    return Draft202012Validator(whole)


def flagged(measure: Draft202012Validator, text: str) -> bool:
    return not measure.is_valid(read(HEAD + TOOLS + text))


@pytest.mark.parametrize("path", [ROOT / "routes.yaml", *GOOD], ids=lambda path: path.parent.name)
def test_what_may_go_live_is_not_flagged(path: Path) -> None:
    """The shipped file and the good examples are right for an editor that reads them as plain YAML."""
    found = discover([path.parent / "plugins", bundled.PLUGINS]).plugins
    whole = merged_schema(found)
    Draft202012Validator(whole).validate(read(path.read_text("utf-8")))
    for fragment in path.parent.glob("routes.d/*.yaml"):
        Draft202012Validator(fragment_schema(whole)).validate(read(fragment.read_text("utf-8")))


def test_the_first_example_has_fragments() -> None:
    """The test above reads fragments too."""
    assert any(list(path.parent.glob("routes.d/*.yaml")) for path in GOOD)


@pytest.mark.parametrize(
    "config",
    [
        "{queue: first}",
        "{queue: null, hours: null}",
        "{}",
        "{hours: {from: 9}, skills: [second]}",
        "{queue: '${env:QUEUE}', hours: {from: '${env:FROM:-9}'}, skills: ['${file:skill}']}",
        "{hours: {}}",
    ],
)
def test_a_right_config_is_not_flagged(config: str) -> None:
    """A part of a config, one that removes, and one with references are right, in the list and on each level."""
    measure = editor(desk_two=DESK)
    level = f"plugins: {{desk-two: {config}}}"
    for spelling in ("desk-two", "desk_two", "'${env:DESK}'"):
        assert not flagged(measure, f"plugins: [{{use: {spelling}, config: {config}}}]")
    assert not flagged(measure, f"defaults: {{{level}}}")
    assert not flagged(measure, f"  /a: {{{level}}}\n  /b: {{intents: {{c: {{{level}}}}}}}")
    assert not flagged(measure, f"defaults: {{plugins: {{desk_two: {config}}}}}")


@pytest.mark.parametrize(
    "config",
    [
        "{queue: third}",
        "{queue: 1}",
        "{qeue: first}",
        "{hours: {from: nine}}",
        "{hours: '${env:HOURS}'}",
        "{skills: [third]}",
        "{skills: [null]}",
        "[]",
    ],
)
def test_a_wrong_config_is_flagged(config: str) -> None:
    """What no other layer and no reference makes right is flagged, in the list and on each level."""
    measure = editor(other=None, desk_two=DESK)
    level = f"plugins: {{desk-two: {config}}}"
    for spelling in ("desk-two", "desk_two"):
        assert flagged(measure, f"plugins: [{{use: {spelling}, config: {config}}}]")
    assert flagged(measure, f"defaults: {{{level}}}")
    assert flagged(measure, f"  /a: {{{level}}}")
    assert flagged(measure, f"  /b: {{intents: {{c: {{{level}}}}}}}")


@pytest.mark.parametrize("setting", ["true", "false", "null", "'${env:ON}'", "{}"])
def test_a_route_switches_plugins(setting: str) -> None:
    """A switch, nothing, or a reference may stand in the place of a config; anything else may not."""
    measure = editor(desk=DESK)
    assert not flagged(measure, f"defaults: {{plugins: {{desk: {setting}}}}}")
    assert flagged(measure, "defaults: {plugins: {desk: on and off}}")
    assert flagged(measure, "defaults: {plugins: {desk: 1}}")


def test_a_plugin_that_is_not_there_is_flagged() -> None:
    """Only what was found can be used and set, whatever characters its name has; an editor can offer the names."""
    measure = editor(desk=None, **{"a.b (c) ü": None})
    assert not flagged(measure, "plugins: [{use: desk}, {use: a.b (c) ü}]")
    assert not flagged(measure, "defaults: {plugins: {desk: true, a.b (c) ü: true}}")
    assert flagged(measure, "plugins: [{use: dsk}]")
    assert flagged(measure, "plugins: [{use: a-b (c) ü}]")
    assert flagged(measure, "defaults: {plugins: {dsk: true}}")
    assert isinstance(measure.schema, dict)
    use = measure.schema["properties"]["plugins"]["items"]["properties"]["use"]
    assert use["anyOf"][0] == {"enum": ["desk", "a.b (c) ü"]}


def test_a_schema_that_cannot_be_taken_along_allows_anything() -> None:
    """A plugin whose schema reaches elsewhere is known by name, and its config is left to ``check``."""
    measure = editor(desk={"type": "object", "properties": {"a": {"$ref": "https://elsewhere.example/a.json"}}})
    assert not flagged(measure, "plugins: [{use: desk, config: {a: 1}}]")
    assert flagged(measure, "plugins: [{use: desk, cfg: {a: 1}}]")


def test_definitions_of_two_plugins_do_not_mix() -> None:
    """Two plugins may give the same name to different parts of their schemas."""
    second = {**DESK, "$defs": {"queue": {"type": "integer"}}}
    measure = editor(desk=DESK, second=second)
    assert not flagged(measure, "plugins: [{use: desk, config: {queue: first}}, {use: second, config: {queue: 1}}]")
    assert flagged(measure, "plugins: [{use: desk, config: {queue: 1}}]")
    assert flagged(measure, "plugins: [{use: second, config: {queue: first}}]")


def test_references_are_right_wherever_they_can_be_filled_in() -> None:
    """A reference is no Flow SID, no switch and no word of a list yet, and is flagged in none of their places."""
    measure = editor(desk=None)
    text = """
version: 1
flows: {refunds: "${env:REFUNDS}"}
auth: ["${env:AUTH}", secret: "${env:SECRET}"]
assistant_webhooks: ["${env:HOOKS}"]
test_on_reload: ${env:TEST}
fragments: ${env:FRAGMENTS}
defaults: {replay: "${env:REPLAY}", dry_run: "${env:DRY}", limits: {repeat_window: "${env:WINDOW}"}}
plugins: [{use: desk, on_error: "${env:ON_ERROR}"}]
tools:
  /a: {flow: "${env:FLOW}", query: ["${env:QUERY}"], dry_run: "${env:DRY}", intents: {b: {aliases: ["${env:ALIAS}"]}}}
tests:
  - name: t
    at: ${env:AT}
    call: {tool: /a, method: "${env:METHOD}", identity: "${env:WHO}"}
    expect: {outcome: "${env:OUTCOME}"}
"""
    measure.validate(read(text))
    assert flagged(measure, "defaults: {dry_run: sometimes}")
    assert flagged(measure, "defaults: {replay: all}")
    assert flagged(measure, "defaults: {limits: {handovers_per_hour: 101}}")
    assert flagged(measure, "defaults: {hand_back: {within: soon}}")
    assert not measure.is_valid(read(text.replace("/a: {", "/a: ${env:TOOL}\n  /b: {"))), "no text becomes a mapping"
    assert not measure.is_valid(read(text.replace("{refunds:", "{'${env:NAME}':"))), "keys are not filled in"


def test_a_fragment_holds_less() -> None:
    """A fragment needs no version and may hold three sections alone."""
    measure = Draft202012Validator(fragment_schema(merged_schema({"desk": plugin("desk", DESK)})))
    measure.validate(read("flows: {a: FW00000000000000000000000000000001}"))
    measure.validate(read("tools: {/a: {flow: a, plugins: {desk: {queue: first}}}}"))
    for wrong in ("version: 1", "auth: [twilio_signature]", "tools: {/a: {plugins: {desk: {queue: third}}}}"):
        assert not measure.is_valid(read(wrong)), wrong


def test_nothing_of_ours_is_left_in_it() -> None:
    """Our own keyword for messages is no business of an editor's, and what explains keys is all there."""
    whole = merged_schema({"desk": plugin("desk", DESK)})
    assert "x-message" not in json.dumps(whole)
    assert "$id" not in whole
    written = json.loads(bundled.SCHEMA.read_text("utf-8"))
    for key, value in written["properties"].items():
        for word in ("title", "description", "examples", "default"):
            assert whole["properties"][key].get(word) == value.get(word), (key, word)
