from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema_rs import Draft202012Validator as Compiled

from router import bundled
from router.config.faults import Faults
from router.config.nodes import compose
from router.config.schema import grammar
from router.config.validation import Validation

ROOT = Path(__file__).parent.parent.parent
SCHEMA: dict[str, Any] = json.loads(bundled.SCHEMA.read_text("utf-8"))
EXPLAINING = Draft202012Validator(SCHEMA)
COMPILED = Compiled(SCHEMA)
FILES = [*sorted((ROOT / "tests" / "examples").rglob("*.yaml")), ROOT / "routes.yaml"]
SID = "FW00000000000000000000000000000001"
HARD = """
 |a|refunds|https://a/b|https://a b|a:b|a: b| a|a/b|é|last_message|none|twilio_signature|2026-01-31T17:30:00Z
1|handed_over|flowSid""".replace("\n", "|").split("|")
CONTROLS = [
    SID + "\n",
    "a\n",
    "HTTP://x\x1f",
    "https://x\u00a0",
    "a:\x85",
    "\x1c",
    "\u2028",
    "1:\u0660",
    "x" * 101,
    "0" * 36,
]
TEXTS = st.sampled_from([*HARD, *CONTROLS, SID])


def keys_of(schema: Any) -> set[str]:
    found: set[str] = set()
    if isinstance(schema, dict):
        found |= set(schema.get("properties", ()))
        found = found.union(*map(keys_of, schema.values()))
    return found


KEYS = st.sampled_from(sorted(keys_of(SCHEMA))) | TEXTS
SCALARS = st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from([1.0, 0.5, 10**20]) | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


def told(validator: Any, data: Any) -> list[tuple[Any, ...]]:
    found = [
        (list(each.absolute_path), str(each.validator), str(each.instance)) for each in validator.iter_errors(data)
    ]
    return sorted(found, key=repr)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_both_forms_agree_on_our_files(path: Path) -> None:
    """What is compiled and what explains have one opinion of each record and each good example, and of its faults."""
    document = compose(path.read_bytes().decode("utf-8", "replace"), "routes.yaml", Faults())
    data = None if document is None else document.data
    assert COMPILED.is_valid(data) == EXPLAINING.is_valid(data)
    assert told(grammar(), data) == told(EXPLAINING, data)


@settings(max_examples=400)
@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_both_forms_agree_on_whatever_is_made_up(data: dict[str, Any]) -> None:
    """The two forms take the same for right, and explaining by parts finds what explaining the whole finds."""
    for document in (data, {"version": 1, **data}):
        assert COMPILED.is_valid(document) == EXPLAINING.is_valid(document)
        assert told(grammar(), document) == told(EXPLAINING, document)


@settings(max_examples=300)
@given(st.sampled_from(sorted(SCHEMA["$defs"])), VALUES)
def test_both_forms_agree_on_every_part(name: str, value: Any) -> None:
    """They agree on each definition of the grammar, which whole documents rarely reach."""
    part = {**SCHEMA["$defs"][name], "$defs": SCHEMA["$defs"]}
    assert Compiled(part).is_valid(value) == Draft202012Validator(part).is_valid(value)
    assert told(Validation(part), value) == told(Draft202012Validator(part), value)


@settings(max_examples=300)
@given(st.text(max_size=12))
def test_both_forms_read_patterns_alike(text: str) -> None:
    """A name, a webhook pattern, a SID, an identity and a time are the same to both, in all of Unicode."""
    for data in (
        {"version": 1, "flows": {text: SID}},
        {"version": 1, "flows": {"a": SID[: -len(text) or None] + text}},
        {"version": 1, "assistant_webhooks": ["https://a" + text, text]},
        {"version": 1, "tests": [{"call": {"tool": "/a", "identity": f"a{text}:{text}b"}, "at": text}]},
    ):
        assert COMPILED.is_valid(data) == EXPLAINING.is_valid(data)


def test_text_that_is_no_unicode_is_left_to_the_one_that_can_read_it() -> None:
    """A variable may hold bytes that are no text; such a key or value is judged, and not a traceback."""
    assert told(grammar(), {"version": 1, "flows": {"a\udc80": SID, "b": "\udc80"}})
    assert told(grammar(), {"version": 1, "tools": {"/a": {"name": "\udc80"}}}) == []


def test_only_what_is_wrong_is_explained() -> None:
    """Of ten thousand tools one is wrong: the work is that of one, counted by the parts that are looked into."""
    data = yaml.safe_load("version: 1\ntools: {}\n")
    data["tools"] = {f"/t{number}": {"flow": "refunds"} for number in range(10_000)}
    data["tools"]["/t77"] = {"flow": 5}
    looked_into: list[str] = []

    class Counting(Validation):
        def _fits(self, schema: Any, data: Any) -> bool:
            fits = super()._fits(schema, data)
            if not fits:
                looked_into.append(repr(data)[:40])
            return fits

    (error,) = Counting(SCHEMA).iter_errors(data)
    assert list(error.absolute_path) == ["tools", "/t77", "flow"]
    assert len(looked_into) == 2
