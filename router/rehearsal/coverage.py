"""Which routes the tests reach: an intent of a tool, or a tool that has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from router.model.outcome import Answer
    from router.model.routes import Routes


def all_routes(routes: Routes) -> Iterator[tuple[str, str]]:
    """Yield each route by its path and its intent, which is empty where the tool has none."""
    for tool in routes.tools.values():
        for intent in tool.intents or ("",):
            yield tool.path, intent


def unreached(routes: Routes, answers: Iterable[Answer]) -> tuple[tuple[str, str], ...]:
    """Give the routes that no answer is about; a call reached its route also where a plugin declined it."""
    reached = {(answer.tool, answer.intent) for answer in answers if answer.flow}
    return tuple(route for route in all_routes(routes) if route not in reached)
