"""Which calls a hook means for a route: worked out once, and none for what the route does not use."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from router import Outcome
from router.hooks.calls import Call
from router.hooks.host import PluginFailed
from router.hooks.specs import KINDS
from router.model.call import ToolCall
from router.model.routes import Intent, Route, Tool
from tests.hooks.kit import HANDOVER, LISTED, TWILIO, bench, use

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from router.hooks.host import PluginHost
    from router.model.routes import PluginUse

PLUGIN = """
from contextlib import asynccontextmanager

@hookimpl
def choose_intent(): ...

@hookimpl
def before_swap(): ...

@hookimpl
def add_attributes(): ...

@hookimpl
@asynccontextmanager
async def around_swap():
    yield

@hookimpl
def after_swap(): ...

@hookimpl
def swap_failed(): ...

@hookimpl
def before_hand_back(): ...

@hookimpl
def after_hand_back(): ...
"""
HOOKS = [hook for hook in KINDS if f"def {hook}(" in PLUGIN]
TOOL = Tool("/tools/support", Route(), intents={"refund": Intent("refund", Route())})


async def ask(host: PluginHost, uses: Sequence[PluginUse]) -> None:
    """Ask every hook that a handover and its way back can reach."""
    await host.choose_intent(ToolCall(TOOL.path, "ai_assistants"), TOOL, uses)
    await host.before_swap(HANDOVER, uses, LISTED.get, TWILIO)
    await host.add_attributes(HANDOVER, uses)
    async with host.around_swap(HANDOVER, uses, TWILIO):
        pass
    await host.after_swap(HANDOVER, Outcome.HANDED_OVER, uses, TWILIO)
    await host.swap_failed(HANDOVER, ValueError(), uses, TWILIO)
    await host.before_hand_back(HANDOVER, uses, TWILIO)
    await host.after_hand_back(HANDOVER, uses, TWILIO)


@pytest.mark.parametrize("names", ["", "b", "ca"])
async def test_a_route_pays_only_for_the_plugins_that_it_uses(tmp_path: Path, names: str) -> None:
    """Of those that are switched on its own are called, once a hook and once more on leaving; without any, nobody."""
    made = bench(tmp_path, a=PLUGIN, b=PLUGIN, c=PLUGIN)
    await ask(made.host, tuple(use(name) for name in names))
    called = {key: figures.calls for key, figures in made.host.figures.items()}
    assert called == {(name, hook): 1 + (hook == "around_swap") for name in names for hook in HOOKS}
    assert made.reports == []


async def test_the_calls_of_a_route_are_worked_out_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is taken; and those of another route, which may use a plugin in another way, apart from it."""
    made = bench(tmp_path, a=PLUGIN, b=PLUGIN, off=PLUGIN)
    worked_out: list[tuple[PluginUse, str]] = []
    of = Call.of

    def noted(impl: Any, hook: str, used: PluginUse, plugin: Any) -> Call:
        worked_out.append((used, hook))
        return of(impl, hook, used, plugin)

    monkeypatch.setattr(Call, "of", noted)
    first, second = (use("a"), use("b")), (use("a", key="own"),)
    for uses in (first, second, first, second, first):
        await ask(made.host, uses)
    expected = [(used, hook) for uses in (first, second) for hook in HOOKS for used in uses]
    assert worked_out == expected


TAMPERING = """
@hookimpl
def before_swap(handover, config):
    handover.inputs["order_id"] = "B-18"
    handover.inputs["lines"].append(1)
    config["names"].append("b")
    object.__setattr__(handover, "flow", "FWelse")
    object.__setattr__(handover, "conversation", "CHelse")
    return {answer}

@hookimpl
def choose_intent(call):
    call.body_inputs["lines"].append(1)
"""


async def test_what_a_plugin_does_to_what_it_got_is_not_felt(tmp_path: Path) -> None:
    """Each call has a handover, a tool call and a config of its own: no other plugin feels it, nor the router."""
    given = replace(HANDOVER, inputs={"order_id": "A-17", "lines": [{"no": 1}]})
    call = ToolCall("/tools/support", "ai_assistants", body_inputs={"lines": [1]})
    told = """
    @hookimpl
    def before_swap(handover, config):
        return handover.replace(message=f"{handover.flow} {handover.conversation} {handover.inputs}")
    """
    made = bench(tmp_path, a=TAMPERING.format(answer="None"), b=told)
    uses = (use("a", names=["a"]), use("b"))
    seen = await made.host.before_swap(given, uses, LISTED.get, TWILIO)
    assert seen == given.replace(message=f"{given.flow} {given.conversation} {given.inputs}")
    assert given.inputs == {"order_id": "A-17", "lines": [{"no": 1}]}
    assert uses[0].config == {"names": ["a"]}
    await made.host.choose_intent(call, Tool("/tools/support", Route()), uses)
    assert call.body_inputs == {"lines": [1]}
    assert made.reports == []


async def test_a_handover_that_was_tampered_with_is_no_answer(tmp_path: Path) -> None:
    """A guard that gives back what it changed behind our back has failed, and sends nobody elsewhere."""
    made = bench(tmp_path, a=TAMPERING.format(answer="handover"))
    given = replace(HANDOVER, inputs={"lines": []})
    with pytest.raises(PluginFailed, match="returned a handover that differs in more than flow and message"):
        await made.host.before_swap(given, (use("a", names=[]),), LISTED.get, TWILIO)
