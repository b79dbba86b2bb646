"""What was probably meant by a value in a wrong form, or by a key in a wrong place, and how that is written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from jsonschema import Draft202012Validator

from router.config.scalars import AmbiguousScalar, meaning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.config.document import Trail

_HOMES: Final = {
    "a tool": "name description intent intents fallback query",
    "a tool or an intent": "flow",
    "an intent": "aliases",
    "'defaults', a tool or an intent": "replay dry_run messages",
    "the top of the file": "version include fragments flows auth assistant_webhooks defaults plugins tools tests"
    " test_on_reload",
    "'messages'": "success already failure pending declined unknown_intent no_room",
    "an entry of 'auth'": "secret",
    "an entry of 'plugins'": "use config on_error",
    "a test": "call expect plugin_faults",
    "'call' of a test": "tool body headers",
    "'expect' of a test": "outcome says attributes",
}
_HOME: Final = {key: home for home, keys in _HOMES.items() for key in keys.split()}

_TIGHT: Final = re.compile(r"([\w-]+):[^\s:/]")
"""A key with its value right behind the colon, which makes the whole of it a text."""


def misplaced(key: str, trail: Trail) -> str:
    """Say where ``key`` belongs that stands in the mapping at ``trail``; nothing where it is known nowhere."""
    if key.startswith("/") and trail != ("tools",):
        return "; a tool's path belongs under 'tools', one level below it"
    home = _HOME.get(key)
    return f"; that belongs to {home}: look at how far it is indented" if home else ""


def remedy_for(trail: Trail, found: Any, kinds: Sequence[str]) -> str:
    """Say how to write what was probably meant by ``found``, where one of the types ``kinds`` is wanted."""
    if "string" in kinds and isinstance(found, bool | int | float):
        return "; put it into quotes"
    if "object" in kinds:
        return _for_mapping(trail, found)
    if "array" in kinds and isinstance(found, str):
        return "; a space is missing behind the dash" if found.startswith("-") else "; put it into brackets: [...]"
    return "; write it without quotes" if isinstance(found, str) and _is_meant(found, kinds) else ""


def _for_mapping(trail: Trail, found: Any) -> str:
    if isinstance(found, list):
        return "; write 'key: value', without a dash before it" if found else ""
    if not isinstance(found, str):
        return ""
    tight = _TIGHT.match(found)
    if tight:
        return f"; a space is missing behind the colon: '{tight[1]}: ...'"
    match trail:
        case ("tools", str(key)) | ("tools", _, "intents", str(key)):
            return misplaced(key, trail[:-1])
        case ("plugins", int()):
            return "; write '- use: NAME'"
    return ""


def _is_meant(text: str, kinds: Sequence[str]) -> bool:
    """Say whether ``text``, without its quotes, would be of one of these types."""
    try:
        value = meaning(text)
    except AmbiguousScalar:
        return False
    return value is not None and is_a(value, kinds)


def is_a(value: Any, kinds: Sequence[str]) -> bool:
    """Say whether a value is of one of these types of JSON Schema."""
    return any(Draft202012Validator.TYPE_CHECKER.is_type(value, each) for each in kinds)
