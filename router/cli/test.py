"""``handover test``: the tests of a configuration, and which routes they do not reach."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from router import bundled
from router.cli.subject import about_a_configuration, plugins_aside
from router.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.cli.subject import Subject
    from router.config import Loaded
    from router.model.place import Place
    from router.rehearsal.results import Report, Result

MOST: Final = 50
"""So many routes that no test reaches are listed in text."""


@click.command(
    name="test",
    short_help="Run the tests of PATH, and show what they do not reach.",
    epilog=f"\b\nHow to write tests: {bundled.TESTS}",
)
@about_a_configuration
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="text for people, json for programs.",
)
@click.option(
    "--junit",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the results into this file too, as JUnit XML.",
)
@click.option("--require-coverage", is_flag=True, help="Fail also where no test reaches a route.")
def command(subject: Subject, form: str, junit: Path | None, *, require_coverage: bool) -> None:
    """Run the tests of PATH, and say which of its routes no test reaches.

    PATH is HANDOVER_CONFIG, or routes.yaml, unless you name another. The calls take the real way, plugins included, up
    to a stand-in for Twilio in memory: nothing is sent anywhere. Ends with 0 if all tests pass, and with 1 if one fails
    or the file has faults.
    """
    try:
        loaded = subject.load()
    except ConfigError as error:
        if form == "text":
            raise
        click.echo(json.dumps({"diagnostics": [each.as_json() for each in error.diagnostics]}, indent=2))
        click.get_current_context().exit(1)
    from router.rehearsal.rehearsal import rehearse

    with plugins_aside():
        report = asyncio.run(rehearse(loaded))
    if junit is not None:
        _write(junit, report, str(subject.path))
    if form == "json":
        click.echo(json.dumps(_as_json(report, loaded), indent=2))
    else:
        for line in _lines(report, loaded, str(subject.path)):
            click.echo(line)
    click.get_current_context().exit(1 if report.failed or (require_coverage and report.unreached) else 0)


def _write(file: Path, report: Report, suite: str) -> None:
    from router.rehearsal.junit import junit

    try:
        file.write_text(junit(report, suite), encoding="utf-8")
    except OSError as error:
        raise click.BadParameter(f"{file}: {error.strerror}", param_hint="--junit") from error


def _lines(report: Report, loaded: Loaded, path: str) -> Iterator[str]:
    for result in report.results:
        declined = f" (declined by the plugin '{result.declined_by}')" if result.declined_by else ""
        if not result.failures:
            yield f"{result.test.place}: passed: {result.title}{declined}"
        for failure in result.failures:
            yield f"{failure.place}: failed: {result.title}: {failure.message}"
    for tool, intent in report.unreached[:MOST]:
        name = f"intent '{intent}' of '{tool}'" if intent else f"tool '{tool}'"
        yield f"{_place(loaded, tool, intent)}: not reached by any test: {name}"
    if len(report.unreached) > MOST:
        yield f"{path}: {len(report.unreached) - MOST} more are not reached; --format json lists all"
    yield f"{path}: {_summary(report)}"


def _summary(report: Report) -> str:
    reached = f"{report.routes - len(report.unreached)} of {report.routes} routes reached"
    if not report.results:
        return f"no tests; {bundled.TESTS} says how to write them: {reached}"
    failed = len(report.failed)
    passed = len(report.results) - failed
    return f"{passed} passed" + (f", {failed} failed" if failed else "") + f": {reached}"


def _as_json(report: Report, loaded: Loaded) -> dict[str, Any]:
    return {
        "diagnostics": [each.as_json() for each in loaded.warnings],
        "tests": [_result(result) for result in report.results],
        "unreached": [
            {"tool": tool, "intent": intent, **_place(loaded, tool, intent)._asdict()}
            for tool, intent in report.unreached
        ],
    }


def _result(result: Result) -> dict[str, Any]:
    answer = result.answer
    return {
        "name": result.title[1:-1],
        **result.test.place._asdict(),
        "passed": not result.failures,
        "outcome": answer.outcome if answer else None,
        "intent": answer.intent if answer else "",
        "flow": answer.flow if answer else "",
        "declined_by": result.declined_by,
        "seconds": round(result.seconds, 3),
        "failures": [{**failure.place._asdict(), "message": failure.message} for failure in result.failures],
    }


def _place(loaded: Loaded, tool: str, intent: str) -> Place:
    """Find the key of a route in the file."""
    return loaded.sources.key(("tools", tool, *(("intents", intent) if intent else ())))
