"""What one configuration does differently from another, for the receipt of a reload."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from router.model.routes import Routes, Tool

_STRETCH: Final = 20
"""Tools that are compared without a rest: a millisecond's work."""


def changes(old: Routes, new: Routes, rest: Callable[[], None] = lambda: None) -> Iterator[str]:
    """Say what ``new`` does differently, a line for each part that came, went or changed; ``rest`` is called often."""
    yield from _differences(dict(_parts(old)), dict(_parts(new)))
    for number, path in enumerate(sorted(old.tools.keys() | new.tools.keys())):
        if number % _STRETCH == 0:
            rest()
        before, after = old.tools.get(path), new.tools.get(path)
        if before != after:
            yield from _differences(dict(_parts_of(before)), dict(_parts_of(after)))


def _differences(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield f"removed {name}"
        elif name not in before:
            yield f"added {name}"
        elif before[name] != after[name]:
            yield f"changed {name}"


def _parts(routes: Routes) -> Iterator[tuple[str, object]]:
    yield "auth", routes.auth
    yield "assistant_webhooks", routes.agent_webhooks.patterns
    for alias, flow in routes.flows.items():
        yield f"flow {alias}", flow
    for name, plugin in routes.targets.items():
        yield f"target {name}", plugin


def _parts_of(tool: Tool | None) -> Iterator[tuple[str, object]]:
    if tool is not None:
        yield tool.path, replace(tool, intents={})
        for intent in tool.intents.values():
            yield f"{tool.path} {intent.name}", intent
