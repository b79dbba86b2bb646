"""What to do next: where to start for who has nothing yet, where to read on for who has faults."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from router import bundled
from router.model.diagnostic import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from router.model.diagnostic import Diagnostic


def hints(diagnostics: Iterable[Diagnostic]) -> list[str]:
    """Say where an example is if there is no file at all; say nothing else."""
    missing = [each if each.code == "file-missing" else None for each in diagnostics]
    if len(missing) != 1 or missing[0] is None:
        return []
    file = Path(missing[0].file)
    made = "" if file.parent.is_dir() else f"mkdir -p {quote(str(file.parent))} && "
    target = "." if file == Path(bundled.ROUTES.name) else quote(str(file))
    return [f"an example to start from: {made}cp {bundled.ROUTES} {target}"]


def where_to_read(diagnostics: Sequence[Diagnostic]) -> list[str]:
    """Say how to ask what a code means, if there is any: the first error's, else the first warning's."""
    first = sorted(diagnostics, key=lambda each: each.severity is not Severity.ERROR)[:1]
    return [f"what a code means: handover check --explain {each.code}" for each in first]
