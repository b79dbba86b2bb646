"""What the tests of the bundled plugins share: a plugin anew, what is wrong with a config, and its page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from router.bundled import PLUGINS
from router.config import load
from router.errors import ConfigError
from router.hooks.discovery import discover
from router.hooks.host import PluginHost
from tests.rehearsal.kit import ROUTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.hooks.discovery import FoundPlugin
    from router.hooks.host import PluginReport

DOCS = Path(__file__).parents[2] / "docs" / "plugins"


def bundled(name: str) -> FoundPlugin:
    """Load a plugin anew, as each app does."""
    found = discover([PLUGINS])
    assert found.faults == ()
    return found.plugins[name]


def hosted(found: FoundPlugin) -> tuple[PluginHost, list[PluginReport]]:
    """Make a host of one plugin, and the list that its failures go to."""
    reports: list[PluginReport] = []
    return PluginHost.of([found], report=reports.append), reports


def faults(directory: Path, name: str, config: Mapping[str, Any]) -> list[str]:
    """Say what the check finds wrong with a plugin's config."""
    entry = json.dumps({"use": name, "config": config})
    (directory / "routes.yaml").write_text(f"{ROUTES}plugins: [{entry}]\n", encoding="utf-8")
    try:
        load(directory / "routes.yaml", environ={})
    except ConfigError as error:
        return [each.message for each in error.diagnostics]
    return []


def page(name: str) -> str:
    return (DOCS / f"{name.replace('-', '_')}.md").read_text(encoding="utf-8")


def block(name: str, kind: str) -> str:
    """Give the first block of a kind on a plugin's page."""
    return str(re.findall(rf"```{kind}\n(.*?)```", page(name), re.DOTALL)[0])


def undescribed(found: FoundPlugin) -> list[str]:
    """List the keys of a plugin's config that its page does not have with the default that they really have."""
    assert found.config_schema is not None
    needed = found.config_schema.get("required", ())
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", page(found.name), re.MULTILINE))
    missing = []
    for key, schema in found.config_schema["properties"].items():
        default = schema.get("default")
        shown = f"`{default if isinstance(default, str) else json.dumps(default)}`"
        wanted = "is needed" if key in needed else "no limit" if default is None else shown
        if rows.get(key) not in (wanted, "see below"):
            missing.append(f"{key}: {wanted}")
    return missing
