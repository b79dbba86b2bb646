"""How faults speak: what a trail is called, and what was found there, without telling a secret."""

from __future__ import annotations

import re
from difflib import get_close_matches
from string import hexdigits
from typing import TYPE_CHECKING, Any, Final

from router.config.document import at, has
from router.model.sids import is_sid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.config.document import Document, Trail

_LONGEST: Final = 60
_OTHER_SIDS: Final = {
    "AC": "an account",
    "CH": "a conversation",
    "FN": "an execution of a flow",
    "IS": "a Conversations service",
    "WH": "a webhook",
}
_PERSONAL: Final = ("body", "query", "headers", "identity")
"""Parts of a test's call in which somebody's address may stand."""

_SHELL: Final = re.compile(r"\$[A-Za-z_][A-Za-z0-9_]*")
"""A variable as a shell writes it."""

SECRETIVE: Final = re.compile(r"secret|token|passw|credential|api[_-]?key|private|authorization", re.IGNORECASE)
"""A key with one of these in it may have a secret for its value."""


def quoted(text: str) -> str:
    """Put ``text`` between quotes, on one line and cut where it is long."""
    plain = text[:_LONGEST]
    if not plain.isprintable():
        plain = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in plain)
    return f"'{plain}{'…' if len(text) > _LONGEST else ''}'"


def named(trail: Trail, document: Document | None = None) -> str:
    """Call what stands at ``trail`` by its name: ``'flow' of intent 'refund' of '/tools/support'``.

    ``document`` is the whole file, for the names of plugins and tests; without it they have numbers.
    """
    match trail:
        case ():
            name = "the file"
        case ("tools", str(path)):
            name = f"tool {quoted(path)}"
        case ("tools", str(path), "intents", str(intent)):
            name = f"intent {quoted(intent)} of {quoted(path)}"
        case ("flows", str(flow)):
            name = f"flow {quoted(flow)}"
        case ("plugins", int(index)):
            name = f"plugin {_title(document, (*trail, 'use'))}"
        case ("tests", int(index)):
            name = f"test {_title(document, (*trail, 'name'))}"
        case (*around, int(index)):
            name = f"entry {index + 1} of {named(tuple(around), document)}"
        case (key,):
            name = quoted(str(key))
        case _:
            name = f"{quoted(str(trail[-1]))} of {named(trail[:-1], document)}"
    return name


def _title(document: Document | None, trail: Trail) -> str:
    """Call an entry of a list by its own name, where it has one in the file, else by its number."""
    title = at(document.data, trail) if document and has(document.data, trail) else None
    is_written = document is not None and trail not in document.origins
    return quoted(title) if isinstance(title, str) and is_written else str(int(trail[1]) + 1)


def _last_key(trail: Trail) -> str:
    return next((step for step in reversed(trail) if isinstance(step, str)), "")


def shown(document: Document, trail: Trail, value: Any) -> str:
    """Say what was found: a short value itself; of what is or may be secret only where it came from, or its kind."""
    if trail in document.origins:
        return f"the {'value' if value != '' else 'empty value'} of {document.origins[trail].reference}"
    if _may_be_secret(trail, value):
        return f"a {kind(value)} that is not shown here"
    return quoted(value) if isinstance(value, str) else _bare(value)


def _may_be_secret(trail: Trail, value: Any) -> bool:
    """Judge by the key; under ``auth`` everything may be, as who forgets ``secret:`` writes the secret itself."""
    if trail[:1] == ("auth",) and isinstance(value, str):
        return not (value.startswith("twilio") or get_close_matches(value, ["twilio_signature"]))
    return value is not None and not isinstance(value, dict | list) and is_telling(trail)


def is_telling(trail: Trail) -> bool:
    """Say whether what stands at ``trail`` may be a secret by its key, or a person's address."""
    match trail:
        case ("auth", *_):
            return True
        case ("tests", int(), "call", str(key), *_) if key.startswith(_PERSONAL):
            return True
        case ("flows", *_):
            return False
    return bool(SECRETIVE.search(_last_key(trail)))


def _bare(value: Any) -> str:
    """Write a value that is no text as YAML does; of a list or a mapping only its kind."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else f"a {kind(value)}"


def described(document: Document, trail: Trail, value: Any) -> str:
    """Say what was found together with its kind, where the kind is what is wrong: ``the number 800``."""
    found = shown(document, trail, value)
    is_plain = found == quoted(str(value)) or found == str(value)
    return f"the {kind(value)} {found}" if is_plain and not isinstance(value, bool) else found


def kind(value: Any) -> str:
    """Say what kind of value this is."""
    match value:
        case bool():
            return "switch"
        case int() | float():
            return "number"
        case str():
            return "text"
        case list():
            return "list"
        case None:
            return "blank value"
    return "mapping"


def either(choices: Sequence[str]) -> str:
    """Write choices as people do: ``a, b or c``."""
    *others, last = choices
    return f"{', '.join(others)} or {last}" if others else last


def about_sid(text: str) -> str:
    """Say in which way ``text`` misses being a Flow SID; nothing where it is far from one."""
    if _SHELL.fullmatch(text):
        return f"; did you mean ${{env:{text[1:]}}}?"
    if text != text.strip():
        return "; there is a space around it"
    return _about_form(text[:2], text[2:])


def _about_form(prefix: str, rest: str) -> str:
    if prefix.isupper() and prefix != "FW" and is_sid(prefix, prefix + rest):
        return f"; {_OTHER_SIDS.get(prefix, prefix)} has such a SID, no flow"
    if prefix.casefold() != "fw" or not rest:
        return ""
    if is_sid("FW", f"FW{rest}"):
        return "; write FW in capitals"
    wrong = next((character for character in rest if character not in hexdigits), "")
    if wrong:
        return f", and {quoted(wrong)} is no hex digit"
    return f", found {len(rest)}"
