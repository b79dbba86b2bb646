"""The examples of the pages for plugin authors: each is written where its page says, and does what its page says."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from click.testing import CliRunner
from starlette.responses import JSONResponse
from starlette.routing import Route as Endpoint
from starlette.routing import Router

from router import Decline, Outcome, TwilioRefused
from router.cli import group as commands
from router.config import load
from router.errors import ConfigError, TwilioBusy
from router.hooks.discovery import discover
from router.hooks.host import PluginHost, PluginReport
from router.model.call import ToolCall
from router.model.request import TwilioRequest
from router.model.routes import Intent, PluginUse, Route, Routes, Tool
from router.rehearsal.stage import CONVERSATION, Stage
from router.serving import serving
from tests.hooks.kit import FLOW, HANDOVER, LISTED, NIGHT, TWILIO
from tests.hooks.pages import INDEX, RULES, blocks, example_in, page_of

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

    from router.model.handover import Handover

SUPPORT = Tool("/tools/support", Route(), intents={name: Intent(name, Route()) for name in ("refund", "billing")})


UNUSABLE: list[dict[str, Any]] = [{}, {"amount": None}, {"amount": []}, {"amount": "a lot"}]


@dataclass
class Shown:
    """An example that is switched on with ``config``, and what its host reported."""

    host: PluginHost
    uses: tuple[PluginUse, ...]
    hooks: tuple[str, ...]
    version: str
    reports: list[PluginReport] = field(default_factory=list)

    @property
    def were_called(self) -> bool:
        """All of its hooks that are called after the load were, and none of them failed."""
        called = {hook for _plugin, hook in self.host.figures}
        return self.reports == [] and called == set(self.hooks) - {"plugin_info"}

    async def swap(self, handover: Handover = HANDOVER, error: Exception | None = None) -> None:
        async with self.host.around_swap(handover, self.uses, TWILIO):
            if error is not None:
                raise error

    async def ask(self, handover: Handover = HANDOVER) -> Handover:
        return await self.host.before_swap(handover, self.uses, LISTED.get, TWILIO)


def written(directory: Path, name: str, source: str, **config: Any) -> Shown:
    """Write a plugin into its file, find it there without a fault, and switch it on."""
    (directory / f"{name}.py").write_text(source, encoding="utf-8")
    found = discover([directory])
    assert found.faults == ()
    (plugin,) = found.plugins.values()
    shown = Shown(PluginHost.of(()), (PluginUse(name, config),), plugin.hooks, plugin.version)
    shown.host = PluginHost.of([plugin], report=shown.reports.append)
    return shown


def example(directory: Path, hook: str, **config: Any) -> Shown:
    """Do what the page of ``hook`` says."""
    shown = written(directory, *example_in(page_of(hook)), **config)
    assert hook in shown.hooks
    return shown


def with_inputs(**inputs: Any) -> Handover:
    return dataclasses.replace(HANDOVER, inputs=inputs)


def test_the_first_page_leads_to_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does its three steps gets the very lines that it promises; the plugin has ten lines at the most."""
    (source,), (routes,) = blocks("python", INDEX), blocks("yaml", INDEX)
    assert len(source.splitlines()) <= 10
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "ask_first.py").write_text(source, encoding="utf-8")
    (tmp_path / "routes.yaml").write_text(routes, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(commands, ["test"], env={"HANDOVER_CONFIG": None})
    assert f"$ handover test\n{told.stdout}" in blocks("text", INDEX)
    assert told.exit_code == 0


def test_hook_plugin_info(tmp_path: Path) -> None:
    """The config schema finds the fault that the page shows, word for word."""
    shown = example(tmp_path, "plugin_info")
    assert shown.version == "1.0"
    name, source = example_in(page_of("plugin_info"))
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / f"{name}.py").write_text(source, encoding="utf-8")
    routes = blocks("yaml", INDEX)[0]
    (tmp_path / "routes.yaml").write_text(routes.replace("[order_id]}", "order_id}", 1), encoding="utf-8")
    with pytest.raises(ConfigError) as found:
        load(tmp_path / "routes.yaml", environ={})
    assert blocks("text", page_of("plugin_info"))[-1] == f"{found.value}\n".replace(f"{tmp_path}/", "")


