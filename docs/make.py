"""Make ``docs/routes.md`` from the schema; ``--check`` says whether it is as it would be made."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "routes.md"
SCHEMA = ROOT / "schemas" / "routes.schema.json"

HEAD = """\
# routes.yaml, key by key

Made from `schemas/routes.schema.json` by `make docs`; change it there.
The shipped [`routes.yaml`](../routes.yaml) shows the keys at work.
"""


def page(schema: dict[str, Any]) -> str:
    """Write the page: a table for each object of the grammar."""
    return HEAD + "".join(_sections(schema, schema, "The file", set()))


def _sections(schema: dict[str, Any], node: dict[str, Any], title: str, seen: set[str]) -> Iterator[str]:
    rows, below = [], []
    for key, raw in node.get("properties", {}).items():
        value = _resolved(schema, raw)
        rows.append(f"| `{key}` | {_kind(value)} | {_told(value, key in node.get('required', []))} |")
        below.append((key, value))
    if rows:
        yield f"\n## {title}\n\n| Key | Value | What it is |\n|---|---|---|\n" + "\n".join(rows) + "\n"
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
    """Write the page, or with ``--check`` compare it."""
    made = page(json.loads(SCHEMA.read_text()))
    if "--check" in arguments:
        if PAGE.exists() and PAGE.read_text() == made:
            return 0
        sys.stderr.write("docs/routes.md is not as the schema has it: run 'make docs'\n")
        return 1
    PAGE.write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
