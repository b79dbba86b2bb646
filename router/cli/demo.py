"""``handover demo``: see a handover before anything is set up."""

from __future__ import annotations

import asyncio
import contextlib
import sys

import click

from router.errors import SettingsError


@click.command("demo", short_help="Play a handover, with nothing set up.")
@click.option("--once", is_flag=True, help="Play it and exit: 0 when it went right, else 1.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="The router's port; default a free one.")
def command(*, once: bool, port: int) -> None:
    """Play a handover through real HTTP: no Twilio account, no network, no configuration.

    Starts a stand-in for Twilio, a scripted agent, and the router with the shipped routes.yaml. A customer talks to the
    agent, which calls the tool; from then on a Studio Flow answers. Then it stays up for you to try it with curl.
    """
    with contextlib.suppress(KeyboardInterrupt):
        faults = asyncio.run(_demo(once=once, port=port))
        for fault in faults:
            click.echo(f"handover demo: {fault}", err=True)
        sys.exit(1 if faults else 0)


async def _demo(*, once: bool, port: int) -> list[str]:
    from router.sandbox.demo import invitation, play, set_up

    async with contextlib.AsyncExitStack() as stack:
        try:
            stage = await stack.enter_async_context(set_up(port))
        except OSError as error:
            raise SettingsError(f"--port {port}: {error.strerror}; choose another, or none for a free one") from error
        faults = await play(stage, click.echo)
        if not faults:
            click.echo("\nIt went right: the agent answered, then the flow, then the agent again.")
        if not (once or faults):
            click.echo(invitation(stage))
            await asyncio.Event().wait()
    return faults
