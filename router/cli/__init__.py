"""The command ``handover``: one small file a command, imported when it is asked for."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Final

import click

from router import __version__, bundled
from router.cli.hints import hints
from router.errors import ConfigError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS: Final = (
    "serve",
    "demo",
    "sandbox",
    "check",
    "test",
    "explain",
    "routes",
    "tools",
    "plugins",
    "schema",
    "history",
    "hand-back",
)


class _Lazy(click.Group):
    """A group whose commands are modules beside this one: ``check`` must not wait for the web to be imported."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"router.cli.{name.replace('-', '_')}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        near = get_close_matches(args[0], COMMANDS, n=1)
        if near and args[0] not in COMMANDS and not ctx.resilient_parsing:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"\b\nAll settings: {bundled.SETTINGS}",
)
@click.version_option(__version__, prog_name="handover")
def group() -> None:
    """Hand a Twilio Conversation from an AI agent to a Studio Flow, and never strand the customer.

    \b
    Start here:
      handover demo                  see a handover, with no account and no configuration
      handover check                 every fault of ./routes.yaml
      handover serve                 answer the agent's tool calls
      handover history               what was handed over, and what is still owed

    Settings come from the environment or from ./.env.

    Exit codes: 0 right, 1 the thing asked about is wrong, 2 wrong usage.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a user's mistake ends in one clear line on stderr a fault, never in a traceback."""
    try:
        group.main(args=arguments, prog_name="handover")
    except ConfigError as error:
        click.echo(str(error), err=True)
        for hint in hints(error.diagnostics):
            click.echo(f"handover: {hint}", err=True)
        sys.exit(1)
    except SettingsError as error:
        click.echo(f"handover: {error}", err=True)
        sys.exit(1)
