"""A test of ``routes.yaml``: a call, the time at which it comes, and what must come of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.model.place import Place

USUAL_TIME: Final = datetime(2026, 1, 5, 12, tzinfo=UTC)
"""When a call comes that says nothing of it: a Monday at noon, so that no test fails in the night alone."""


class PluginFaults(StrEnum):
    """What a plugin's failure does to a test."""

    FAIL = "fail"
    IGNORE = "ignore"


class Subject(StrEnum):
    """What can be expected of a call."""

    OUTCOME = "outcome"
    FLOW = "flow"
    SAYS = "says"
    ATTRIBUTES = "attributes"


@dataclass(frozen=True, slots=True)
class MadeUpCall:
    """A call as the agent would make it. ``session`` is empty where the conversation is to be made up too."""

    tool: str
    method: str = "POST"
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    identity: str = field(default="", repr=False)
    session: str = ""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One thing that must hold, and where it stands.

    ``path`` leads to a value within the attributes and is empty for every other subject. ``shown`` is ``wanted`` for a
    report: what came from the environment only by its name.
    """

    subject: Subject
    wanted: Any
    shown: str
    place: Place
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RouteTest:
    """One entry of ``tests``; ``at`` is in UTC."""

    name: str
    call: MadeUpCall
    expectations: tuple[Expectation, ...]
    place: Place
    at: datetime = USUAL_TIME
    plugin_faults: PluginFaults = PluginFaults.FAIL
