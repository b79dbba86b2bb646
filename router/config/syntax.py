"""YAML's own syntax: a text as events, up to its end or to where it is no YAML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import yaml

from router.config.breaks import explained, place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.config.faults import Faults

LOADER: Final[type[Any]] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's parser where PyYAML has it: ten times faster, with the same events."""

_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def events_of(text: str, file: str, loader: type[Any] = LOADER) -> Iterator[yaml.Event]:
    """Yield the events of ``text`` up to its end, or up to where it is no YAML: then raises Broken."""
    last: yaml.Event | None = None
    try:
        for last in yaml.parse(text, Loader=loader):
            yield last
    except yaml.MarkedYAMLError as error:
        raise explained(error, last, text, file) from None


def readable(text: str, file: str, faults: Faults) -> str:
    """Put a sign that YAML can have in the place of each that it cannot; the first of them is a fault."""
    forbidden = _FORBIDDEN.search(text)
    if forbidden is None:
        return text
    code = f"U+{ord(forbidden.group()):04X}"
    message = f"the character {code} has no place in YAML; within double quotes it can be written as an escape"
    faults.error(place_of(text, forbidden.start(), file), "yaml-character", message)
    return _FORBIDDEN.sub("\ufffd", text)
