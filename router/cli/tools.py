"""``handover tools``: what to put into the agent's configuration for each tool."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import click

from router.cli.subject import about_a_configuration
from router.definitions.definition import define
from router.definitions.functions import functions
from router.definitions.pages import as_markdown, as_text
from router.definitions.typescript import input_type
from router.errors import SettingsError
from router.model.routes import AuthKind
from router.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from router.cli.subject import Subject
    from router.config import Loaded
    from router.definitions.definition import ToolDefinition
    from router.model.routes import Tool

PLACEHOLDER: Final = "https://YOUR-HOST"


@click.command("tools", short_help="Print the tools for the agent's configuration.")
@about_a_configuration
@click.option("--public-url", metavar="URL", help="Where the agent reaches the router; default $HANDOVER_PUBLIC_URL.")
@click.option("--tool", "only", metavar="PATH", help="Only the tool at this path.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json", "functions"]),
    metavar="FORMAT",
    default="text",
    show_default=True,
    help="text, markdown, json, or functions: JSON Schema function definitions, for agents that take those.",
)
def command(subject: Subject, public_url: str | None, only: str | None, form: str) -> None:
    """Print what to put into the agent's configuration: Name, Description, Input, Method and URL of each tool.

    PATH is HANDOVER_CONFIG, or routes.yaml, unless you name another. The input's type names the intents; its comments,
    which the model reads, say when to choose each. What the agent still lacks is told on stderr.
    """
    base_url = _base_url(public_url, subject.environ.get("HANDOVER_PUBLIC_URL", ""))
    loaded = subject.load()
    tools = _chosen(loaded, only)
    definitions = [define(tool, loaded.routes, base_url or PLACEHOLDER) for tool in tools]
    for remark in (*_remarks(tools, loaded, base_url), *_namesakes(definitions, loaded)):
        click.echo(remark, err=True)
    click.echo(_printed(definitions, form))


def _base_url(option: str | None, setting: str) -> str:
    """Give the public URL; empty where nobody gave one."""
    try:
        return Settings.read({"HANDOVER_PUBLIC_URL": setting if option is None else option}).public_url
    except SettingsError as error:
        if option is None:
            raise
        raise click.BadParameter(str(error).partition(": ")[2], param_hint="--public-url") from error


def _chosen(loaded: Loaded, only: str | None) -> list[Tool]:
    tools = loaded.routes.tools
    if only is None or only in tools:
        return list(tools.values()) if only is None else [tools[only]]
    near = get_close_matches(only, tools, n=1)
    guess = f"; did you mean '{near[0]}'?" if near else ""
    raise click.BadParameter(f"there is no tool {only[:100]!r}{guess}", param_hint="--tool")


def _remarks(tools: Sequence[Tool], loaded: Loaded, base_url: str) -> Iterator[str]:
    """Say what is missing before an agent can use the definitions."""
    for tool in tools:
        for field in ("name", "description"):
            if not getattr(tool, field):
                place = loaded.sources.key(("tools", tool.path))
                yield f"{place}: warning: tool '{tool.path}' has no '{field}', which the agent needs; add '{field}:'"
    if not base_url:
        yield f"handover: HANDOVER_PUBLIC_URL is not set, so {PLACEHOLDER} stands in; set it, or give --public-url"
    if {method.kind for method in loaded.routes.auth} == set(AuthKind):
        yield "handover: a caller that does not sign its calls as Twilio does needs '?secret=...' at the end of the URL"


def _namesakes(definitions: Sequence[ToolDefinition], loaded: Loaded) -> Iterator[str]:
    """Say which tools an agent could not tell apart, at the later one of them."""
    first: dict[str, str] = {}
    for each in definitions:
        if (other := first.setdefault(each.name, each.path)) != each.path:
            place = loaded.sources.key(("tools", each.path))
            message = f"tool '{each.path}' is named '{each.name}', as '{other}' is"
            yield f"{place}: warning: {message}; one agent needs different names for the two"


def _printed(definitions: Sequence[ToolDefinition], form: str) -> str:
    if form == "functions":
        return json.dumps(functions(definitions), indent=2)
    if form == "json":
        return json.dumps({"tools": [_as_json(each) for each in definitions]}, indent=2)
    return "\n".join((as_text if form == "text" else as_markdown)(each) for each in definitions).rstrip("\n")


def _as_json(definition: ToolDefinition) -> dict[str, Any]:
    return {
        "path": definition.path,
        "name": definition.name,
        "description": definition.description,
        "input": input_type(definition),
        "method": definition.method,
        "url": definition.url,
    }
