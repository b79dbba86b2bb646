"""What a process that tries a configuration is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from router.config.last_good import Saved


@dataclass(frozen=True, slots=True)
class Order:
    """Read the files at ``path``; ``good`` is what went live last. Files and environment may hold secrets."""

    path: Path
    environ: Mapping[str, str] = field(repr=False)
    plugins_dirs: tuple[Path, ...] | None
    good: Saved | None = field(repr=False)
    may_shrink: bool
