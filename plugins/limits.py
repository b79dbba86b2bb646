"""Lets so many handovers through in so much time, and declines the others."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from router import Decline, Handover, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SCOPES = {"per_tool": "tool", "per_caller": "caller", "per_identity": "identity"}
"""Each key of the config, and what of a handover it counts by."""

SECONDS = {"minute": 60, "hour": 3600}
MOST_KEYS = 10_000
"""Anybody can come up with identities: of more than so many, the one that was quiet for longest is forgotten."""

AHEAD = 60.0
"""Seconds by which handovers may come out of order: one that is further ahead is from before the clock was set back."""

MESSAGE = (
    "Nothing was handed over: there were too many handovers just now. "
    "Tell the customer, go on helping them yourself, and try again in some minutes."
)


@hookimpl
def plugin_info() -> dict[str, Any]:
    """Say what routes.yaml may set."""
    limit = {
        "type": "object",
        "additionalProperties": False,
        "required": ["most", "per"],
        "properties": {
            "most": {"description": "So many handovers", "type": "integer", "minimum": 1, "maximum": 1000},
            "per": {
                "description": "in so much time: a word, or seconds",
                "type": ["string", "integer"],
                "pattern": f"^({'|'.join(SECONDS)})$",
                "minimum": 1,
                "maximum": 86400,
                "x-message": "{found} is no time: write minute, hour, or seconds from 1 to 86400",
            },
        },
    }
    return {
        "name": "Limits",
        "version": "1.0",
        "config_schema": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                **{key: {"description": f"The limit for each {what}", **limit} for key, what in SCOPES.items()},
                "message": {
                    "description": "What the model is told beyond a limit: what happened, and what to do now",
                    "type": "string",
                    "pattern": r"\S",
                    "default": MESSAGE,
                },
            },
        },
    }


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``most`` handovers in ``seconds`` for one tool, caller or identity. Equal limits count together."""

    scope: str
    value: str
    most: int
    seconds: int


class Passed:
    """When the latest handovers came, for each limit: in a window that slides with the time, to the second and less."""

    def __init__(self, most_keys: int = MOST_KEYS) -> None:
        self._most_keys = most_keys
        self._times: OrderedDict[Limit, dict[str, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._times)

    def leaves_room(self, limit: Limit, handover: Handover) -> bool:
        """Say whether one more may pass; one that did pass is not one more."""
        now = handover.at.timestamp()
        times = self._times.get(limit, {})
        recent = {each for each, then in times.items() if -AHEAD <= now - then < limit.seconds}
        return len(recent) < limit.most or handover.id in recent

    def note(self, limit: Limit, handover: Handover) -> None:
        """Count it, and forget what counts no more."""
        now = handover.at.timestamp()
        known = self._times.get(limit, {})
        self._times[limit] = times = {each: then for each, then in known.items() if now - then >= -AHEAD}
        self._times.move_to_end(limit)
        times[handover.id] = now
        if len(times) > limit.most:
            del times[next(iter(times))]
        while self._has_surplus(now):
            self._times.popitem(last=False)

    def _has_surplus(self, now: float) -> bool:
        """Say whether there are too many limits, or the one that was quiet for longest was so for a whole window."""
        limit, times = next(iter(self._times.items()))
        return len(self._times) > self._most_keys or now - max(times.values()) >= limit.seconds


# A plugin's file is executed anew at each load: this belongs to one app, and a reload begins to count anew.
PASSED = Passed()


@hookimpl
def before_swap(handover: Handover, config: Mapping[str, Any]) -> None:
    """Decline a handover that is one too many for any limit; one that is declined does not count."""
    limits = list(limits_of(handover, config))
    if not all(PASSED.leaves_room(limit, handover) for limit in limits):
        raise Decline(config.get("message", MESSAGE))
    for limit in limits:
        PASSED.note(limit, handover)


def limits_of(handover: Handover, config: Mapping[str, Any]) -> Iterator[Limit]:
    """Yield the limits that hold for a handover; nobody in particular has none."""
    for scope, field in SCOPES.items():
        value = getattr(handover, field)
        if scope in config and value:
            most, per = config[scope]["most"], config[scope]["per"]
            yield Limit(scope, value, most, SECONDS.get(per, per))