class TaskRouter(Stage):
    """A Twilio with one workspace, whose tasks stay until they are deleted."""

    def __init__(self) -> None:
        super().__init__(CONVERSATION)
        self.tasks: dict[str, dict[str, str]] = {}

    async def request(self, method: str, url: str, *, form: Any = (), query: Any = ()) -> Any:
        asked = TwilioRequest.checked(method, url, dict(form), dict(query))
        path = url.removeprefix("https://taskrouter.twilio.com/v1/Workspaces/WS1/Tasks")
        if method == "POST":
            sid = f"WT{len(self.tasks)}"
            self.tasks[sid] = {"sid": sid, "assignment_status": "pending", "attributes": asked.form["Attributes"][0]}
            return self.tasks[sid]
        if method == "DELETE":
            if self.tasks.pop(path.removeprefix("/"), None) is None:
                raise TwilioRefused("plugin", "no such task", status=404)
            return None
        sid = asked.query["EvaluateTaskAttributes"][0].removeprefix("conversation == ")
        found = [task for task in self.tasks.values() if f'"conversation": {sid}' in task["attributes"]]
        return {"tasks": found}


async def test_hook_register_targets(tmp_path: Path) -> None:
    """Each desk of the config is a target: what it begins is found without its reference, and ends once or twice."""
    shown = example(tmp_path, "register_targets", desks={"night_desk": {"workspace": "WS1", "workflow": "WW1"}})
    targets, failures = shown.host.targets(shown.uses)
    assert (list(targets), failures) == (["night_desk"], [])
    plugin, target = targets["night_desk"]
    desk: Any = target
    twilio = TaskRouter()
    assert await desk.find("", HANDOVER, twilio) is None
    begun = await desk.start(HANDOVER, twilio)
    assert await desk.find("", HANDOVER, twilio) == begun
    assert await desk.find("", dataclasses.replace(HANDOVER, conversation="CH" + "1" * 32), twilio) is None
    for _repeat in range(2):
        await desk.stop(begun, HANDOVER, twilio)
    assert await desk.find(begun, HANDOVER, twilio) is None
    assert plugin == "desks"
    assert shown.were_called


async def test_hook_started(tmp_path: Path) -> None:
    """It reads the list once; a customer who stands there is declined; without the file there is no start."""
    file = tmp_path / "blocked.txt"
    shown = example(tmp_path, "started", file=str(file))
    (failure,) = await shown.host.start(shown.uses, TWILIO)
    assert "FileNotFoundError" in failure.reason
    shown.reports.clear()
    file.write_text(f"email:ann@example.com\n{HANDOVER.identity}\n", encoding="utf-8")
    assert await shown.host.start(shown.uses, TWILIO) == []
    with pytest.raises(Decline, match="Nobody takes over"):
        await shown.ask()
    other = dataclasses.replace(HANDOVER, identity="email:bob@example.com")
    assert await shown.ask(other) == other
    assert shown.were_called


async def test_hook_register_endpoints(tmp_path: Path) -> None:
    """Who has the token closes the desk and opens it again; nobody else can, or learns whether it is closed."""
    token = "t" * 16
    shown = example(tmp_path, "register_endpoints", token=token)
    assert await shown.host.start(shown.uses, TWILIO) == []
    (name,) = shown.host.endpoints
    assert name == "pause"
    async with serving(Router(shown.host.endpoints[name])) as url, aiohttp.ClientSession(url) as session:

        async def ask(method: str, proof: str = f"Bearer {token}") -> str:
            async with session.request(method, "/desk", headers={"Authorization": proof}) as answer:
                return f"{answer.status} {await answer.text()}"

        assert [await ask("POST", wrong) for wrong in ("", "Bearer é", token)] == ["403 Forbidden"] * 3
        assert await ask("GET") == "200 open"
        assert await shown.ask() == HANDOVER
        assert await ask("POST") == "200 paused"
        with pytest.raises(Decline, match="closed for the moment"):
            await shown.ask()
        assert await ask("DELETE") == "200 open"
        assert await shown.ask() == HANDOVER
    assert shown.were_called


