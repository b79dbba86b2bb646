"""``handover routes``: the whole table of what leads where."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import click

from router.cli.subject import about_a_configuration
from router.cli.table import table
from router.explanation.route import explain_flow
from router.explanation.userinfo import without_userinfo
from router.model.messages import Messages, one_sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from router.cli.subject import Subject
    from router.config.document import Trail
    from router.config.sources import Sources, Written
    from router.model.place import Place
    from router.model.routes import Intent, Routes, Tool

_TITLES: Final = ("TOOL", "INTENT", "FLOW", "MESSAGE", "PLUGINS")


@click.command("routes", short_help="Show what leads where.")
@about_a_configuration
@click.option("--json", "as_json", is_flag=True, help="For programs, with the place of each value.")
def command(subject: Subject, *, as_json: bool) -> None:
    """Show each tool of PATH and its intents: the flow, the sentence for success, and the plugins.

    PATH is HANDOVER_CONFIG, or routes.yaml, unless you name another. On a terminal the lines are cut to its width.
    """
    loaded = subject.load()
    lines = [Line.of(tool, intent, loaded.routes, loaded.sources) for tool, intent in _ends(loaded.routes)]
    if as_json:
        click.echo(json.dumps({"routes": [line.as_json() for line in lines]}, indent=2))
    else:
        room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        click.echo(table([_TITLES, *(line.cells() for line in lines)], room))


def _ends(routes: Routes) -> Iterator[tuple[Tool, Intent | None]]:
    """Yield where a handover can end up: the intents, and the tools that have none."""
    for tool in routes.tools.values():
        yield from ((tool, intent) for intent in tool.intents.values() or (None,))


@dataclass(frozen=True, slots=True)
class Line:
    """An intent, or a tool that has none. ``flow`` is empty where only the tool's URL can name one.

    ``target_of`` is the plugin where the flow is a target, which has no SID.
    """

    tool: str
    intent: str
    is_fallback: bool
    flow: str
    flow_sid: str
    target_of: str
    dry_run: bool
    message: Written
    plugins: tuple[str, ...]
    places: Mapping[str, Place | None]

    @classmethod
    def of(cls, tool: Tool, intent: Intent | None, routes: Routes, sources: Sources) -> Self:
        """Gather what there is to show."""
        above: Trail = ("tools", tool.path)
        trail: Trail = (*above, "intents", intent.name) if intent else above
        route = intent.route if intent else tool.route
        flow = explain_flow(route.flow, trail, routes, sources)
        message = sources.setting(trail, ("messages", "success"), Messages().success)
        return cls(
            tool=tool.path,
            intent=intent.name if intent else "",
            is_fallback=intent is not None and intent.name == tool.fallback,
            flow=flow.alias,
            flow_sid="" if flow.plugin else flow.sid,
            target_of=flow.plugin,
            dry_run=route.dry_run,
            message=message,
            plugins=tuple(use.name for use in route.plugins),
            places={
                "tool": sources.key(above),
                "intent": sources.key(trail) if intent else None,
                "flow": flow.named.place if flow.named else None,
                "message": message.place,
            },
        )

    @property
    def sentence(self) -> str:
        """What the model is told, as it may be shown."""
        return self.message.hidden or without_userinfo(self.message.value)

    def cells(self) -> tuple[str, ...]:
        """Give it as people read it."""
        return (
            self.tool,
            (self.intent + " (fallback)" * self.is_fallback) or "-",
            (self.flow or "(from the URL)")
            + f" ({self.target_of})" * bool(self.target_of)
            + " (dry run)" * self.dry_run,
            one_sentence(self.sentence),
            ", ".join(self.plugins) or "-",
        )

    def as_json(self) -> dict[str, Any]:
        """Give it as programs read it; a place is null where a value is built in."""
        return {
            "tool": self.tool,
            "intent": self.intent,
            "fallback": self.is_fallback,
            "flow": self.flow,
            "flow_sid": self.flow_sid,
            "target_of": self.target_of,
            "dry_run": self.dry_run,
            "message": self.sentence,
            "plugins": list(self.plugins),
            "places": {name: place and place._asdict() for name, place in self.places.items()},
        }
