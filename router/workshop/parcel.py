"""An attempt on its way from one process to another: in many small pieces, so that unpacking holds nobody up.

What belongs to a process stays there: the plugins, whose modules are loaded anew, and the places of the file, which a
server never asks for.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import fields, replace
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, Final

from router.config.loading import Loaded
from router.config.sources import Sources
from router.hooks.discovery import discover

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from router.config.loading import Attempt
    from router.hooks.discovery import FoundPlugin
    from router.hooks.host import PluginHost

_BOUND: Final = frozenset({"plugins", "available", "sources", "tests"})
"""The parts of a Loaded that cannot leave their process, or are of no use elsewhere."""

_PIECE: Final = 4
"""Tools in one piece: some forty intents are unpacked in less than a millisecond."""


def read_only(mapping: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    """Make a mapping read-only again at the end of its way."""
    return MappingProxyType(mapping)


class _Pickler(pickle.Pickler):
    """Knows read-only mappings, which routes are full of."""

    def reducer_override(self, value: Any) -> Any:
        return (read_only, (dict(value),)) if isinstance(value, MappingProxyType) else NotImplemented


def pack(attempt: Attempt) -> Iterator[bytes]:
    """Take an attempt apart; one that has loaded nothing is a single piece."""
    loaded = attempt.loaded
    parts: dict[str, Any] | None = None
    tools: list[tuple[str, Any]] = []
    if loaded is not None:
        parts = {each.name: getattr(loaded, each.name) for each in fields(Loaded) if each.name not in _BOUND}
        parts["routes"] = replace(loaded.routes, tools={})
        tools = list(loaded.routes.tools.items())
    pieces = [tools[start : start + _PIECE] for start in range(0, len(tools), _PIECE)]
    yield pickled((replace(attempt, loaded=None, read={}), parts, len(pieces)))
    for piece in pieces:
        yield pickled(piece)


def unpack(
    file: IO[bytes],
    plugins_dirs: Sequence[Path],
    make_host: Callable[[Iterable[FoundPlugin]], PluginHost],
    rest: Callable[[], None],
) -> Attempt:
    """Put an attempt together again, and load its plugins from the very sources that it was tried with.

    Between two pieces it ``rest``s. Raises EOFError or UnpicklingError where not all of it arrives, and KeyError for a
    plugin that could be loaded there and cannot be here.
    """
    tried: Attempt
    tried, parts, pieces = pickle.load(file)  # noqa: S301 - from a process that we started ourselves
    if parts is None:
        return tried
    tools: dict[str, Any] = {}
    for _ in range(pieces):
        rest()
        tools.update(pickle.load(file))  # noqa: S301 - as above
    found = discover(plugins_dirs, parts["own"]).plugins
    host = make_host([found[use.name] for use, _place in parts["switched_on"]])
    host.targets([use for use, _place in parts["switched_on"]])
    parts["routes"] = replace(parts["routes"], tools=MappingProxyType(tools))
    return replace(tried, loaded=Loaded(**parts, plugins=host, available=found, sources=Sources.nowhere()))


def pickled(piece: Any) -> bytes:
    """Write a value for another process of ours; read-only mappings may be within it."""
    file = io.BytesIO()
    _Pickler(file, pickle.HIGHEST_PROTOCOL).dump(piece)
    return file.getvalue()
