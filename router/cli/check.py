"""``handover check``: every fault of a configuration, as text, as JSON, or as annotations of a GitHub workflow."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.cli.hints import hints
from router.config import load
from router.errors import ConfigError
from router.model.diagnostic import Severity
from router.settings import with_dotenv

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.model.diagnostic import Diagnostic
    from router.model.routes import Routes


@click.command(name="check")
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="text for people, json for programs, github for annotations in a pull request.",
)
@click.option(
    "--plugins-dir",
    "plugins_dirs",
    type=click.Path(path_type=Path, file_okay=False),
    multiple=True,
    help="Look for plugins here instead of in plugins/ beside the file; may be given several times.",
)
def command(path: Path | None, form: str, plugins_dirs: tuple[Path, ...]) -> None:
    """Tell every fault of PATH, not only the first.

    PATH is HANDOVER_CONFIG, or routes.yaml, unless you name another. Ends with 0 if the file may go live and with 1 if
    it may not; warnings alone keep no file from going live. What a code means stands in docs/errors/CODE.md.
    """
    environ = with_dotenv(os.environ, Path.cwd())
    path = path or Path(environ.get("HANDOVER_CONFIG") or "routes.yaml")
    routes: Routes | None = None
    diagnostics: Sequence[Diagnostic]
    try:
        loaded = load(path, environ=environ, plugins_dirs=plugins_dirs or None)
        routes, diagnostics = loaded.routes, loaded.warnings
    except ConfigError as error:
        diagnostics = error.diagnostics
    if form == "json":
        click.echo(json.dumps({"diagnostics": [each.as_json() for each in diagnostics]}, indent=2))
    else:
        for each in diagnostics:
            click.echo(str(each) if form == "text" else annotation(each))
    if form == "text":
        click.echo(f"{path}: {summary(routes, diagnostics)}")
        for hint in hints(diagnostics):
            click.echo(hint)
    click.get_current_context().exit(1 if routes is None else 0)


def summary(routes: Routes | None, diagnostics: Sequence[Diagnostic]) -> str:
    """Count what was found: the faults, or what there is where there are none."""
    errors = sum(each.severity is Severity.ERROR for each in diagnostics)
    warnings = len(diagnostics) - errors
    parts: list[str] = []
    if routes is not None:
        intents = sum(len(tool.intents) for tool in routes.tools.values())
        parts = [_count(len(routes.tools), "tool"), _count(intents, "intent"), _count(len(routes.flows), "flow")]
    faults = [_count(errors, "error")] * bool(errors) + [_count(warnings, "warning")] * bool(warnings)
    return ": ".join(", ".join(each) for each in (parts, faults or ["no faults"]) if each)


def annotation(diagnostic: Diagnostic) -> str:
    """Write a workflow command of GitHub's, which shows the fault at its line in a pull request."""
    places = f"file={_property(diagnostic.file)},line={diagnostic.line},col={diagnostic.column}"
    title = f"title={_property(diagnostic.code)}"
    return f"::{diagnostic.severity} {places},{title}::{_data(diagnostic.message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
