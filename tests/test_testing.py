from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

import router.testing
from router import Decline, Handover, Outcome, hookimpl
from router.testing import CallRefused, ConfigError, HookCall, HookCalls

if TYPE_CHECKING:
    from router.testing import CallTool, Kit, LeapingClock, NewApp, TwilioStandIn

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "plugins" / "testing.md").read_text("utf-8")
REFUNDS = "FW00000000000000000000000000000001"
TOOL = "/tools/refund"
ROUTES = f"""
version: 1
flows: {{refunds: {REFUNDS}}}
auth: [twilio_signature]
assistant_webhooks: ["https://*.twil.io/channels/conversations/messageAdded*"]
tools:
  {TOOL}: {{flow: refunds}}
"""
MARKS = """
from router import hookimpl

@hookimpl
def add_attributes(handover):
    return {"marked": True}
"""


def using(*names: str, routes: str = ROUTES) -> str:
    return f"{routes}plugins: [{', '.join(f'{{use: {name}}}' for name in names)}]\n"


class AskFirst:
    """A guard and an observer, both ways of writing a hook in one."""

    @hookimpl
    async def before_swap(self, handover: Handover) -> None:
        if not handover.inputs.get("order_id"):
            raise Decline("Ask for the order number.")

    @hookimpl(specname="after_swap")
    def note(self, handover: Handover, outcome: Outcome) -> None:
        """Does nothing but be called."""


@pytest.fixture
def sandbox(handover_kit: Kit) -> TwilioStandIn:
    """The kit's own, in the place of the one of this suite."""
    return handover_kit.sandbox


def answering(sandbox: TwilioStandIn, conversation: Any) -> list[str]:
    return [each.kind for each in sandbox.responders(conversation)]


def test_a_guard_declines_and_the_agent_stays(
    handover_app: NewApp, call_tool: CallTool, sandbox: TwilioStandIn
) -> None:
    """The call goes to the real app: the sentence is the plugin's, and nothing was swapped."""
    handover_app(using("ask-first"), [AskFirst])
    conversation = sandbox.open_conversation()
    answer = call_tool(TOOL, conversation)
    assert (answer.outcome, answer.message) == ("declined", "Ask for the order number.")
    assert answer.handover_id.startswith("HO")
    assert answering(sandbox, conversation) == ["agent"]
    assert sandbox.requests == []


def test_a_handover_goes_there_and_back(
    handover_app: NewApp, call_tool: CallTool, sandbox: TwilioStandIn, hook_calls: HookCalls
) -> None:
    """After ``settle`` exactly one answers, the flow and then the agent; and each hook was called once, in order."""
    app = handover_app(using("ask-first"), [AskFirst()])
    conversation = sandbox.open_conversation()
    answer = call_tool(TOOL, conversation, {"order_id": "4711"})
    app.settle()
    assert (answer.outcome, answer.flow) == ("handed_over", REFUNDS)
    assert answering(sandbox, conversation) == ["studio"]
    assert app.hand_back(conversation).handover_id == answer.handover_id
    app.settle()
    assert answering(sandbox, conversation) == ["agent"]
    assert hook_calls.names[:2] == ["ask-first.before_swap", "ask-first.after_swap"]
    assert [call.arguments["handover"].id for call in hook_calls.of(hook="after_swap")] == [answer.handover_id]
    assert hook_calls.of("ask-first", "after_swap")[0].arguments["outcome"] is Outcome.HANDED_OVER
    assert hook_calls.of("another") == []


async def test_a_test_may_be_async(handover_app: NewApp, call_tool: CallTool, sandbox: TwilioStandIn) -> None:
    """What is called plainly works within a running event loop, and beside one."""
    handover_app(using("ask-first"), [AskFirst])
    conversation = sandbox.open_conversation()
    assert call_tool(TOOL, conversation).outcome == "declined"
    answer = await asyncio.to_thread(call_tool, TOOL, conversation, {"order_id": "4711"})
    assert answer.outcome == "handed_over"


