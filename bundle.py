"""What a checkout keeps at its top level travels in the wheel under a name that no other distribution claims."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLED = ("plugins", "schemas", "examples", "docs/errors", "docs/settings.md", "docs/tests.md", "routes.yaml")


class Bundle(BuildHookInterface[Any]):
    """Put the top-level folders into ``router/_bundled``; an editable install reads them where they are."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add them to a real wheel only."""
        if version == "standard":
            root = Path(self.root)
            build_data["force_include"].update({str(root / name): f"router/_bundled/{name}" for name in BUNDLED})
