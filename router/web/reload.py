"""The desk in use, and how another one takes its place: all that can fail first, then one reference."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from router.web.access import usable_methods

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from router.config import Loaded
    from router.desk import Desk
    from router.model.routes import AuthMethod, Routes
    from router.settings import Settings


@dataclass(frozen=True, slots=True)
class Live:
    """One loaded configuration in use; a call takes it once and ends at it."""

    desk: Desk
    digest: str
    methods: tuple[AuthMethod, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a reload did: the digest of what is in use now, and what changed; None where nothing did."""

    digest: str
    changes: tuple[str, ...] | None


class Reloader:
    """Holds what is live. ``load`` reads the files anew and raises ConfigError; it may block."""

    def __init__(self, live: Live, load: Callable[[], Loaded], settings: Settings) -> None:
        self.live = live
        self._load = load
        self._settings = settings
        self._one_at_a_time = asyncio.Lock()

    async def reload(self) -> Receipt:
        """Take the files as they are now. Raises ConfigError or SettingsError, and then nothing has changed."""
        async with self._one_at_a_time:
            loaded = await asyncio.to_thread(self._load)
            old = self.live
            if loaded.digest == old.digest:
                return Receipt(old.digest, None)
            methods = usable_methods(loaded.routes, self._settings)
            desk = replace(old.desk, routes=loaded.routes, plugins=loaded.plugins)
            self.live = Live(desk, loaded.digest, methods)
            return Receipt(loaded.digest, tuple(changes(old.desk.routes, loaded.routes)))


def changes(old: Routes, new: Routes) -> Iterator[str]:
    """Say what a new configuration does differently, a line for each part that came, went or changed."""
    before, after = dict(_parts(old)), dict(_parts(new))
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
    for path, tool in routes.tools.items():
        yield path, replace(tool, intents={})
        for intent in tool.intents.values():
            yield f"{path} {intent.name}", intent