def test_the_flow_answers_the_customer(handover_app: NewApp, call_tool: CallTool, sandbox: TwilioStandIn) -> None:
    """When ``customer_says`` returns, the flow has said what it says to that."""
    app = handover_app(ROUTES)
    conversation = sandbox.open_conversation()
    call_tool(TOOL, conversation)
    app.settle()
    message = sandbox.customer_says(conversation, "My lamp is broken")
    assert conversation.messages.index(message) == 0
    assert "refunds desk" in conversation.messages[1].body


def test_a_plugin_may_be_given_in_four_ways(
    handover_app: NewApp, call_tool: CallTool, sandbox: TwilioStandIn, hook_calls: HookCalls, tmp_path: Path
) -> None:
    """As a file by its path, as a module, as a class, as an object: each under the name that its kind gives it."""
    (tmp_path / "marks.py").write_text(MARKS)
    module = ModuleType("some.package_of.seen_too")

    @hookimpl
    def after_swap(handover: Handover) -> None:
        assert handover.id

    vars(module)["after_swap"] = after_swap

    class HTMLGuard2Go:
        @hookimpl
        def before_swap(self) -> None:
            """Lets all pass."""

    app = handover_app(
        using("marks", "seen-too", "ask-first", "htmlguard2-go"),
        [tmp_path / "marks.py", module, AskFirst(), HTMLGuard2Go],
    )
    conversation = sandbox.open_conversation()
    assert call_tool(TOOL, conversation, {"order_id": "4711"}).outcome == "handed_over"
    app.settle()
    called = {"marks.add_attributes", "seen-too.after_swap", "ask-first.before_swap", "htmlguard2-go.before_swap"}
    assert called < set(hook_calls.names)
    assert '"marked":true' in conversation.attributes


def test_what_cannot_be_given_is_told(handover_app: NewApp, tmp_path: Path) -> None:
    """A file that is not there, and a second plugin of one name."""
    with pytest.raises(FileNotFoundError, match=r"gone\.py"):
        handover_app(ROUTES, [tmp_path / "gone.py"])
    with pytest.raises(FileExistsError, match=r"ask_first\.py"):
        handover_app(ROUTES, [AskFirst, AskFirst()])


def test_a_kit_leaves_nothing_behind(tmp_path: Path) -> None:
    """Without pytest it is a context manager: at its end plugins are stopped, and no module of the test is left."""
    stopped: list[str] = []

    class Closing:
        @hookimpl
        def stopped(self) -> None:
            stopped.append("closed")

    before = set(sys.modules)
    with router.testing.open_kit(tmp_path) as kit:
        kit.new_app(using("closing"), [Closing])
        assert any(name.startswith("handover_given") for name in sys.modules)
        assert stopped == []
    assert stopped == ["closed"]
    assert not any(name.startswith("handover_given") for name in set(sys.modules) - before)


def test_calls_are_noted_as_they_were_made(handover_app: NewApp, hook_calls: HookCalls) -> None:
    """A call has what its implementation asked for, and no more; what was noted can be forgotten."""

    class Ready:
        @hookimpl
        async def started(self, config: Any) -> None:
            assert config == {"size": 2}

        @staticmethod
        @hookimpl
        def routes_reloaded() -> None:
            """Takes nothing."""

    handover_app(ROUTES + "plugins: [{use: ready, config: {size: 2}}]\n", [Ready])
    assert hook_calls == [HookCall("ready", "started", {"config": {"size": 2}})]
    hook_calls.clear()
    assert hook_calls.names == []


