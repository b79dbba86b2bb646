from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from router.definitions.definition import Choice, Input, ToolDefinition
from router.definitions.typescript import input_type

WORDS = st.text(max_size=12) | st.sampled_from(
    ['*/ x: "y"; /*', '"', "\\", "a\nb", "`", "*", "/", "*/", "//", "\u2028", "é"]
)
CHOICES = st.builds(Choice, WORDS, WORDS, st.lists(WORDS, max_size=3).map(tuple))
INPUTS = st.builds(Input, WORDS, WORDS, st.lists(CHOICES, max_size=4).map(tuple), WORDS)
TOKEN = re.compile(r'/\*.*?\*/|"(?:[^"\\\n\r]|\\.)*"|[A-Za-z_$][A-Za-z0-9_$]*|[{}:;|]|\s+', re.DOTALL)


def definition(*inputs: Input) -> ToolDefinition:
    return ToolDefinition("/a", "A", "", inputs, "https://h.example/a")


def tokens(text: str) -> list[str]:
    """Read the type as a parser does, without comments and space; fails where something else stands in it."""
    found, at = [], 0
    while at < len(text):
        match = TOKEN.match(text, at)
        assert match is not None, text[at:]
        found.append(match[0])
        at = match.end()
    return [token for token in found if token.strip() and not token.startswith("/*")]


def test_no_input_is_the_empty_type() -> None:
    """As in the published recipe."""
    assert input_type(definition()) == "{}"


def test_the_model_reads_each_choice() -> None:
    """The union names the intents; the comment above says when to choose each, and what else it is called."""
    choices = (
        Choice("refund", "money back", ("chargeback", 'the "thing"')),
        Choice("bill", "", ("invoice",)),
        Choice("call me", "wants a call", ()),
        Choice("rest", "", ()),
    )
    written = input_type(
        definition(Input("intent", "What the customer wants.", choices, "rest"), Input("order-id", "O."))
    )
    assert written == (
        "{\n"
        "  /**\n"
        "   * What the customer wants.\n"
        '   * "refund": money back; also called "chargeback", "the \\"thing\\""\n'
        '   * "bill": also called "invoice"\n'
        '   * "call me": wants a call\n'
        '   * "rest"\n'
        '   * Anything else: "rest"\n'
        "   */\n"
        '  intent: "refund" | "bill" | "call me" | "rest";\n'
        "  /** O. */\n"
        '  "order-id": string;\n'
        "}"
    )


@given(st.lists(INPUTS, max_size=3))
def test_nothing_that_is_written_breaks_out(inputs: list[Input]) -> None:
    """Whatever names, descriptions and aliases hold, the type has just the members and the union of the intents."""
    expected: list[str] = []
    for entry in inputs:
        union = [choice.name for choice in entry.choices]
        expected += [
            entry.name,
            ":",
            *[word for name in union for word in ("|", name)][1:],
            *(["string"] * (not union)),
            ";",
        ]
    found = tokens(input_type(definition(*inputs)))
    assert (found[0], found[-1]) == ("{", "}")
    assert [json.loads(token) if token.startswith('"') else token for token in found[1:-1]] == expected
    assert len(input_type(definition(*inputs)).splitlines()) <= 2 + sum(4 + len(entry.choices) + 1 for entry in inputs)
