"""A small interpreter for exported Studio Flow definitions: pure, one message in, one ``Step`` out.

It plays the widgets ``trigger``, ``send-message``, ``send-and-wait-for-reply``, ``split-based-on``, ``set-variables``
and ``make-http-request``: there a step stops, and goes on with the answer. In texts it fills ``{{a.b.c}}``, a plain
dotted look-up; filters and tags of Liquid it does not know.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from router.sandbox import http_widget
from router.sandbox.variables import extend, fill

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from router.sandbox.exchange import Reply, Request

REQUEST_EVENT: Final = "incomingRequest"
LONGEST_RUN: Final = 1000
"""So many widgets one message may pass; a flow that circles for ever is ended."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands: the widget that waits, and every variable that a text may use.

    It waits for the answer to ``request``, or where that is None for a message.
    """

    waiting_at: str
    variables: Mapping[str, Any]
    request: Request | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What one message brought about: the progress after it, the texts to send, and whether the run has ended."""

    progress: Progress
    texts: tuple[str, ...]
    ended: bool


def check(name: str, definition: Mapping[str, Any]) -> None:
    """Raise ValueError where the interpreter cannot play ``definition``: what stands where, and what it knows."""
    states = definition.get("states")
    if not isinstance(states, list) or not states:
        raise ValueError(f"flow {name}: expected an exported Studio Flow with a list 'states', found {states!r:.60}")
    start = definition.get("initial_state")
    names = {state["name"] for state in states}
    if start not in names:
        raise ValueError(f"flow {name}: 'initial_state' is {start!r}, which is not in 'states'")
    for state in states:
        here = f"flow {name}: the widget {state['name']!r}"
        if state["type"] not in {"trigger", *_WIDGETS}:
            known = ", ".join(("trigger", *_WIDGETS))
            raise ValueError(f"{here} is of type {state['type']!r}, which the sandbox does not know; it knows {known}")
        if state["type"] == http_widget.TYPE:
            http_widget.check(here, state["properties"])
        for transition in state["transitions"]:
            if "next" in transition and transition["next"] not in names - {start}:
                raise ValueError(f"{here} leads to {transition['next']!r}, which is no widget after the trigger")
            for condition in transition.get("conditions", ()):
                if condition["type"] not in _COMPARISONS:
                    known = ", ".join(_COMPARISONS)
                    raise ValueError(f"{here} compares by {condition['type']!r}; the sandbox compares by {known}")


def starts_from(definition: Mapping[str, Any], event: str) -> bool:
    """Say whether the trigger leads anywhere on ``event``."""
    return bool(_next(_state(definition, definition["initial_state"]), event))


def begin(definition: Mapping[str, Any], event: str, variables: Mapping[str, Any]) -> Step:
    """Start a run: ``variables`` hold ``trigger``, ``flow`` and ``contact``, a snapshot of this moment."""
    return _run(definition, _next(_state(definition, definition["initial_state"]), event), variables)


def go_on(definition: Mapping[str, Any], progress: Progress, inbound: Mapping[str, Any]) -> Step:
    """Give the reply ``inbound`` (``Body`` and the like) to the widget that waits for it."""
    variables = extend(progress.variables, "widgets", progress.waiting_at, {"inbound": inbound})
    return _run(definition, _next(_state(definition, progress.waiting_at), "incomingMessage"), variables)


def take_answer(definition: Mapping[str, Any], progress: Progress, reply: Reply) -> Step:
    """Give the answer to its request to the widget that waits for it."""
    variables = extend(progress.variables, "widgets", progress.waiting_at, http_widget.variables_of(reply))
    return _run(definition, _next(_state(definition, progress.waiting_at), http_widget.event_of(reply)), variables)


@dataclass(frozen=True, slots=True)
class _Played:
    """What one widget did: the text that it sends, if any, and the widget after it: "" is the end, None a wait."""

    then: str | None
    variables: Mapping[str, Any]
    text: str | None = None
    request: Request | None = None


def _run(definition: Mapping[str, Any], first: str, variables: Mapping[str, Any]) -> Step:
    texts: list[str] = []
    here = first
    for _ in range(LONGEST_RUN):
        if not here:
            break
        state = _state(definition, here)
        played = _WIDGETS[state["type"]](state, variables)
        variables = played.variables
        if played.text is not None:
            texts.append(played.text)
        if played.then is None:
            return Step(Progress(here, variables, played.request), tuple(texts), ended=False)
        here = played.then
    return Step(Progress("", variables), tuple(texts), ended=True)


def _send(state: Mapping[str, Any], variables: Mapping[str, Any]) -> _Played:
    return _Played(_next(state, "sent"), variables, fill(state["properties"]["body"], variables))


def _send_and_wait(state: Mapping[str, Any], variables: Mapping[str, Any]) -> _Played:
    return _Played(None, variables, fill(state["properties"]["body"], variables))


def _set_variables(state: Mapping[str, Any], variables: Mapping[str, Any]) -> _Played:
    for entry in state["properties"]["variables"]:
        variables = extend(variables, "flow", "variables", {entry["key"]: fill(entry["value"], variables)})
    return _Played(_next(state, "next"), variables)


def _make_request(state: Mapping[str, Any], variables: Mapping[str, Any]) -> _Played:
    return _Played(None, variables, request=http_widget.request_of(state["properties"], variables))


def _split(state: Mapping[str, Any], variables: Mapping[str, Any]) -> _Played:
    for transition in state["transitions"]:
        conditions = transition.get("conditions")
        if conditions and all(_holds(condition, variables) for condition in conditions):
            return _Played(transition.get("next", ""), variables)
    return _Played(_next(state, "noMatch"), variables)


_WIDGETS: Final[Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], _Played]]] = MappingProxyType(
    {
        "send-message": _send,
        "send-and-wait-for-reply": _send_and_wait,
        "set-variables": _set_variables,
        "split-based-on": _split,
        http_widget.TYPE: _make_request,
    }
)

_COMPARISONS: Final[Mapping[str, Callable[[str, str], bool]]] = MappingProxyType(
    {
        "equal_to": lambda found, wanted: found == wanted,
        "not_equal_to": lambda found, wanted: found != wanted,
        "matches_any_of": lambda found, wanted: found in [word.strip() for word in wanted.split(",")],
        "contains": lambda found, wanted: wanted in found,
        "is_blank": lambda found, _wanted: not found,
        "is_not_blank": lambda found, _wanted: bool(found),
    }
)


def _holds(condition: Mapping[str, Any], variables: Mapping[str, Any]) -> bool:
    """Compare as Studio does, without regard to case and surrounding space."""
    found = fill(condition["arguments"][0], variables).strip().casefold()
    wanted = fill(condition.get("value", ""), variables).strip().casefold()
    return _COMPARISONS[condition["type"]](found, wanted)


def _state(definition: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(state for state in definition["states"] if state["name"] == name)
    return found


def _next(state: Mapping[str, Any], event: str) -> str:
    return next((str(found.get("next", "")) for found in state["transitions"] if found["event"] == event), "")
