"""The variables of a run, and the texts that use them: ``{{a.b.c}}``, a plain dotted look-up. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_PLACEHOLDER: Final = re.compile(r"\{\{\s*([^{}|]+?)\s*\}\}")


def fill(text: str, variables: Mapping[str, Any]) -> str:
    """Fill each ``{{a.b.c}}`` of ``text``; what is not there becomes empty."""
    return _PLACEHOLDER.sub(lambda found: _look_up(found[1], variables), text)


def extend(variables: Mapping[str, Any], outer: str, inner: str, more: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give ``variables`` with ``more`` at ``outer.inner``, beside what stands there."""
    group = variables.get(outer, {})
    return {**variables, outer: {**group, inner: {**group.get(inner, {}), **more}}}


def _look_up(path: str, variables: Mapping[str, Any]) -> str:
    found: Any = variables
    for part in path.split("."):
        found = found.get(part, "") if isinstance(found, Mapping) else ""
    if isinstance(found, bool):
        return str(found).lower()
    return "" if found is None or isinstance(found, Mapping) else str(found)
