"""A router with a plugin that has every hook: the pages say which of them are called, and in which order."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from router.config import load
from router.hooks.specs import ARGUMENTS, KINDS
from router.rehearsal.rehearsal import rehearse
from router.testing import open_kit
from tests.hooks.pages import INDEX, blocks, page_of, rows

if TYPE_CHECKING:
    from pathlib import Path

    from router.testing import Kit

ROUTES: Final = """
version: 1
flows: {refunds: FW00000000000000000000000000000001}
auth: [twilio_signature]
assistant_webhooks: ["https://*.twil.io/channels/conversations/messageAdded*"]
plugins: [use: diary]
tools:
  /tools/support:
    intents: {refund: {flow: refunds}}
  /tools/trial:
    dry_run: true
    intents: {refund: {flow: refunds}}
tests:
  - {name: a refund, call: {tool: /tools/support, body: {intent: refund}}, expect: {outcome: handed_over}}
"""
HEADER: Final = "from contextlib import nullcontext\nfrom router import hookimpl\n"
ANSWERS: Final = {"plugin_info": "{}", "around_swap": "nullcontext()"}
HOOK: Final = """
@hookimpl
def {hook}({arguments}):
    print("{hook}")
    return {answer}
"""
LIFE: Final = next(block for block in blocks("text", INDEX) if "choose_intent" in block)
IN_ORDER: Final = list(dict.fromkeys(re.findall(r"^ +\|  (\w+)  ", LIFE, re.MULTILINE)))
NOT_HERE: Final = {"plugin_info", "register_targets", "routes_reloaded", "swap_failed"}
"""What the kit does not note, as it comes at load, and what a first configuration and a success do not meet."""


@pytest.fixture
def diary(tmp_path: Path) -> Path:
    """A plugin that has every hook, and prints what is called."""
    path = tmp_path / "plugins" / "diary.py"
    path.parent.mkdir()
    source = [
        HOOK.format(hook=hook, arguments=", ".join(arguments), answer=ANSWERS.get(hook, "None"))
        for hook, arguments in ARGUMENTS.items()
    ]
    path.write_text(HEADER + "".join(source), encoding="utf-8")
    return path


def those_that_run(where: str) -> set[str]:
    """Name the hooks whose pages say ``yes`` in the row ``where``."""
    told = {hook: rows(page_of(hook)).get(where, [""])[0] for hook in KINDS}
    return {hook for hook, text in told.items() if text.startswith("yes")}


def called(kit: Kit) -> list[str]:
    """List the hooks that were called since the last look."""
    hooks = [call.hook for call in kit.hook_calls]
    kit.hook_calls.clear()
    return hooks


def test_the_drawing_is_the_order_of_the_calls(tmp_path: Path, diary: Path) -> None:
    """A server starts, hands over and back, and stops: each hook comes in its turn, once."""
    with open_kit(tmp_path) as kit:
        app = kit.new_app(ROUTES, [diary])
        conversation = kit.sandbox.open_conversation()
        assert app.call_tool("/tools/support", conversation, {"intent": "refund"}).outcome == "handed_over"
        app.settle()
        app.hand_back(conversation)
        app.settle()
    hooks = called(kit)
    assert hooks == [hook for hook in IN_ORDER if hook in hooks]
    assert set(IN_ORDER) == set(KINDS)
    assert set(hooks) >= set(KINDS) - NOT_HERE


def test_a_reload_tells_the_new_plugins_and_stops_the_old(handover_kit: Kit, diary: Path) -> None:
    """Other routes are in use: nothing else is told, and the order is that of the drawing."""
    app = handover_kit.new_app(ROUTES, [diary])
    first = called(handover_kit)
    assert app.reload(ROUTES.replace("/tools/trial", "/tools/other")).status == 200
    app.settle()
    assert called(handover_kit) == [*first, "routes_reloaded", "stopped"]


def test_a_swap_that_fails_is_told_instead_of_what_had_not_happened(handover_kit: Kit, diary: Path) -> None:
    """The line of swap_failed: Twilio refuses the write, so around_swap was entered, and after_swap does not come."""
    app = handover_kit.new_app(ROUTES, [diary])
    called(handover_kit)
    handover_kit.sandbox.fail("refused", method="POST", path="*/Webhooks")
    answer = app.call_tool("/tools/support", handover_kit.sandbox.open_conversation(), {"intent": "refund"})
    app.settle()
    assert answer.outcome == "failed"
    assert called(handover_kit) == ["choose_intent", "before_swap", "add_attributes", "around_swap", "swap_failed"]


def test_the_pages_say_what_runs_in_a_dry_run(handover_kit: Kit, diary: Path) -> None:
    """What is called, be it that the dry run works or that it fails, is what their row says."""
    app = handover_kit.new_app(ROUTES, [diary])
    called(handover_kit)
    conversation = handover_kit.sandbox.open_conversation()
    assert app.call_tool("/tools/trial", conversation, {"intent": "refund"}).outcome == "dry_run"
    handover_kit.sandbox.fail("refused", path="*/Webhooks")
    assert app.call_tool("/tools/trial", conversation, {"intent": "refund"}).outcome == "failed"
    app.settle()
    assert set(called(handover_kit)) == those_that_run("In a dry run")


@pytest.mark.usefixtures("diary")
async def test_the_pages_say_what_runs_in_tests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a rehearsal calls is what their row says."""
    (tmp_path / "routes.yaml").write_text(ROUTES, encoding="utf-8")
    found = load(tmp_path / "routes.yaml", environ={})
    capsys.readouterr()  # what is called at load is another matter
    report = await rehearse(found)
    assert [result.failures for result in report.results] == [()]
    assert set(capsys.readouterr().out.split()) == those_that_run("In tests of `routes.yaml`")