def test_a_fault_of_twilio_reaches_the_observers(
    handover_app: NewApp, call_tool: CallTool, sandbox: TwilioStandIn, hook_calls: HookCalls
) -> None:
    """Where Twilio refuses, the answer says so, ``swap_failed`` is told, and the log has it."""

    class Listening:
        @hookimpl
        def swap_failed(self, error: Exception) -> None:
            raise RuntimeError(f"it cannot bear a {type(error).__name__}")

    app = handover_app(using("listening"), [Listening])
    conversation = sandbox.open_conversation()
    armed = sandbox.fail("refused", method="POST", path="*/Webhooks", status=403, code=20003)
    assert call_tool(TOOL, conversation).outcome == "failed"
    app.settle()
    assert armed.hits == 1
    assert "20003" in str(hook_calls.of("listening", "swap_failed")[0].arguments["error"])
    told = [line for line in app.log if line["event"] == "plugin failed"]
    assert [(line["plugin"], line["reason"].split(" (")[0]) for line in told] == [
        ("listening", "RuntimeError: it cannot bear a TwilioRefused")
    ]
    with pytest.raises(ValueError, match="no_such_kind"):
        sandbox.fail("no_such_kind")


def test_the_time_of_a_call_is_that_of_the_clock(
    handover_app: NewApp,
    call_tool: CallTool,
    sandbox: TwilioStandIn,
    hook_calls: HookCalls,
    handover_clock: LeapingClock,
) -> None:
    """A plugin that decides by ``handover.at`` can be tested at any hour; the clock never goes back."""
    handover_app(using("ask-first"), [AskFirst])
    noon = (handover_clock.now() + timedelta(days=1)).replace(hour=12, minute=0, second=0)
    handover_clock.leap(noon)
    call_tool(TOOL, sandbox.open_conversation())
    handover_clock.leap(timedelta(hours=2))
    handover_clock.leap(noon)
    call_tool(TOOL, sandbox.open_conversation())
    times = [call.arguments["handover"].at - noon for call in hook_calls]
    assert timedelta() <= times[0] < timedelta(hours=1)
    assert timedelta(hours=2) <= times[1] < timedelta(hours=3)


def test_a_configuration_with_faults_does_not_start(handover_app: NewApp) -> None:
    """Its faults are raised as the server would tell them, also where a plugin cannot get ready."""

    class Stubborn:
        @hookimpl
        def started(self) -> None:
            raise RuntimeError("no licence")

    with pytest.raises(ConfigError, match=r"routes\.yaml:7:\d+: error\[plugin-start\].*no licence"):
        handover_app(using("stubborn").lstrip(), [Stubborn])
    with pytest.raises(ConfigError, match="plugin-unknown"):
        handover_app(using("nobody"))


def test_a_call_that_is_not_answered_with_an_outcome_is_told(handover_app: NewApp, call_tool: CallTool) -> None:
    """A slip in the path names the tools that there are; so does a call before there is a router."""
    with pytest.raises(LookupError, match="start one first"):
        call_tool(TOOL)
    app = handover_app(ROUTES)
    with pytest.raises(CallRefused, match=r"POST /tools/refnd was answered with 404 'Not Found'; the tools.*/refund$"):
        call_tool("/tools/refnd")
    with pytest.raises(CallRefused, match="answered with 405"):
        app.call_tool("/healthz")


def test_the_person_and_the_conversation_may_be_others(
    handover_app: NewApp, call_tool: CallTool, sandbox: TwilioStandIn, hook_calls: HookCalls
) -> None:
    """An identity can be named, a query set, and a call outside of any conversation is told as such."""
    handover_app(
        using("ask-first", routes=ROUTES.replace("flow: refunds", "flow: refunds, query: [successMessage]")), [AskFirst]
    )
    conversation = sandbox.open_conversation(customer="whatsapp:+15550123")
    call_tool(TOOL, conversation)
    answer = call_tool(f"{TOOL}?successMessage=Bye", conversation, {"order_id": "1"}, identity="email:ann@example.com")
    people = [str(call.arguments["handover"].identity) for call in hook_calls.of(hook="before_swap")]
    assert people == ["whatsapp:+15550123", "email:ann@example.com"]
    assert answer.message == "Bye"
    assert call_tool(TOOL).outcome == "not_a_conversation"


