"""A file once it is read: plain data, and beside it where each key and each value of it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from router.model.place import Place

Trail: TypeAlias = tuple[str | int, ...]
"""The way to a value: the keys and indices from the root to it. The root's is empty."""

ROOT: Final[Trail] = ()


class Origin(NamedTuple):
    """Where a text came from that the file only refers to: it is told by its reference, its value never shown.

    ``is_default`` says that nothing was found and the reference's own default stands in.
    """

    reference: str
    is_default: bool = False


@dataclass(slots=True)
class Document:
    """What was read so far; each step of loading adds to it.

    ``spoilt`` holds the trails whose fault is already told: what stands there is not judged again. ``unfinished`` are
    mappings and lists of which a part could not be read: what they lack may stand there.
    """

    data: Any
    start: Place
    keys: dict[Trail, Place] = field(default_factory=dict)
    values: dict[Trail, Place] = field(default_factory=dict)
    origins: dict[Trail, Origin] = field(default_factory=dict)
    spoilt: set[Trail] = field(default_factory=set)
    unfinished: set[Trail] = field(default_factory=set)
    _around: tuple[int, set[Trail]] = field(default_factory=lambda: (0, set()), repr=False)

    def key(self, trail: Trail) -> Place:
        """Give the place of the key that ``trail`` ends in; of the value where that is an item of a list."""
        return self.keys.get(trail) or self.value(trail)

    def value(self, trail: Trail) -> Place:
        """Give the place of the value, or of the nearest one around it that stands in a file."""
        for length in range(len(trail), -1, -1):
            place = self.values.get(trail[:length])
            if place is not None:
                return place
        return self.start

    def is_spoilt(self, trail: Trail) -> bool:
        """Say whether a fault of this value, or of one around it, is already told."""
        return any(trail[:length] in self.spoilt for length in range(len(trail) + 1))

    def hides_fault(self, trail: Trail) -> bool:
        """Say whether a fault of this value, or of one within it, is already told."""
        if self._around[0] != len(self.spoilt):  # it only grows
            around = {spoilt[:length] for spoilt in self.spoilt for length in range(len(spoilt) + 1)}
            self._around = (len(self.spoilt), around)
        return trail in self._around[1]

    def may_lack(self, trail: Trail) -> bool:
        """Say whether something may stand at ``trail`` in a part of the file that could not be read."""
        while trail and not has(self.data, trail):
            trail = trail[:-1]
        return trail in self.unfinished


def at(data: Any, trail: Trail) -> Any:
    """Give what stands at ``trail``; raises LookupError or TypeError where nothing does."""
    for step in trail:
        data = data[step]
    return data


def has(data: Any, trail: Trail) -> bool:
    """Say whether anything stands at ``trail``."""
    try:
        at(data, trail)
    except (LookupError, TypeError):
        return False
    return True


def trails_in(data: Any, here: Trail = ROOT) -> Iterator[Trail]:
    """Yield the trail of every value within ``data``, not of ``data`` itself; each before those within it."""
    waiting: list[tuple[Trail, Any]] = [(here, data)]
    while waiting:
        around, outer = waiting.pop()
        items: Iterable[tuple[str | int, Any]] = ()
        if isinstance(outer, dict):
            items = outer.items()
        elif isinstance(outer, list):
            items = enumerate(outer)
        for step, value in items:
            trail = (*around, step)
            yield trail
            if isinstance(value, dict | list):
                waiting.append((trail, value))


def without(data: Any, trails: set[Trail], here: Trail = ROOT) -> Any:
    """Copy ``data`` without what stands at ``trails``: keys are left out, items of lists become None."""
    if isinstance(data, dict):
        kept = {key: value for key, value in data.items() if (*here, key) not in trails}
        return {key: without(value, trails, (*here, key)) for key, value in kept.items()}
    if isinstance(data, list):
        return [
            None if (*here, index) in trails else without(value, trails, (*here, index))
            for index, value in enumerate(data)
        ]
    return data
