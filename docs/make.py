"""Make ``docs/routes.md`` from the schema and the sentences, and ``docs/errors.md`` from the pages of the codes.

``--check`` says whether they are as they would be made.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from router.model.messages import LONGEST, Messages

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "routes.md"
SCHEMA = ROOT / "schemas" / "routes.schema.json"
CODES = ROOT / "docs" / "errors.md"
ERRORS = ROOT / "docs" / "errors"

HEAD = """\
# routes.yaml, key by key

Made from `schemas/routes.schema.json` and `docs/make.py` by `make docs`; change it there.
The shipped [`routes.yaml`](../routes.yaml) shows the keys at work. What may stand in texts comes last:
[references](#references) to the environment and to files, and [placeholders](#placeholders) of messages.
"""

ABOUT_CODES = """\
# Diagnostics

Made from the pages in `docs/errors` by `make docs`; change it there.
Each fault that `handover check`, `handover test`, a start or a reload tells has a code, as in `error[yaml-tab]`.
Each code has a page: what it means, an example, and what to do. `handover check --explain CODE` prints the page.

| Code | What it means |
|---|---|
"""

REFERENCES = {
    "${env:NAME}": "The environment variable NAME, which may also stand in `.env`. It must be set; it may be empty.",
    "${env:NAME:-default}": "The same, or `default` where NAME is empty or not set. `default` may be empty.",
    "${file:PATH}": "The text of a file, without the line break at its end. PATH starts at the file that names it.",
    "$${": "A plain `${`.",
}

ABOUT_REFERENCES = """
References may stand in every text that is a value, whole or as a part of it, in included files too; keys have none.
They are filled in after the YAML is read, so that a value is a text whatever it looks like, and cannot become YAML.
What was filled in is not looked at again, and a default has no braces. Between `{ }` and `[ ]` YAML wants quotes
around a reference.

What refers to nothing is a fault: [`env-missing`](errors/env-missing.md), [`reference-file`](errors/reference-file.md),
[`reference-unknown`](errors/reference-unknown.md), [`reference-large`](errors/reference-large.md).
"""

PLACEHOLDERS = {
    "{intent}": "The intent that was found, by its name; empty where the tool has none.",
    "{tool}": "The path of the tool.",
    "{identity}": "The customer, as `X-Identity` names them.",
    "{input.NAME}": "The input NAME of the call, in JSON where it is no text; empty where the call has none.",
    "{known}": "The intents of the tool, parted by commas; in `unknown_intent` alone.",
}

ABOUT_PLACEHOLDERS = f"""
A plain brace is written twice, `{{{{` or `}}}}`. Another name is a fault:
[`placeholder-unknown`](errors/placeholder-unknown.md). The model gets a sentence on one line, of {LONGEST} bytes at
the most. What the tool's URL sets as `successMessage` is taken as it is.
"""


def page(schema: dict[str, Any]) -> str:
    """Write the page: a table for each object of the grammar."""
    return HEAD + "".join((*_sections(schema, schema, "The file", set()), *_texts()))


def codes(pages: Iterable[Path]) -> str:
    """Write the list of the diagnostic codes: each with the first sentence of its page."""
    return ABOUT_CODES + "".join(f"| [`{page.stem}`](errors/{page.name}) | {_meaning(page)} |\n" for page in pages)


def _meaning(page: Path) -> str:
    first = re.split(r"(?<=\.)\s+(?=[A-Z`])", page.read_text().split("\n\n")[1].strip())[0]
    return " ".join(first.split()).replace("](", "](errors/").replace("|", "\\|")


def _texts() -> Iterator[str]:
    builtin = Messages()
    sentences = {key: getattr(builtin, key) for key in Messages.names()}
    yield f"\n## References\n{_table('Reference', 'What it stands for', REFERENCES)}{ABOUT_REFERENCES}"
    yield f"\n## Placeholders\n{_table('Placeholder', 'What it stands for', PLACEHOLDERS)}{ABOUT_PLACEHOLDERS}"
    yield f"\n## Sentences that are built in\n{_table('Key of `messages`', 'Sentence', sentences)}"


def _table(left: str, right: str, rows: dict[str, str]) -> str:
    return f"\n| {left} | {right} |\n|---|---|\n" + "".join(f"| `{key}` | {text} |\n" for key, text in rows.items())


def _sections(schema: dict[str, Any], node: dict[str, Any], title: str, seen: set[str]) -> Iterator[str]:
    words, mapping = node.get("else", {}).get("enum", []), node.get("then", node)
    rows, below = [f"| `{word}` | the word alone | A whole entry. |" for word in words], []
    for key, raw in mapping.get("properties", {}).items():
        value = _resolved(schema, raw)
        rows.append(f"| `{key}` | {_kind(value)} | {_told(value, not words and key in mapping.get('required', []))} |")
        below.append((key, value))
    if rows:
        about = f"{node['description']}\n\n" if words else ""
        yield f"\n## {title}\n\n{about}| Key | Value | What it is |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    for key, value in below:
        for name, inner in _inner(schema, key, value):
            if name not in seen:
                seen.add(name)
                yield from _sections(schema, inner, f"`{name}`", seen)


def _inner(schema: dict[str, Any], key: str, value: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield key, value
    for part, suffix in (("additionalProperties", ".NAME"), ("items", "[]")):
        if isinstance(value.get(part), dict):
            yield key + suffix, _resolved(schema, value[part])
    for pattern in value.get("patternProperties", {}).values():
        yield f"{key}.NAME", _resolved(schema, pattern)


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        target: Any = schema
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    return node


def _kind(value: dict[str, Any]) -> str:
    if "enum" in value:
        return " or ".join("null" if choice is None else f"`{choice}`" for choice in value["enum"])
    if "const" in value:
        return f"`{value['const']}`"
    kinds = value.get("type", "any")
    return " or ".join(kinds) if isinstance(kinds, list) else str(kinds)


def _told(value: dict[str, Any], required: bool) -> str:  # noqa: FBT001 - a word of JSON Schema's
    said = [str(value[part]).rstrip(".") + "." for part in ("title", "description") if part in value]
    text = " ".join(" ".join(said).split()).replace("|", "\\|")
    default = f" Default: `{json.dumps(value['default'], ensure_ascii=False)}`." if "default" in value else ""
    return ("**Needed.** " if required else "") + text + default


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` compare them."""
    made = {PAGE: page(json.loads(SCHEMA.read_text())), CODES: codes(sorted(ERRORS.glob("*.md")))}
    if "--check" not in arguments:
        for path, text in made.items():
            path.write_text(text)
        return 0
    stale = [path for path, text in made.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        sys.stderr.write(f"docs/{path.name} is not as what it is made from has it: run 'make docs'\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