def test_environment_and_settings_are_the_tests(handover_app: NewApp, sandbox: TwilioStandIn, tmp_path: Path) -> None:
    """References are filled in from what is given, settings are by their names, and the file may be a real one."""
    routes = tmp_path / "routes.yaml"
    routes.write_text(
        ROUTES.replace("twilio_signature", "{secret: '${env:HANDOVER_SECRET}'}").replace(REFUNDS, "'${env:FLOW}'")
    )
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "marks.py").write_text(MARKS)
    routes.write_text(routes.read_text() + "plugins: [use: marks]\n")
    app = handover_app(routes, environ={"FLOW": REFUNDS, "HANDOVER_SECRET": "another"}, admin_token="operators")
    assert app.call_tool(TOOL, sandbox.open_conversation()).flow == REFUNDS
    assert app.request("POST", "/-/reload", headers={"Authorization": "Bearer wrong"}).status == 403
    assert app.reload().status == 304


def test_a_reload_reads_the_files_anew(handover_app: NewApp, hook_calls: HookCalls, tmp_path: Path) -> None:
    """What a file holds is used from then on; an object of the test is not there where the files are tried."""
    (tmp_path / "marks.py").write_text(MARKS)
    app = handover_app(using("marks"), [tmp_path / "marks.py", AskFirst])
    assert "changed" in " ".join(
        app.reload(using("marks").replace("flow: refunds}", "flow: refunds, dry_run: true}")).json["changes"]
    )
    refused = app.reload(using("ask-first"))
    assert refused.status == 422
    assert "a test gave it as an object" in refused.json["diagnostics"][0]["message"]
    assert hook_calls == []


def test_settling_has_an_end(handover_app: NewApp, call_tool: CallTool, sandbox: TwilioStandIn) -> None:
    """Where what is owed cannot be done, the test is told instead of hanging."""
    app = handover_app(ROUTES, deadline=1.0)
    conversation = sandbox.open_conversation()
    call_tool(TOOL, conversation)
    app.settle()
    sandbox.fail("unavailable", times=0)
    app.hand_back(conversation)
    with pytest.raises(TimeoutError):
        app.settle(0.3)
    sandbox.sandbox.faults.clear()
    app.settle()
    assert answering(sandbox, conversation) == ["agent"]


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("router", {"pytest", "starlette", "aiohttp", "router.sandbox"}),
        ("router.pytest_plugin", {"starlette", "router.testing"}),
    ],
)
def test_who_does_not_test_pays_nothing(module: str, unwanted: set[str]) -> None:
    """The names for plugins bring no web and no pytest, and the fixtures no router until one is asked for."""
    script = f"import sys, {module}; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert unwanted & set(told.stdout.split()) == set()


def test_the_names_of_the_kit_are_those_listed() -> None:
    """``router.testing`` offers what ``__all__`` lists, sorted."""
    assert router.testing.__all__ == sorted(router.testing.__all__)
    assert all(hasattr(router.testing, name) for name in router.testing.__all__)


def test_the_page_names_every_fixture() -> None:
    """Each fixture, and each name of the kit, stands in ``docs/plugins/testing.md``."""
    source = (ROOT / "router" / "pytest_plugin.py").read_text("utf-8")
    fixtures = re.findall(r"^@pytest\.fixture\ndef (\w+)", source, re.MULTILINE)
    assert len(fixtures) == 6
    assert [name for name in (*fixtures, *router.testing.__all__) if f"`{name}" not in PAGE] == []


def test_the_examples_of_the_page_pass(tmp_path: Path) -> None:
    """The page's files, put where it says, are a suite that passes without a warning."""
    files = re.findall(r"^`([\w/.]+)`:\n\n```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert len(files) == 2
    for name, text in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(dedent(text), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
    ]
    told = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert told.returncode == 0, told.stdout
    assert " passed" in told.stdout
