"""What was probably meant by a value in a wrong form, or by a key in a wrong place, and how that is written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from jsonschema import Draft202012Validator

from router.config.scalars import AmbiguousScalar, meaning
from router.config.wording import is_telling

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from router.config.document import Trail

_HOMES: Final = {
    "a tool": "name description intent intents fallback query",
    "a tool or an intent": "flow",
    "an intent": "aliases",
    "'defaults', a tool or an intent": "replay dry_run limits hand_back messages",
    "the top of the file": "version include fragments flows auth assistant_webhooks defaults plugins tools tests"
    " test_on_reload",
    "'messages'": "success already failure pending declined unknown_intent no_room busy unrecorded",
    "'limits'": "handovers_per_hour repeat_window",
    "'hand_back'": "within end_execution",
    "an entry of 'auth'": "secret",
    "an entry of 'plugins'": "use config on_error",
    "a test": "at call expect plugin_faults",
    "'call' of a test": "tool body headers identity session method",
    "'expect' of a test": "outcome says attributes",
}
_HOME: Final = {key: home for home, keys in _HOMES.items() for key in keys.split()}

DASHES: Final = ("\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2015", "\u2212")
"""Characters that word processors put in the place of a dash."""

_TIGHT: Final = re.compile(r"([\w-]+):[^\s:/]")
"""A key with its value right behind the colon, which makes the whole of it a text."""


_WORD: Final = re.compile(r"[\w-]+")
_ODD_SPACE: Final = re.compile(r"[\w-]+:([^\S ])")


def misplaced(key: str, trail: Trail) -> str:
    """Say where ``key`` belongs that stands in the mapping at ``trail``; nothing where it is known nowhere."""
    if key.startswith("/") and trail != ("tools",):
        return "; a tool's path belongs under 'tools', one level below it"
    if key[:1].isspace() and key[0] != " ":
        return f"; U+{ord(key[0]):04X} stands before it, which only looks like a space"
    home = _HOME.get(key)
    if not home and trail[:-1] == ("plugins",):  # an entry of the list
        return "; what a plugin itself is to know stands under 'config'"
    return f"; that belongs to {home}: look at how far it is indented" if home else ""


def one_off(key: str, known: Iterable[str]) -> str:
    """Give the one of ``known`` that ``key`` differs from by one letter: too many, missing or another; or nothing."""
    for each in known:
        differing = (index for index, (one, other) in enumerate(zip(key, each, strict=False)) if one != other)
        same = next(differing, min(len(key), len(each)))
        if each[same:] == key[same + 1 :] or each[same + 1 :] in (key[same:], key[same + 1 :]):
            return each
    return ""


def remedy_for(trail: Trail, found: Any, kinds: Sequence[str]) -> str:
    """Say how to write what was probably meant by ``found``, where one of the types ``kinds`` is wanted."""
    if "string" in kinds and isinstance(found, bool | int | float):
        return "; put it into quotes"
    if "object" in kinds:
        return _for_mapping(trail, found)
    if "array" in kinds:
        return _for_list(found)
    return "; write it without quotes" if isinstance(found, str) and _is_meant(found, kinds) else ""


def _for_list(found: Any) -> str:
    if isinstance(found, dict) and found:
        return "; write a dash and a space before each entry: '- ...'"
    if not isinstance(found, str):
        return ""
    if found[:1] in DASHES:
        return f"; the dash is U+{ord(found[0]):04X}, which only looks like one: write '- '"
    return "; a space is missing behind the dash" if found.startswith("-") else "; put it into brackets: [...]"


def _for_mapping(trail: Trail, found: Any) -> str:
    if isinstance(found, list):
        return "; write 'key: value', without a dash before it" if found else ""
    colon = _about_colon(found) if isinstance(found, str) else ""
    if colon:
        return colon
    match trail:
        case ("tools", str(key)) | ("tools", _, "intents", str(key)):
            return misplaced(key, trail[:-1]) or _such_as(trail, found)
        case ("plugins", int()):
            return "; write '- use: NAME'"
    return ""


def _such_as(trail: Trail, found: Any) -> str:
    """Show the least that a tool or an intent may be, with what was found for its flow where that is a name."""
    is_name = isinstance(found, str) and _WORD.fullmatch(found) and not is_telling(trail)
    own = ", or {} to take the tool's own flow" if found is None and "intents" in trail[2:] else ""
    return f" such as {{flow: {found if is_name else 'NAME'}}}{own}"


def _about_colon(text: str) -> str:
    """Say why a text that begins as a key does is none."""
    tight, odd = _TIGHT.match(text), _ODD_SPACE.match(text)
    if tight:
        return f"; a space is missing behind the colon: '{tight[1]}: ...'"
    return f"; the space behind the colon is U+{ord(odd[1]):04X}, which only looks like one: type ' '" if odd else ""


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
