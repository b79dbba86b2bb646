"""What can go live of a configuration with faults: all of it but the fragments that are to blame."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from router.config.faults import Faults
from router.config.files import decoded
from router.config.loading import Frozen
from router.config.nodes import compose
from router.config.reading import Substitutes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from router.config.loading import Attempt

_TOOL: Final = re.compile(r"""^[ {\t]+(["']?)(/[^\s"':,{}]*)\1\s*:""", re.MULTILINE)


def salvage(attempt: Callable[[Substitutes], Attempt], good: Mapping[Path, bytes]) -> Attempt:
    """Load what stands on the disk; where only fragments have faults, load the rest with their last ``good`` form.

    A fragment without one is left out, and its tools are out of order. Nothing is salvaged of a configuration that is
    strict about its fragments, or has faults elsewhere: then the attempt has loaded nothing.
    """
    first = latest = attempt(Substitutes())
    instead: dict[Path, bytes] = {}
    left_out: dict[Path, tuple[str, ...]] = {}
    while latest.loaded is None:
        culprits = set() if first.is_strict else _culprits(latest, good) - instead.keys()
        if not culprits:
            return first
        for path in culprits:
            if path in good:
                instead[path] = good[path]
            else:
                left_out[path] = _tools_in(first.read.get(path))
        latest = attempt(Substitutes(MappingProxyType(instead), left_out=MappingProxyType(left_out)))
    frozen = tuple(_frozen(path, first, has_good_form=path in instead) for path in sorted({*instead, *left_out}))
    return replace(first, loaded=replace(latest.loaded, frozen=frozen))


def _culprits(broken: Attempt, good: Mapping[Path, bytes]) -> set[Path]:
    """Give the fragments to blame; none where the fault lies elsewhere.

    A fragment that did not change is not to blame for a fault that is told in it: then all those are that changed.
    """
    faulty = {Path(error.file) for error in broken.errors}
    changed = {path for path in broken.fragments if path not in good or good[path] != broken.read.get(path)}
    return faulty & changed or changed if faulty <= set(broken.fragments) else set()


def _frozen(path: Path, first: Attempt, *, has_good_form: bool) -> Frozen:
    """Describe a fragment that is kept back: by its own errors, or by those of others that it is to blame for."""
    own = tuple(error for error in first.errors if error.file == str(path))
    return Frozen(str(path), own or first.errors, has_good_form)


def _tools_in(text: bytes | None) -> tuple[str, ...]:
    """Find the paths of tools in a file with faults; in what cannot be read as YAML, by the look of the lines."""
    readable = decoded(text or b"", "", Faults())
    document = compose(readable, "", Faults()) if readable else None
    tools = document.data.get("tools") if document is not None else None
    found = [path for path in tools if path.startswith("/")] if isinstance(tools, dict) else []
    if document is None or document.unfinished:
        found += [path for _quote, path in _TOOL.findall(readable or "")]
    return tuple(dict.fromkeys(found))
