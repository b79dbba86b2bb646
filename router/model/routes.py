"""What ``routes.yaml`` means once it is loaded: tools, their intents, and the route that each of them takes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self

from router.model.messages import Messages
from router.model.webhook import AgentWebhooks

if TYPE_CHECKING:
    from collections.abc import Mapping

_IGNORED: Final = re.compile(r"[\s_-]+")


class Replay(StrEnum):
    """What the flow is given of what was said before it took over (docs/twilio.md, REPLAY)."""

    NONE = "none"
    LAST_MESSAGE = "last_message"


class OnError(StrEnum):
    """What a guard's or a contributor's crash does to the handover."""

    STOP = "stop"
    CONTINUE = "continue"


class AuthKind(StrEnum):
    """How a caller may prove itself."""

    TWILIO_SIGNATURE = "twilio_signature"
    SECRET = "secret"  # noqa: S105 - the name of a method, not a secret


@dataclass(frozen=True, slots=True)
class AuthMethod:
    """One entry of ``auth``; a call passes if one of them passes. ``secret`` never shows in a ``repr``."""

    kind: AuthKind
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class PluginUse:
    """A plugin as one route uses it: its own name, its config merged for this route, and what its crash does."""

    name: str
    config: Mapping[str, Any] = field(default_factory=dict)
    on_error: OnError = OnError.STOP


@dataclass(frozen=True, slots=True)
class Limits:
    """What keeps an agent that calls again and again from handing a conversation to and fro.

    At most ``handovers_per_hour`` of one conversation; within ``repeat_window`` seconds another call of the same tool,
    intent and flow in the same conversation is the same call.
    """

    handovers_per_hour: int = 10
    repeat_window: float = 60.0

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Take the limits that are given and our own for the rest."""
        return cls(**_as_wanted(given, cls()))


@dataclass(frozen=True, slots=True)
class HandBack:
    """How a flow gives a conversation back: for how many seconds its execution is waited for, and who ends it then.

    Where ``end_execution`` we do, else it is left to itself.
    """

    within: float = 60.0
    end_execution: bool = False

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Take what is given and our own for the rest."""
        return cls(**_as_wanted(given, cls()))


@dataclass(frozen=True, slots=True)
class Route:
    """Where a handover goes and how. ``flow`` is empty where only the tool's URL can name one."""

    flow: str = ""
    replay: Replay = Replay.NONE
    dry_run: bool = False
    limits: Limits = Limits()
    hand_back: HandBack = HandBack()
    messages: Messages = Messages()
    plugins: tuple[PluginUse, ...] = ()


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing that a customer can want of a tool."""

    name: str
    route: Route
    description: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool of the agent: one path of ours. Without ``intents`` its own ``route`` is taken.

    ``route`` is also what refusals of this tool take their sentences from. ``query`` lists what the tool's URL may set.
    A tool that is ``out_of_order`` stands in a file with faults: it hands nothing over.
    """

    path: str
    route: Route
    name: str = ""
    description: str = ""
    intent_input: str = "intent"
    intents: Mapping[str, Intent] = field(default_factory=dict)
    fallback: str = ""
    query: frozenset[str] = frozenset()
    out_of_order: bool = False
    _by_wording: Mapping[str, Intent] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        wordings = {
            normalised(wording): intent
            for intent in self.intents.values()
            for wording in (*intent.aliases, intent.name)
        }
        object.__setattr__(self, "_by_wording", MappingProxyType(wordings))

    def find(self, wording: str) -> Intent | None:
        """Find the intent that ``wording`` names, by name or alias, without regard to case, space, ``-`` and ``_``."""
        return self._by_wording.get(wording) or self._by_wording.get(normalised(wording))


@dataclass(frozen=True, slots=True)
class Routes:
    """A whole configuration. ``flows`` maps alias to Flow SID and is also the allow-list of calls and plugins.

    A route may have a flow that is not listed: it is that route's alone.
    ``targets`` names what can be handed over to besides flows, and the plugin that each is of.
    """

    tools: Mapping[str, Tool]
    flows: Mapping[str, str]
    auth: tuple[AuthMethod, ...]
    agent_webhooks: AgentWebhooks = AgentWebhooks()
    digest: str = ""
    targets: Mapping[str, str] = field(default_factory=dict)

    def flow_sid(self, flow: str) -> str | None:
        """Give the Flow SID for an alias or a listed SID, and a target for itself; None for everything else."""
        return self.flows.get(flow) or (flow if flow in self.flows.values() or flow in self.targets else None)

    def flow_alias(self, sid: str) -> str:
        """Give the first alias of a Flow SID, or the SID itself where it has none."""
        return next((alias for alias, listed in self.flows.items() if listed == sid), sid)


def normalised(wording: str) -> str:
    """Fold what intents are compared without: case, space, ``-`` and ``_``."""
    return _IGNORED.sub("", wording).casefold()


def _as_wanted(given: Mapping[str, Any], builtin: Limits | HandBack) -> dict[str, Any]:
    """Give each value the type of ours: a file may have 10.0 for a whole number, and 60 for any."""
    return {key: type(getattr(builtin, key))(value) for key, value in given.items()}