@pytest.mark.parametrize(
    ("inputs", "intent"),
    [
        ({"reason": "She wants her Money Back"}, "refund"),
        ({"reason": "the invoice is wrong", "intent": ["odd"]}, "billing"),
        ({"reason": "the invoice is wrong", "intent": "Refund"}, ""),
        ({"reason": "good day"}, ""),
        ({"reason": 7}, ""),
        ({}, ""),
    ],
)
async def test_hook_choose_intent(tmp_path: Path, inputs: dict[str, Any], intent: str) -> None:
    """It goes by the words of the reason, unless the model names an intent."""
    shown = example(tmp_path, "choose_intent", words={"money back": "refund", "invoice": "billing", "good": "unknown"})
    call = ToolCall(SUPPORT.path, "ai_assistants", CONVERSATION, body_inputs=inputs)
    assert await shown.host.choose_intent(call, SUPPORT, shown.uses) == intent
    assert shown.were_called


@pytest.mark.parametrize(("amount", "flow"), [("99.5", FLOW), (250, FLOW), (251, NIGHT), ("nan", NIGHT)])
async def test_hook_before_swap(tmp_path: Path, amount: object, flow: str) -> None:
    """A large refund goes to a flow of its own; one without a number is asked for."""
    shown = example(tmp_path, "before_swap", limit=250, flow="night")
    passed = await shown.ask(with_inputs(amount=amount))
    message = HANDOVER.message if flow == FLOW else "A colleague looks at this refund now."
    assert (passed.flow, passed.message) == (flow, message)
    for inputs in UNUSABLE:
        with pytest.raises(Decline, match="as a number"):
            await shown.ask(with_inputs(**inputs))
    assert shown.were_called


@pytest.mark.parametrize(
    ("inputs", "given"),
    [({"summary": "x" * 600}, {"summary": "x" * 500}), ({"summary": 7}, {}), ({}, {})],
    ids=["long", "odd", "none"],
)
async def test_hook_add_attributes(tmp_path: Path, inputs: dict[str, Any], given: dict[str, Any]) -> None:
    """The flow gets the model's summary, and no more of it than a screen shows."""
    shown = example(tmp_path, "add_attributes")
    assert await shown.host.add_attributes(with_inputs(**inputs), shown.uses) == given
    assert shown.were_called


async def test_hook_around_swap(tmp_path: Path) -> None:
    """A seat is taken for good by a swap that works; a failed one and a hand-back give it back."""
    shown = example(tmp_path, "around_swap", seats=1)
    other = dataclasses.replace(HANDOVER, conversation="CH" + "1" * 32)
    with pytest.raises(TwilioBusy):
        await shown.swap(error=TwilioBusy("create", "busy"))
    await shown.swap()
    with pytest.raises(TwilioBusy):
        await shown.swap(error=TwilioBusy("create", "busy"))  # it has its seat from before
    with pytest.raises(Decline, match="All colleagues are busy"):
        await shown.swap(other)
    await shown.host.after_hand_back(HANDOVER, shown.uses, TWILIO)
    await shown.swap(other)
    assert shown.were_called


async def test_hook_after_swap(tmp_path: Path) -> None:
    """The conversation gets its name once, when the flow begins to answer."""
    shown, twilio = example(tmp_path, "after_swap"), Stage(CONVERSATION)
    for outcome in (Outcome.HANDED_OVER, Outcome.ALREADY_HANDED_OVER):
        await shown.host.after_swap(HANDOVER, outcome, shown.uses, twilio)
    (asked,) = twilio.asked
    assert asked.url.endswith(f"/v1/Services/{HANDOVER.service}/Conversations/{HANDOVER.conversation}")
    assert asked.form == {"FriendlyName": [f"refund {HANDOVER.id}"]}
    assert shown.were_called


