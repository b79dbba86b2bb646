"""What a checkout keeps at its top level travels in the wheel under a name that no other distribution claims."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

if TYPE_CHECKING:
    from collections.abc import Iterator

BUNDLED = ("plugins", "schemas", "examples", "docs/errors", "docs/settings.md", "docs/tests.md", "routes.yaml")


class Bundle(BuildHookInterface[Any]):
    """Put the top-level folders into ``router/_bundled``; an editable install reads them where they are."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add them to a real wheel only."""
        if version == "standard":
            root = Path(self.root)
            build_data["force_include"].update(
                {
                    str(file): f"router/_bundled/{file.relative_to(root)}"
                    for name in BUNDLED
                    for file in _files(root / name)
                }
            )


def _files(place: Path) -> Iterator[Path]:
    """Give a file, or those of a folder, less what work leaves behind: caches, and an .env with its secrets."""
    for file in [place] if place.is_file() else sorted(place.rglob("*")):
        parts = file.relative_to(place).parts
        if file.is_file() and "__pycache__" not in parts and not any(part.startswith(".") for part in parts):
            yield file
