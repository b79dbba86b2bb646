from __future__ import annotations

import json
import re

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.definitions.definition import Choice, Input, ToolDefinition
from router.definitions.functions import functions

NAMES = st.text(max_size=80) | st.sampled_from(["Support Handover", "support-handover", "support handover", "退款", ""])


def definition(name: str, *inputs: Input, path: str = "/tools/a") -> ToolDefinition:
    return ToolDefinition(path, name, "Use it.", inputs, "https://h.example/tools/a")


def test_a_function_is_strict() -> None:
    """Its parameters are a closed object, of which every input is required; the intents are an enum."""
    choices = (Choice("refund", "money back", ("chargeback",)), Choice("bill", "", ()))
    (function,) = functions(
        [definition("Support", Input("intent", "What.", choices, "bill"), Input("order", "Which."))]
    )
    text = 'What.\n"refund": money back; also called "chargeback"\n"bill"\nAnything else: "bill"'
    assert function == {
        "type": "function",
        "name": "support",
        "description": "Use it.",
        "parameters": {
            "type": "object",
            "properties": {
                "intent": {"type": "string", "description": text, "enum": ["refund", "bill"]},
                "order": {"type": "string", "description": "Which."},
            },
            "required": ["intent", "order"],
            "additionalProperties": False,
        },
        "strict": True,
    }
    jsonschema.validate({"intent": "refund", "order": ""}, function["parameters"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"intent": "sue", "order": ""}, function["parameters"])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ["Support Handover", "support_handover", "SUPPORT HANDOVER"],
            ["support_handover", "support_handover_2", "support_handover_3"],
        ),
        (["退款", "!"], ["tools_a", "tools_a_2"]),
        (["x" * 80, "x" * 80], ["x" * 64, "x" * 62 + "_2"]),
    ],
)
def test_a_name_is_plain_and_stands_once(names: list[str], expected: list[str]) -> None:
    """What no function's name may have is replaced; the path helps out, and a number tells equal ones apart."""
    assert [function["name"] for function in functions(map(definition, names))] == expected


def test_a_tool_with_nothing_to_make_a_name_of_has_one() -> None:
    """Even the root path gets a function."""
    assert functions([definition("", path="/")])[0]["name"] == "handover"


@given(st.lists(NAMES, max_size=6), st.lists(st.text(max_size=8), max_size=4, unique=True))
def test_every_function_is_well_formed(names: list[str], words: list[str]) -> None:
    """Names are unique and of the right form, and the parameters a schema that takes each choice."""
    entry = Input("in", "d", tuple(Choice(word, word, (word,)) for word in words))
    made = json.loads(json.dumps(functions(definition(name, entry) for name in names)))
    found = [function["name"] for function in made]
    assert len(set(found)) == len(names)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) for name in found)
    for function in made:
        jsonschema.Draft202012Validator.check_schema(function["parameters"])
        for word in words or ["anything"]:
            jsonschema.validate({"in": word}, function["parameters"])
