"""Where the files that travel with the package are: in the wheel inside it, in a checkout beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).resolve().parent
_IN_WHEEL: Final = _PACKAGE / "_bundled"

ROOT: Final = _IN_WHEEL if _IN_WHEEL.is_dir() else _PACKAGE.parent
PLUGINS: Final = ROOT / "plugins"
SCHEMA: Final = ROOT / "schemas" / "routes.schema.json"
ROUTES: Final = ROOT / "routes.yaml"
ERRORS: Final = ROOT / "docs" / "errors"
SETTINGS: Final = ROOT / "docs" / "settings.md"
TESTS: Final = ROOT / "docs" / "tests.md"
FLOWS: Final = ROOT / "examples" / "flows"
