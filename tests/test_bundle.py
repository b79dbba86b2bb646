"""What travels in the wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.metadata.core import ProjectMetadata

from bundle import BUNDLED, Bundle

ROOT = Path(__file__).parent.parent


def bundled(root: Path, version: str = "standard") -> dict[str, str]:
    data: dict[str, Any] = {"force_include": {}}
    metadata: Any = ProjectMetadata(str(root), None)
    Bundle(str(root), {}, None, metadata, "", "wheel").initialize(version, data)
    return {target: str(Path(file).relative_to(root)) for file, target in data["force_include"].items()}


def test_what_whoever_works_there_leaves_behind_stays_there(tmp_path: Path) -> None:
    """Caches do not travel, nor does an ``.env`` with its secrets; all else does, under a name of our own."""
    for name in (
        "examples/compose/.env",
        "plugins/__pycache__/a.pyc",
        "plugins/.cache/b",
        "plugins/a.py",
        "routes.yaml",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert bundled(tmp_path) == {f"router/_bundled/{name}": name for name in ("plugins/a.py", "routes.yaml")}


def test_each_thing_that_is_to_travel_is_there() -> None:
    """Nothing is named that the checkout has not; an editable install takes nothing along."""
    found = bundled(ROOT).values()
    assert all(any(f"{file}/".startswith(f"{name}/") for file in found) for name in BUNDLED)
    assert bundled(ROOT, "editable") == {}