async def test_hook_swap_failed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It logs what kind of error it was, and not its text."""
    shown = example(tmp_path, "swap_failed")
    for error in (TwilioRefused("create", "no, +15550100", status=400, code=50361), ValueError("of +15550100")):
        await shown.host.swap_failed(HANDOVER, error, shown.uses, TWILIO)
    assert caplog.messages == [
        f"{HANDOVER.id} of /tools/support failed: TwilioRefused, code 50361",
        f"{HANDOVER.id} of /tools/support failed: ValueError, code 0",
    ]
    assert shown.were_called


async def test_hook_before_hand_back(tmp_path: Path) -> None:
    """What is to stay stays, and everything else goes back."""
    shown = example(tmp_path, "before_hand_back", intents=["complaint"])
    await shown.host.before_hand_back(HANDOVER, shown.uses, TWILIO)
    complaint = dataclasses.replace(HANDOVER, intent="complaint")
    with pytest.raises(Decline, match=r"^Conversations about complaint stay here\.$"):
        await shown.host.before_hand_back(complaint, shown.uses, TWILIO)
    assert shown.were_called


async def test_hook_after_hand_back(tmp_path: Path) -> None:
    """The customer is told who answers from here on."""
    shown, twilio = example(tmp_path, "after_hand_back", message="Hello again."), Stage(CONVERSATION)
    await shown.host.after_hand_back(HANDOVER, shown.uses, twilio)
    (asked,) = twilio.asked
    assert asked.url.endswith(f"/Conversations/{HANDOVER.conversation}/Messages")
    assert asked.form == {"Author": ["handover"], "Body": ["Hello again."]}
    assert shown.were_called


async def test_hook_routes_reloaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says which tools came and went."""
    shown = example(tmp_path, "routes_reloaded")
    assert await shown.host.start(shown.uses, TWILIO) == []
    old, new = (Routes({path: SUPPORT}, {}, (), digest="d" * 64) for path in ("/old", "/new"))
    await shown.host.routes_reloaded(old, new)
    assert capsys.readouterr().out == "routes dddddddddddd: new tools ['/new'], gone ['/old']\n"
    assert shown.were_called


async def test_hook_stopped(tmp_path: Path) -> None:
    """The counts are in the file when it has stopped."""
    file = tmp_path / "tally.json"
    shown = example(tmp_path, "stopped", file=str(file))
    assert await shown.host.start(shown.uses, TWILIO) == []
    for intent in ("refund", "refund", ""):
        handover = dataclasses.replace(HANDOVER, intent=intent)
        await shown.host.after_swap(handover, Outcome.HANDED_OVER, shown.uses, TWILIO)
    await shown.host.stop(TWILIO)
    assert json.loads(file.read_text(encoding="utf-8")) == {"refund": 2, "/tools/support": 1}
    assert shown.were_called


async def test_the_rules_show_how_to_ask_a_service_of_ones_own(tmp_path: Path) -> None:
    """It waits in a thread: what the service says counts, and a service that is down is a failure that says so."""
    source, _important = blocks("python", RULES)

    async def answer(request: Request) -> JSONResponse:
        return JSONResponse({"is_blocked": request.path_params["sid"] == HANDOVER.conversation})

    other = dataclasses.replace(HANDOVER, conversation="CH" + "1" * 32)
    async with serving(Router([Endpoint("/{sid}", answer)])) as url:
        shown = written(tmp_path, "asking", source, url=url)
        with pytest.raises(Decline, match="Go on yourself"):
            await shown.ask()
        assert await shown.ask(other) == other
        assert shown.were_called
    with pytest.raises(Exception, match=r"failed in before_swap: URLError.*refused"):
        await shown.ask()


class Customers(Stage):
    """A Twilio that knows a customer, or refuses to say."""

    def __init__(self, data: dict[str, Any] | None, status: int = 0) -> None:
        super().__init__(CONVERSATION)
        self.data, self.status = data, status

    async def request(self, method: str, url: str, **_more: Any) -> Any:
        assert (method, url) == ("GET", "https://sync.twilio.com/v1/Services/IS1/Documents/whatsapp%3A%2B15550100")
        if self.data is None:
            raise TwilioRefused("plugin", "no", status=self.status)
        return {"data": self.data}


async def test_the_rules_show_how_to_ask_twilio(tmp_path: Path) -> None:
    """An important customer goes elsewhere; one that is not known, also in a test of routes.yaml, does not."""
    _asking, source = blocks("python", RULES)
    shown = written(tmp_path, "important", source, sync="IS1", flow="night")

    async def ask(twilio: Stage) -> str:
        return (await shown.host.before_swap(HANDOVER, shown.uses, LISTED.get, twilio)).flow

    assert await ask(Customers({"is_important": True})) == NIGHT
    assert [await ask(twilio) for twilio in (Customers({}), Customers(None, 404), TWILIO)] == [HANDOVER.flow] * 3
    assert shown.were_called
    with pytest.raises(Exception, match="failed in before_swap: TwilioRefused"):
        await ask(Customers(None, 403))
