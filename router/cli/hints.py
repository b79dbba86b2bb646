"""Where to start for who has nothing yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router import bundled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.model.diagnostic import Diagnostic


def hints(diagnostics: Iterable[Diagnostic]) -> list[str]:
    """Say where an example is if there is no file at all; say nothing else."""
    codes = [each.code for each in diagnostics]
    return [f"an example to start from: cp {bundled.ROUTES} ."] if codes == ["file-missing"] else []
