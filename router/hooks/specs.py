"""The hooks that a plugin may implement: when each runs, what it may answer, and what its failure does.

An implementation is marked ``@hookimpl``, takes only the arguments that it needs, and may be ``def`` or ``async def``.
``config`` is the plugin's own, merged for the route, read-only; ``twilio`` makes any request to Twilio. What a failure
(an exception, no answer before the deadline, an answer of a wrong type or size) does is decided by the hook's kind,
never by the plugin. Where a hook runs without its call, ``handover.identity`` is masked and ``inputs`` are empty.
"""

from __future__ import annotations

import inspect
import sys
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import pluggy

from router.hooks.markers import PROJECT, hookspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from router.model.call import ToolCall
    from router.model.handover import Handover
    from router.model.outcome import Outcome
    from router.model.routes import Routes, Tool
    from router.model.target import Target
    from router.model.twilio import Twilio


class Kind(StrEnum):
    """What a hook may do to a handover, and so what its failure does."""

    DESCRIPTION = "description"
    """Called once, while plugins are looked for. Its failure is a fault of the configuration."""
    LIFECYCLE = "lifecycle"
    """Called once, before the configuration goes live. Its failure is a fault of the configuration."""
    GUARD = "guard"
    """May stop or redirect a handover. Its failure stops the handover, or is skipped with ``on_error: continue``."""
    CONTRIBUTOR = "contributor"
    """Gives data. Its failure stops the handover, or its data is left out with ``on_error: continue``."""
    OBSERVER = "observer"
    """Is told what happened. Its failure is logged and counted, and never felt."""


@hookspec
def plugin_info() -> Mapping[str, Any]:  # type: ignore[empty-body]  # a spec has no body
    """Describe the plugin. Kind: description; called once, at load.

    All keys may be left out: ``name`` (text, for people; routes.yaml uses the name of the file or entry point),
    ``version`` (text), ``config_schema`` (a JSON Schema, draft 2020-12, that the plugin's config is checked against),
    ``api`` (the plugin API it was written for), ``blocking`` (true: its plain ``def`` hooks run in a thread each) and
    ``background`` (true, or a list of observers: they run after the answer, at least once, also after a restart). An
    exception, another key or a wrong value: the plugin is not loaded, and the check says why.
    """


@hookspec
def register_targets(config: Mapping[str, Any]) -> Mapping[str, Target] | None:
    """Give other things to hand over to than flows. Kind: description; called once, at load: no file, no network.

    The answer maps at most 100 names to objects whose class is a ``router.Target`` (docs/plugins/targets.md); such a
    name may stand wherever ``flow`` may name a flow. ``config`` is that of the plugin's entry in ``plugins``. A
    failure, or a name that another plugin or ``flows`` gives too, is a fault of the configuration.
    """


@hookspec
def started(config: Mapping[str, Any], twilio: Twilio) -> None:
    """Get ready: open what the plugin needs. Kind: lifecycle; one after the other, before the first call.

    ``config`` is that of the plugin's entry in ``plugins``, without what routes lay over it. A failure, or no end
    within ten seconds, is a fault of the configuration: at start the server ends, at a reload all stays as it was. A
    reload starts the new plugins before the old ones are stopped.
    """


@hookspec
def register_endpoints(config: Mapping[str, Any]) -> Sequence[Any] | None:
    """Give endpoints of the plugin's own. Kind: lifecycle; one after the other, once all plugins have started.

    The answer is a list of at most 100 Starlette routes, served below ``/plugins/NAME/`` while the configuration is in
    use. They prove their callers themselves: what ``auth`` says is for tools alone. A failure is one of the start; an
    endpoint that raises is answered with 500, logged and counted.
    """


@hookspec
def choose_intent(call: ToolCall, tool: Tool, config: Mapping[str, Any]) -> str | None:
    """Choose the intent of a call. Kind: contributor; one after the other, until one answers.

    It is asked for tools that have intents, and goes before what the inputs name. The answer is the name or an alias
    of an intent of ``tool``; ``None`` leaves it to the next, and at last to the inputs. A failure ends the call, and
    nothing was touched (``on_error: stop``), or is skipped (``continue``).
    """


@hookspec
def before_swap(handover: Handover, config: Mapping[str, Any], twilio: Twilio) -> Handover | None:
    """Look at a handover before anything is read or changed at Twilio. Kind: guard; one after the other.

    ``None`` lets it pass; ``handover.replace(flow=…, message=…)`` sends it elsewhere, and the next guard sees that;
    ``raise Decline("…")`` ends it with that sentence for the model. It runs for a dry run too. A failure stops the
    handover (``on_error: stop``) or is skipped (``continue``).
    """


