"""What the tests of the configuration share: a small file that is right, and how to load one that is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from router.config import Loaded, load
from router.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from router.model.diagnostic import Diagnostic

FLOW = "FW00000000000000000000000000000001"
OTHER = "FW00000000000000000000000000000002"
HEAD = f"version: 1\nflows: {{refunds: {FLOW}, billing: {OTHER}}}\nauth: [twilio_signature]\n"
TOOLS = "tools:\n  /refunds: {flow: refunds}\n  /billing: {flow: billing}\n"
PLUGIN = """
from router import hookimpl

@hookimpl
def plugin_info():
    return {"config_schema": %s}
"""


def write(directory: Path, text: str | bytes, **plugins: str) -> Path:
    """Write ``routes.yaml`` into ``directory``, with plugins beside it by their config schemas."""
    path = directory / "routes.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    (directory / "plugins").mkdir(exist_ok=True)
    for name, schema in plugins.items():
        (directory / "plugins" / f"{name}.py").write_text(PLUGIN % schema)
    return path


def loaded(directory: Path, text: str, environ: Mapping[str, str] | None = None, **plugins: str) -> Loaded:
    return load(write(directory, text, **plugins), environ=environ or {})


def faults(path: Path, environ: Mapping[str, str] | None = None, **options: Any) -> tuple[Diagnostic, ...]:
    """Give all diagnostics of a file, whether or not it may go live."""
    try:
        return load(path, environ=environ or {}, **options).warnings
    except ConfigError as error:
        return error.diagnostics


def codes(directory: Path, text: str | bytes, environ: Mapping[str, str] | None = None, **plugins: str) -> list[str]:
    return [found.code for found in faults(write(directory, text, **plugins), environ)]
