"""``handover sandbox``: only the stand-in for Twilio."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from router.cli.subject import Subject
from router.errors import ConfigError, SettingsError
from router.model.sids import is_sid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.model.routes import Tool


@click.command("sandbox", short_help="Serve a stand-in for Twilio.")
@click.option("--port", default=4010, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option(
    "--flow",
    "flows",
    multiple=True,
    metavar="FW...=FILE",
    help="Play the exported flow in FILE under this Flow SID; may be given several times.",
)
def command(port: int, flows: tuple[str, ...]) -> None:
    """Serve a stand-in for Twilio, for people who write routes and plugins.

    It holds conversations, webhooks and messages, plays Studio Flows, and makes faults on demand. What to set so that
    the router uses it is printed first, with a call of the first tool of your routes.yaml. It plays the two flows of
    the shipped routes.yaml, and those that you name; a message to any other is told in a line.
    """
    from router.sandbox.flows import shipped_flows
    from router.sandbox.server import run

    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(run(port, click.echo, flows={**shipped_flows(), **_definitions(flows)}, tool=_first_tool()))
    except OSError as error:
        raise SettingsError(f"--port {port}: {error.strerror}; choose another") from error
    except ValueError as error:
        raise SettingsError(f"--flow: {error}") from error


def _first_tool() -> Tool | None:
    """Give the first tool of the routes that ``handover serve`` would serve from here; None where it would not."""
    from router.sandbox.server import SECRET

    subject = Subject.of(None, ())
    subject = replace(subject, environ={**subject.environ, "HANDOVER_SECRET": SECRET})
    try:
        return next(iter(subject.load().routes.tools.values()))
    except ConfigError:  # `handover check` says what is wrong; the stand-in plays without it
        return None


def _definitions(named: Iterable[str]) -> dict[str, Any]:
    """Read the flows; raises SettingsError where one is not named as ``FW...=FILE`` or cannot be read."""
    found = {}
    for name in named:
        sid, _equals, file = name.partition("=")
        if not is_sid("FW", sid) or not file:
            raise SettingsError(f"--flow {name}: expected FW and 32 hex digits, '=', and a file")
        try:
            found[sid] = json.loads(Path(file).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SettingsError(f"--flow {name}: expected an exported Studio Flow as JSON: {error}") from error
    return found