@hookspec
def add_attributes(handover: Handover, config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Give what is to stand in the conversation's attributes before the flow starts. Kind: contributor; side by side.

    The answer maps names to JSON values, 16 KiB at the most; the flow reads them (docs/twilio.md, FLOW-ATTRIBUTES). A
    name that an earlier plugin gave is a failure of the later one, and the reason names both. A failure stops the
    handover (``on_error: stop``) or its data is left out (``continue``).
    """


@hookspec
def around_swap(  # type: ignore[empty-body]  # a spec has no body
    handover: Handover, config: Mapping[str, Any], twilio: Twilio
) -> AbstractAsyncContextManager[Any]:
    """Give an async context manager around what is written at Twilio. Kind: guard; entered one after the other.

    It is entered right before the first write, and left, the last one first, when the flow answers or the swap failed:
    then it sees the exception, and cannot swallow it. It is not entered for a dry run, nor where the flow answers
    already. A failing entry stops the handover (``on_error: stop``) or is skipped (``continue``), and may ``raise
    Decline("…")``; a failure on leaving is logged and counted, and never felt.
    """


@hookspec
def after_swap(handover: Handover, outcome: Outcome, config: Mapping[str, Any], twilio: Twilio) -> None:
    """Hear that the flow answers now: ``handed_over`` or ``already_handed_over``. Kind: observer; side by side.

    It does not run for a dry run, which changes nothing. A failure is logged and counted, and never felt; so is
    an answer, which nobody would read.
    """


@hookspec
def swap_failed(handover: Handover, error: Exception, config: Mapping[str, Any], twilio: Twilio) -> None:
    """Hear that a swap did not work, and which ``error`` ended it. Kind: observer; side by side.

    A failure is logged and counted, and never felt; so is an answer, which nobody would read.
    """


@hookspec
def before_hand_back(handover: Handover, config: Mapping[str, Any], twilio: Twilio) -> None:
    """Look at a conversation before it goes back to the agent. Kind: guard; one after the other.

    ``raise Decline("…")`` refuses: the flow is answered with 409 and that sentence, and goes on. Any other failure is
    logged and counted, and stops nothing, whatever ``on_error`` says: a flow that is about to end must not leave the
    customer alone.
    """


@hookspec
def after_hand_back(handover: Handover, config: Mapping[str, Any], twilio: Twilio) -> None:
    """Hear that the agent answers again. Kind: observer; side by side.

    A failure is logged and counted, and never felt; so is an answer, which nobody would read.
    """


@hookspec
def routes_reloaded(old: Routes, new: Routes) -> None:
    """Hear that other routes are in use from now on. Kind: observer; side by side.

    It is told to the plugins of the new configuration. A failure is logged and counted, and never felt.
    """


@hookspec
def stopped(config: Mapping[str, Any], twilio: Twilio) -> None:
    """Close what ``started`` opened. Kind: observer; in the order opposite to that of ``started``.

    It comes when the last handover that uses the plugin has ended: after a reload, and when the server stops. A
    failure is logged and counted, and never felt.
    """


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "plugin_info": Kind.DESCRIPTION,
        "register_targets": Kind.DESCRIPTION,
        "started": Kind.LIFECYCLE,
        "register_endpoints": Kind.LIFECYCLE,
        "choose_intent": Kind.CONTRIBUTOR,
        "before_swap": Kind.GUARD,
        "add_attributes": Kind.CONTRIBUTOR,
        "around_swap": Kind.GUARD,
        "after_swap": Kind.OBSERVER,
        "swap_failed": Kind.OBSERVER,
        "before_hand_back": Kind.GUARD,
        "after_hand_back": Kind.OBSERVER,
        "routes_reloaded": Kind.OBSERVER,
        "stopped": Kind.OBSERVER,
    }
)
"""Every hook and its kind, in the order of a plugin's life."""

ARGUMENTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {hook: tuple(inspect.signature(globals()[hook]).parameters) for hook in KINDS}
)
"""Every hook and the names of the arguments that an implementation may ask for."""


BACKGROUND: Final = ("after_swap", "swap_failed", "after_hand_back")
"""The observers of one handover: a plugin may have them run in the background."""

API: Final = 1
"""The version of all this: it changes when a plugin must."""


def new_manager() -> pluggy.PluginManager:
    """Make a manager that knows these hooks and no plugin yet: one for each app, none for the process."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(sys.modules[__name__])
    return manager
