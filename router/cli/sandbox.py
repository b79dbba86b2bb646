"""``handover sandbox``: only the stand-in for Twilio."""

from __future__ import annotations

import asyncio
import contextlib

import click

from router.errors import SettingsError


@click.command("sandbox", short_help="Serve a stand-in for Twilio.")
@click.option("--port", default=4010, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
def command(port: int) -> None:
    """Serve a stand-in for Twilio, for people who write routes and plugins.

    It holds conversations, webhooks and messages, plays Studio Flows, and makes faults on demand. What to set so that
    the router uses it is printed first.
    """
    from router.sandbox.server import run  # noqa: PLC0415 - help need not wait for the web

    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(run(port, click.echo))
    except OSError as error:
        raise SettingsError(f"--port {port}: {error.strerror}; choose another") from error
