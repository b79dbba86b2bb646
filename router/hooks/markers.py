"""The two markers of pluggy under our project's name."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Final

import pluggy

PROJECT: Final = "handover"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

_MISUSE: Final = re.compile(r"HookimplMarker\.__call__\(\) got an unexpected keyword argument '(\w+)'.*", re.DOTALL)
_OPTIONS: Final = ("tryfirst", "trylast", "optionalhook", "specname")


def misuse_in(text: str) -> str:
    """Put an error's ``text`` into a plugin author's words, where it says that the marker has no such option."""
    found = _MISUSE.fullmatch(text)
    if not found:
        return text
    near = get_close_matches(found[1], _OPTIONS, n=1)
    guess = f"; did you mean '{near[0]}'?" if near else ""
    return f"@hookimpl has no option '{found[1]}'{guess} (it has: {', '.join(_OPTIONS)})"
