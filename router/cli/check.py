"""``handover check``: every fault of a configuration, as text, as JSON, or as annotations of a GitHub workflow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from router.cli.excerpt import Excerpts
from router.cli.hints import hints, where_to_read
from router.cli.pages import page
from router.cli.subject import about_a_configuration
from router.errors import ConfigError
from router.model.diagnostic import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from router.cli.subject import Subject
    from router.config import Loaded
    from router.model.diagnostic import Diagnostic
    from router.model.routes import Routes


@click.command(name="check")
@about_a_configuration
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="text for people, json for programs, github for annotations in a pull request.",
)
@click.option(
    "--online", is_flag=True, help="Also ask Twilio whether each flow is there, published and fit to take over."
)
@click.option("--explain", "code", metavar="CODE", help="Print what a code means and what to do, and check nothing.")
def command(subject: Subject, form: str, code: str | None, *, online: bool) -> None:
    """Tell every fault of PATH, not only the first.

    PATH is HANDOVER_CONFIG, or routes.yaml, unless you name another. Ends with 0 if the file may go live and with 1 if
    it may not; warnings alone keep no file from going live. NO_COLOR, if it is set, keeps the output plain.
    """
    if code is not None:
        _explain(code)
        return
    routes: Routes | None = None
    diagnostics: Sequence[Diagnostic]
    asked = "Twilio was not asked, as the file itself has errors"
    try:
        loaded = subject.load()
        routes, diagnostics = loaded.routes, loaded.warnings
        if online:
            found, count = _online(loaded, subject.environ)
            diagnostics = (*diagnostics, *found)
            asked = f"Twilio was asked about {_count(count, 'flow')}" if count else "Twilio was not reached"
    except ConfigError as error:
        diagnostics = error.diagnostics
    if form == "json":
        click.echo(json.dumps({"diagnostics": [each.as_json() for each in diagnostics]}, indent=2))
    elif form == "github":
        for each in diagnostics:
            click.echo(annotation(each))
    else:
        is_plain = bool(subject.environ.get("NO_COLOR"))
        for line in _as_text(subject.path, routes, diagnostics):
            click.echo(line, color=False if is_plain else None)
        if online:
            click.echo(asked)
    click.get_current_context().exit(1 if any(each.severity is Severity.ERROR for each in diagnostics) else 0)


def _online(loaded: Loaded, environ: Mapping[str, str]) -> tuple[Sequence[Diagnostic], int]:
    from router.cli.online import faults_online

    return faults_online(loaded, environ)


def _explain(code: str) -> None:
    try:
        click.echo(page(code), nl=False)
    except LookupError as error:
        raise click.BadParameter(str(error.args[0]), param_hint="--explain") from None


def _as_text(path: Path, routes: Routes | None, diagnostics: Sequence[Diagnostic]) -> Iterator[str]:
    """Yield each fault with its line of the file, then what there is, then what to do next."""
    excerpts = Excerpts()
    for each in diagnostics:
        colour = "red" if each.severity is Severity.ERROR else "yellow"
        place, severity, rest = str(each).partition(f" {each.severity}[{each.code}]:")
        yield click.style(place, bold=True) + click.style(severity, fg=colour, bold=True) + rest
        yield from excerpts.of(each)
    yield f"{path}: {summary(routes, diagnostics)}"
    yield from hints(diagnostics)
    yield from where_to_read(diagnostics)


def summary(routes: Routes | None, diagnostics: Sequence[Diagnostic]) -> str:
    """Count what was found: the faults, or what there is where there are none."""
    errors = sum(each.severity is Severity.ERROR for each in diagnostics)
    warnings = len(diagnostics) - errors
    parts: list[str] = []
    if routes is not None:
        intents = sum(len(tool.intents) for tool in routes.tools.values())
        parts = [_count(len(routes.tools), "tool"), _count(intents, "intent"), _count(_flows(routes), "flow")]
    faults = [_count(errors, "error")] * bool(errors) + [_count(warnings, "warning")] * bool(warnings)
    return ": ".join(", ".join(each) for each in (parts, faults or ["no faults"]) if each)


def _flows(routes: Routes) -> int:
    """Count the flows: those that are listed, and those that a route alone has."""
    of_routes = {
        route.flow
        for tool in routes.tools.values()
        for route in (tool.route, *(intent.route for intent in tool.intents.values()))
    }
    return len(routes.flows) + len(of_routes - {"", *routes.flows.values(), *routes.targets})


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
