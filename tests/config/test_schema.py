from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from router import bundled
from router.model.messages import Messages
from router.model.outcome import Outcome
from router.model.routes import AuthKind, HandBack, Limits, OnError, Replay
from tests.config.kit import FLOW, HEAD, TOOLS, codes, faults, loaded, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA: dict[str, Any] = json.loads(bundled.SCHEMA.read_text("utf-8"))
DEFINED = SCHEMA["$defs"]


def subschemas(schema: dict[str, Any], name: str = "root") -> Iterator[tuple[str, dict[str, Any]]]:
    yield name, schema
    for keyword in ("items", "additionalProperties", "propertyNames", "then"):
        if isinstance(schema.get(keyword), dict):
            yield from subschemas(schema[keyword], f"{name}.{keyword}")
    for keyword in ("properties", "$defs"):
        for key, inner in schema.get(keyword, {}).items():
            yield from subschemas(inner, f"{name}.{key}")


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "$defs": DEFINED})


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    target = DEFINED[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else {}
    return {**target, **schema}


ALL = dict(subschemas(SCHEMA))


def test_the_schema_is_valid() -> None:
    """It is JSON Schema of draft 2020-12 and says so."""
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


@pytest.mark.parametrize("name", ALL)
def test_every_key_is_explained(name: str) -> None:
    """An editor can show a title and a text for every key and value, and knows every key of a mapping."""
    schema = resolved(ALL[name])
    if not name.endswith((".then", ".propertyNames")):
        assert schema["title"]
        assert schema["description"].endswith((".", ")"))
    if "properties" in schema:
        assert schema["additionalProperties"] is False


@pytest.mark.parametrize("name", ALL)
def test_every_example_and_default_is_right(name: str) -> None:
    """What the schema offers as an example or as a default fits the schema."""
    schema = resolved(ALL[name])
    own = validator({key: value for key, value in schema.items() if key != "$id"})
    offered = [*schema.get("examples", []), *([schema["default"]] if "default" in schema else [])]
    for value in offered:
        assert list(own.iter_errors(value)) == []
    is_named = ".properties" not in name and not name.endswith((".then", ".propertyNames"))
    assert schema.get("examples") or not is_named or name.endswith("routePlugins.additionalProperties")


def test_schema_and_model_have_the_same_words() -> None:
    """Messages, outcomes, replays, proofs and ends of a crash are the model's."""
    assert tuple(DEFINED["messages"]["properties"]) == Messages.names()
    assert DEFINED["test"]["properties"]["expect"]["properties"]["outcome"]["enum"] == list(Outcome)
    assert DEFINED["replay"]["enum"] == [*Replay, None]
    assert DEFINED["authMethod"]["else"]["enum"] == [AuthKind.TWILIO_SIGNATURE]
    assert list(DEFINED["authMethod"]["then"]["properties"]) == [AuthKind.SECRET]
    assert SCHEMA["properties"]["plugins"]["items"]["properties"]["on_error"]["enum"] == list(OnError)
    assert DEFINED["messages"]["properties"]["success"]["default"] == Messages().success


@pytest.mark.parametrize(("name", "builtin"), [("limits", Limits()), ("handBack", HandBack())])
def test_schema_and_model_have_the_same_defaults(name: str, builtin: Limits | HandBack) -> None:
    """What the schema offers as built in of limits and the hand-back is what the model has."""
    offered = {key: value["default"] for key, value in DEFINED[name]["properties"].items()}
    assert offered == asdict(builtin)


def test_a_limit_from_the_environment_is_a_number(tmp_path: Path) -> None:
    """A number of the environment is read as one, and held to the bounds; what it is is not told."""
    text = HEAD + "tools: {/a: {flow: refunds, limits: {handovers_per_hour: '${env:MOST}'}}, /b: {flow: billing}}\n"
    assert loaded(tmp_path, text, {"MOST": "7"}).routes.tools["/a"].route.limits == Limits(7)
    assert codes(tmp_path, text, {"MOST": "many"}) == ["type-wrong"]
    assert codes(tmp_path, text, {"MOST": "101"}) == ["value-wrong"]


@pytest.mark.parametrize("name", ["refunds", "Rückgabe 2", "返金", "1", "_", "a.b-c", "x" * 99])
def test_names_may_be_in_any_language(name: str, tmp_path: Path) -> None:
    """A flow, an intent and an alias may have letters of any language, digits, space, ``-``, ``_`` and ``.``."""
    flow = f"flows: {{'{name}': FW00000000000000000000000000000001}}\n"
    tool = f"tools: {{/a: {{intents: {{'{name}x': {{flow: '{name}', aliases: ['{name}y']}}}}}}}}\n"
    text = "version: 1\nauth: [twilio_signature]\n" + flow + tool
    assert codes(tmp_path, text) == []


@pytest.mark.parametrize("name", ["", " a", "a\\n", "a/b", "{a}", "a:b", "a,b", "a\\t", "x" * 101, "/" * 101])
def test_other_characters_make_no_name(name: str, tmp_path: Path) -> None:
    """Punctuation, control characters, a space in front and a line break at the end are refused in a name."""
    text = f'{HEAD}tools: {{/a: {{intents: {{"{name}": {{flow: refunds}}}}}}}}\n'
    assert codes(tmp_path, text) == ["name-wrong"]


@pytest.mark.parametrize("sid", ["FW1", "fw" + "0" * 32, "FW" + "0" * 33, "FW" + "0" * 32 + "\\n", "FW" + "g" * 32])
def test_a_flow_sid_is_matched_to_its_end(sid: str, tmp_path: Path) -> None:
    """Nothing but FW and 32 hex digits is a Flow SID, not even with a line break behind it."""
    assert codes(tmp_path, f'version: 1\nflows: {{a: "{sid}"}}\nauth: [twilio_signature]\n{TOOLS}')[0] == "value-wrong"


def test_what_the_environment_gives_becomes_what_the_schema_wants(tmp_path: Path) -> None:
    """A text from the environment is read as true, false or a number where the schema wants one, and else is text."""
    text = HEAD + "tools: {/a: {flow: refunds, name: '${env:NAME}', dry_run: '${env:DRY}'}, /b: {flow: billing}}\n"
    tools = loaded(tmp_path, text, {"NAME": "true", "DRY": "true"}).routes.tools
    assert (tools["/a"].name, tools["/a"].route.dry_run) == ("true", True)
    assert codes(tmp_path, text, {"NAME": "x", "DRY": "yes"}) == ["type-wrong"]
    assert codes(tmp_path, text, {"NAME": "x", "DRY": "1"}) == ["type-wrong"]


def test_a_plugins_config_from_the_environment_is_converted_too(tmp_path: Path) -> None:
    """A number that a plugin wants reaches it as a number, also where it came from the environment."""
    schema = '{"properties": {"limit": {"type": "integer"}}, "required": ["limit"]}'
    text = HEAD + TOOLS + "plugins: [{use: audit, config: {limit: '${env:LIMIT}'}}]\n"
    routes = loaded(tmp_path, text, {"LIMIT": "12"}, audit=schema).routes
    assert dict(routes.tools["/refunds"].route.plugins[0].config) == {"limit": 12}


HINTS = {
    f"flows: {{a: ' {FLOW}'}}": "; there is a space around it",
    f"flows: {{a: {FLOW.replace('FW', 'CH')}}}": "; a conversation has such a SID, no flow",
    f"flows: {{a: {FLOW.replace('FW', 'ZZ')}}}": "; ZZ has such a SID, no flow",
    "flows: {a: FW}": "hex digits",
    "flows: {a: refunds}": "hex digits",
    f"flows: {{a: {FLOW.lower()}}}": "; write FW in capitals",
    "flows: {a: FW12}": ", found 2",
    "flows: {a: FWxy}": ", and 'x' is no hex digit",
    "flows: {a: []}": "expected text",
    "tools: {/a: {dry_run: 'true'}}": "; write it without quotes",
    "tools: {/a: {dry_run: 'yes'}}": "expected true or false",
    "tools: {/a: {dry_run: ''}}": "expected true or false",
    "tools: {/a: {messages: 'success:x'}}": "; a space is missing behind the colon: 'success: ...'",
    "tools: {/a: {messages: x}}": "expected a mapping",
    "tools: {/a: {intents: {flow: x}}}": "; that belongs to a tool or an intent: look at how far it is indented",
    "tools: {/a: x}": "expected a mapping such as {flow: x}",
    "tools: {/a: 1}": "expected a mapping such as {flow: NAME}",
    "tools: {/a: x y}": "expected a mapping such as {flow: NAME}",
    "tools: {/token: hunter2}": "expected a mapping such as {flow: NAME}",
    "tools: {/a: }": "is empty, expected a mapping such as {flow: NAME}",
    "tools: {/a: {intents: {x: y}}}": "expected a mapping such as {flow: y}",
    "tools: {/a: {intents: {x: }}}": "expected a mapping such as {flow: NAME}, or {} to take the tool's own flow",
    "tools: {/a: {intents: {flow: }}}": "; that belongs to a tool or an intent: look at how far it is indented",
    "tools: []": "expected a mapping",
    "tools: [x]": "; write 'key: value', without a dash before it",
    "tests: [x]": "expected a mapping",
    "plugins: [x]": "; write '- use: NAME'",
    "include: x": "; put it into brackets: [...]",
    "include: -x": "; a space is missing behind the dash",
    "/a: {}": "; a tool's path belongs under 'tools', one level below it",
    "flow: x": "; that belongs to a tool or an intent: look at how far it is indented",
    "flow: {x: y}": "; did you mean 'flows'?",
    "tool: {/a: {flow: x}}": "; did you mean 'tools'?",
    "tool: /a": "; that belongs to 'call' of a test: look at how far it is indented",
    "tests: [{tools: /a}]": "; that belongs to the top of the file: look at how far it is indented",
    "tests: [{name: a, call: {tools: /a}}]": "; did you mean 'tool'?",
    "tools: {/a: {intents: {x: {flows: x}}}}": "; did you mean 'flow'?",
    "tools: {/a: {intents: {x: {flows: {x: y}}}}}": "to the top of the file: look at how far it is indented",
    "aliases: []": "; that belongs to an intent: look at how far it is indented",
}


@pytest.mark.parametrize("text", HINTS)
def test_a_mistake_that_is_known_is_told_with_its_remedy(text: str, tmp_path: Path) -> None:
    """What was probably meant by a value in a wrong form, or a key in a wrong place, is told behind what is wrong."""
    told = faults(write(tmp_path, f"version: 1\n{text}\n"))
    assert any(fault.message.endswith(HINTS[text]) for fault in told)


def test_what_came_from_elsewhere_has_no_remedy(tmp_path: Path) -> None:
    """Nothing of a value from the environment is told, not even how it misses."""
    text = (
        "version: 1\nflows: {a: '${env:A}'}\ntools: {/a: {dry_run: '${env:B}', flow: '${env:C}', query: '${env:A}'}}\n"
    )
    environ = {"A": FLOW.lower(), "B": "'true'", "C": FLOW.lower()}
    told = [fault.message for fault in faults(write(tmp_path, text), environ)]
    assert len(told) == 5
    assert not any("capitals" in each or "quotes" in each or "brackets" in each for each in told)


def test_very_many_violations_end_the_judging(tmp_path: Path) -> None:
    """Where not every violation was looked at, no check meets what may be of a wrong type."""
    text = HEAD + "tools:\n" + "".join(f"  /t{number}: {{messages: 1, plugins: 1}}\n" for number in range(3_000))
    assert set(codes(tmp_path, text)) == {"type-wrong", "faults-many"}


@pytest.mark.parametrize(
    ("enum", "message"),
    [
        ("[1, 2.5, True, None]", "'level' of 'config' of plugin 'own' is 7; expected 1, 2.5 or true"),
        ("[]", "'level' of 'config' of plugin 'own' does not fit the schema (enum)"),
    ],
)
def test_a_choice_need_not_be_text(tmp_path: Path, enum: str, message: str) -> None:
    """A plugin may let its users choose among numbers; where it leaves no choice at all, that is told too."""
    text = HEAD + TOOLS + "plugins: [{use: own, config: {level: 7}}]\n"
    path = write(tmp_path, text, own=f"{{'properties': {{'level': {{'enum': {enum}}}}}}}")
    assert [fault.message for fault in faults(path)] == [message]
