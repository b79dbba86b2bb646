"""``handover plugins``: which there are, which hooks they have, in which order they are called, how they fared."""

from __future__ import annotations

import json
from pathlib import Path

import click

from router.cli.subject import Subject, about_a_configuration


class _ListedUnlessNamed(click.Group):
    """A group that takes options alone, or nothing, for ``list``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        is_bare = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        return super().parse_args(ctx, ["list", *args] if is_bare else args)


@click.group("plugins", cls=_ListedUnlessNamed, short_help="Show the plugins, or begin a new one.")
def command() -> None:
    """Show the plugins, or begin a new one. Without a word of these it is `list`.

    \b
    Examples:
      handover plugins
      handover plugins --url https://handover.example.com
      handover plugins new ask-first
    """


@command.command("list")
@about_a_configuration
@click.option("--json", "as_json", is_flag=True, help="For programs, with all that is known.")
@click.option("--url", default="", metavar="URL", help="Ask the server there, with HANDOVER_ADMIN_TOKEN.")
def list_plugins(subject: Subject, *, as_json: bool, url: str) -> None:
    """Show the plugins that PATH may switch on: whether it does, their hooks, and in which order they are called.

    PATH is HANDOVER_CONFIG, or routes.yaml, unless you name another; where there is no routes.yaml yet, all are off.
    With --url it is the plugins that a running server uses: calls, failures, how long 95 of 100 took, the last error.
    """
    from router.cli import plugin_figures, plugin_list

    if url:
        figures = plugin_figures.ask(url, subject.environ)
        click.echo(json.dumps(figures, indent=2) if as_json else plugin_figures.told(figures))
        return
    found = plugin_list.look(subject)
    click.echo(json.dumps(found.as_json(), indent=2) if as_json else found.told())
    for fault in found.faults:
        click.echo(str(fault), err=True)
    if found.error is not None:
        raise found.error


@command.command("new")
@click.argument("name", metavar="NAME")
@click.option(
    "--directory", type=click.Path(path_type=Path), metavar="D", help="Put it there; default ./handover-NAME."
)
def new(name: str, directory: Path | None) -> None:
    """Begin a plugin: a project with a guard, an observer, a config schema and a test that passes.

    NAME is what routes.yaml will call it: small letters, digits and '-', such as ask-first.
    """
    from router.cli.plugin_template import WrongName, write

    try:
        files, home = write(name, directory)
    except WrongName as error:
        raise click.BadParameter(str(error), param_hint="NAME") from error
    for file in files:
        click.echo(f"wrote {file}")
    click.echo(f"\nNext:\n  python -m pip install --editable {home} pytest\n  python -m pytest {home}")
