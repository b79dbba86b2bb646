"""What ``docs/routes.md`` says of references and placeholders, held against what they do."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from docs.make import PLACEHOLDERS, REFERENCES, SCHEMA, page
from router.config.interpolation import _FORMS
from router.model.messages import _WORDS, Messages, is_known_placeholder
from tests.config.kit import FLOW, loaded

if TYPE_CHECKING:
    from pathlib import Path

STANDS_FOR: dict[str, dict[str | None, str]] = {
    "${env:NAME}": {"set": "set", "": ""},
    "${env:NAME:-default}": {"set": "set", "": "default", None: "default"},
    "${file:PATH}": {None: "from the file"},
    "$${": {None: "${"},
}


def test_every_form_of_a_reference_is_listed() -> None:
    """The page has the forms that a fault names as those that there are."""
    assert set(REFERENCES) == set(re.findall(r"\$+\{[^}\s]*\}?", _FORMS)) - {"${"} == set(STANDS_FOR)


@pytest.mark.parametrize(
    ("form", "value", "text"),
    [(form, value, text) for form, cases in STANDS_FOR.items() for value, text in cases.items()],
)
def test_a_reference_stands_for_what_the_page_says(form: str, value: str | None, text: str, tmp_path: Path) -> None:
    """Set, empty and not set; a file beside the file, without its last line break."""
    (tmp_path / "PATH").write_text("from the file\n")
    file = f"version: 1\nauth: [twilio_signature]\nflows: {{f: {FLOW}}}\ntools:\n  /a: {{flow: f, name: '-{form}-'}}\n"
    config = loaded(tmp_path, file, {} if value is None else {"NAME": value})
    assert config.routes.tools["/a"].name == f"-{text}-"


def test_every_placeholder_is_listed() -> None:
    """Those that a sentence may use, and no other."""
    names = {name.strip("{}") for name in PLACEHOLDERS}
    assert names - {"input.NAME", "known"} == _WORDS
    assert [name for name in names if not is_known_placeholder(name, "unknown_intent")] == []


def test_the_entries_of_auth_and_all_sentences_are_on_the_page() -> None:
    """What the schema has in its branches is shown too, and what the model is told where nobody wrote a sentence."""
    made = page(json.loads(SCHEMA.read_text()))
    proofs = made.partition("## `auth[]`")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", proofs, re.MULTILINE) == ["twilio_signature", "secret"]
    sentences = made.partition("## Sentences")[2]
    assert re.findall(r"^\| `(\w+)` \|", sentences, re.MULTILINE) == list(Messages.names())
