"""The sandbox against Twilio's own API descriptions: every endpoint, every answer, every form parameter."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

import pytest

from router.model.webhook import ROOM
from router.sandbox.conversations import ConversationsApi
from router.sandbox.faults import Fault
from router.sandbox.flows import StudioApi, shipped_flows
from router.sandbox.interactions import InteractionsApi
from tests.fixtures import running_sandbox
from tests.oai import Description, Misfit, Operation, descriptions_folder
from tests.sandbox.client import Answer, call

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from router.sandbox.sandbox import Sandbox

FLOW, OTHER_FLOW = shipped_flows()
URL = "https://audit.example/in"


class Measured:
    """A client whose every request and answer is held to the descriptions; ``seen`` notes what was answered how."""

    def __init__(self, sandbox: Sandbox) -> None:
        folder = descriptions_folder()
        self._descriptions = {
            "/v1": Description.load(folder, "conversations_v1"),
            "/v2": Description.load(folder, "studio_v2"),
            "/v1/Interactions": Description.load(folder, "flex_v1_interactions"),
        }
        self.sandbox = sandbox
        self.seen: set[tuple[str, str, int]] = set()

    def description(self, path: str) -> Description:
        return self._descriptions["/v1/Interactions" if path.startswith("/v1/Interactions") else path[:3]]

    async def ask(self, method: str, path: str, form: Mapping[str, Any] | None = None, **options: Any) -> Answer:
        """Make a request that fits its description, and measure the answer."""
        bare, _, query = path.partition("?")
        fields = parse_qs(urlencode(form or {}, doseq=True), keep_blank_values=True)
        self.description(path).check_request(method, bare, parse_qs(query), fields)
        return await self.ask_wrongly(method, path, form, **options)

    async def ask_wrongly(
        self, method: str, path: str, form: Mapping[str, Any] | None = None, **options: Any
    ) -> Answer:
        """Make any request, and measure the answer."""
        answer = await call(self.sandbox, method, path, form, **options)
        bare = path.partition("?")[0]
        operation = self.description(path).check_response(method, bare, answer.status, answer.body)
        self.seen.add((method, operation.template, answer.status))
        return answer


@pytest.fixture
async def measured() -> AsyncIterator[Measured]:
    """A measuring client beside a sandbox whose refunds flow can be started by REST too."""
    flows = shipped_flows()
    flows[FLOW]["states"][0]["transitions"].append({"event": "incomingRequest", "next": "greet"})
    async with running_sandbox(
        flows=flows, drafts=[OTHER_FLOW], earlier={OTHER_FLOW: flows[FLOW]}, invalid={OTHER_FLOW: ["no such widget"]}
    ) as sandbox:
        yield Measured(sandbox)


def bases(sandbox: Sandbox) -> tuple[str, str]:
    return "/v1/Conversations", f"/v1/Services/{sandbox.world.default_service.sid}/Conversations"


async def walk_conversations(client: Measured, base: str) -> None:
    """Ask every endpoint below ``base`` so that it succeeds, with full and with empty objects and lists."""
    full = {"FriendlyName": "Chat", "UniqueName": base, "Attributes": '{"a": 1}', "State": "active"}
    await client.ask("GET", base)
    await client.ask("POST", base, {})
    one = f"{base}/{(await client.ask('POST', base, full)).body['sid']}"
    await client.ask("GET", f"{base}?State=active&PageSize=1&Page=1")
    await client.ask("GET", one)
    await client.ask("POST", one, {"Attributes": "{}"}, loud=True)
    for part, form in (
        ("Participants", {"Identity": "worker"}),
        ("Participants", {"MessagingBinding.Address": "+15550100", "MessagingBinding.ProxyAddress": "+15550199"}),
        ("Messages", {"Author": "+15550100", "Body": "Hello"}),
        ("Messages", {"Author": "assistant", "Body": "Hello", "Attributes": "{}"}),
    ):
        await client.ask("POST", f"{one}/{part}", form)
        await client.ask("GET", f"{one}/{part}?PageSize=1")
    (newest,) = (await client.ask("GET", f"{one}/Messages?Order=desc&PageSize=1")).body["messages"]
    await client.ask("GET", f"{one}/Messages/{newest['sid']}")
    await client.ask("GET", f"{one}/Webhooks")
    for form in webhook_forms():
        made = (await client.ask("POST", f"{one}/Webhooks", form)).body
        await client.ask("GET", f"{one}/Webhooks/{made['sid']}")
    await client.ask("GET", f"{one}/Webhooks?PageSize=2&Page=1")
    await client.ask("POST", f"{one}/Webhooks/{made['sid']}", {"Configuration.FlowSid": OTHER_FLOW})
    await client.ask("DELETE", f"{one}/Webhooks/{made['sid']}")
    await client.ask("DELETE", one)


def webhook_forms() -> list[dict[str, Any]]:
    """Describe a webhook of each target; together they use every described parameter."""
    return [
        {"Target": "webhook", "Configuration.Url": URL, "Configuration.Method": "get"},
        {"Target": "trigger", "Configuration.Url": URL, "Configuration.Triggers": ["stop", "halt"]},
        {
            "Target": "studio",
            "Configuration.FlowSid": FLOW,
            "Configuration.Filters": ["onMessageAdded", "onMessageUpdated"],
            "Configuration.ReplayAfter": "0",
        },
    ]


async def walk_studio(client: Measured) -> None:
    """Ask every endpoint of Studio so that it succeeds."""
    await client.ask("GET", "/v2/Flows?PageSize=1")
    for flow in (FLOW, OTHER_FLOW):
        await client.ask("GET", f"/v2/Flows/{flow}")
        for revision in ("LatestRevision", "LatestPublished", "1"):
            await client.ask("GET", f"/v2/Flows/{flow}/Revisions/{revision}")
    path = f"/v2/Flows/{FLOW}/Executions"
    await client.ask("GET", path)
    made = await client.ask("POST", path, {"To": "+15550100", "From": "+15550199", "Parameters": '{"a": 1}'})
    await client.ask("GET", f"{path}?status=active&PageSize=1")
    await client.ask("GET", f"{path}/{made.body['sid']}")
    await client.ask("GET", f"{path}/{made.body['sid']}/Context")
    await client.ask("POST", f"{path}/{made.body['sid']}", {"Status": "ended"})


def interaction_form(conversation: str) -> dict[str, str]:
    """Describe an interaction for a conversation that is there."""
    channel = {"type": "whatsapp", "initiated_by": "customer", "properties": {"media_channel_sid": conversation}}
    routing = {"workspace_sid": f"WS{'0' * 32}", "workflow_sid": f"WW{'0' * 32}", "attributes": {"from": "x"}}
    return {"Channel": json.dumps(channel), "Routing": json.dumps({"properties": routing})}


async def walk_interactions(client: Measured) -> None:
    """Ask every endpoint of Flex so that it succeeds."""
    conversation = (await client.ask("POST", "/v1/Conversations", {})).body["sid"]
    made = (await client.ask("POST", "/v1/Interactions", interaction_form(conversation))).body
    one = f"/v1/Interactions/{made['sid']}"
    await client.ask("GET", one)
    await client.ask("GET", f"{one}/Channels?PageSize=1")
    await client.ask("GET", f"{one}/Channels/{made['channel']['sid']}")
    for form in ({"Status": "inactive", "Routing": '{"status": "closed"}'}, {"Status": "closed"}):
        await client.ask("POST", f"{one}/Channels/{made['channel']['sid']}", form)


async def test_every_endpoint_answers_as_described(measured: Measured) -> None:
    """Each endpoint that the sandbox has is described, and its success has the described status and every key."""
    sandbox = measured.sandbox
    for base in bases(sandbox):
        await walk_conversations(measured, base)
    await walk_studio(measured)
    await walk_interactions(measured)
    await sandbox.settled()
    had = {(method, template) for method, template, status in measured.seen if status < 300}
    routes = [
        *ConversationsApi(sandbox.world, sandbox._events).routes(),
        *StudioApi(sandbox.world, None).routes(),  # type: ignore[arg-type]  # its routes alone
        *InteractionsApi(sandbox.world).routes(),
    ]
    assert had == {
        (method, measured.description(route.path).operation(method, sample(route.path)).template)
        for route in routes
        for method in (route.methods or set()) - {"HEAD"}
    }


def sample(template: str) -> str:
    """Fill the parameters of one of our own path templates."""
    return template.replace("{", "").replace("}", "")


async def test_every_refusal_is_an_error_object(measured: Measured) -> None:
    """Each refusal, of credentials, path, state, parameters or on demand, has Twilio's error object and its status."""
    sandbox = measured.sandbox
    for base in bases(sandbox):
        one = f"{base}/{(await measured.ask('POST', base, {})).body['sid']}"
        hooks = f"{one}/Webhooks"
        found = [await measured.ask("GET", hooks, user=("", ""))]
        found += [await measured.ask("GET", f"{base}/CH{'0' * 32}")]
        found += [await measured.ask(method, f"{hooks}/WH{'0' * 32}") for method in ("GET", "DELETE")]
        found += [await measured.ask("GET", f"{one}/Messages/IM{'0' * 32}")]
        found += [await measured.ask("POST", f"{one}/Messages", {"Body": "x" * 1601})]
        found += [await measured.ask_wrongly("POST", one, {"Attributes": "{"})]
        found += [await measured.ask_wrongly("POST", hooks, form) for form in ({}, {"Target": "email"})]
        found += [await measured.ask_wrongly("POST", hooks, {"Target": "studio", "Configuration.FlowSid": "FW"})]
        for _ in range(ROOM):
            await measured.ask("POST", hooks, {"Target": "webhook", "Configuration.Url": URL})
        found += [await measured.ask("POST", hooks, {"Target": "webhook", "Configuration.Url": URL})]
        await measured.ask("POST", one, {"State": "closed"})
        found += [await measured.ask("POST", hooks, {"Target": "webhook", "Configuration.Url": URL})]
        for fault in (Fault("rate_limited"), Fault("unavailable"), Fault("server_error"), Fault.refused(409, 50349)):
            sandbox.faults.add(fault)
            found += [await measured.ask("GET", hooks)]
        assert [answer.code for answer in found] == [
            *(20003, 20404, 50360, 50360, 20404, 20001, 50304, 50368, 50364, 50367, 50361, 50377),
            *(20429, 20503, 20500, 50349),
        ]


async def test_refusals_of_studio_are_error_objects(measured: Measured) -> None:
    """An unknown flow, revision or execution, and a wrong form, are refused with Twilio's error object."""
    path = f"/v2/Flows/{FLOW}/Executions"
    assert (await measured.ask("GET", f"/v2/Flows/FW{'f' * 32}")).code == 20404
    assert (await measured.ask("GET", f"/v2/Flows/FW{'f' * 32}/Revisions/1")).code == 20404
    assert (await measured.ask("GET", f"/v2/Flows/{FLOW}/Revisions/2")).code == 20404
    assert (await measured.ask("GET", f"/v2/Flows/{FLOW}/Revisions/Newest")).code == 81021
    assert (await measured.ask("GET", f"{path}/FN{'f' * 32}")).code == 20404
    assert (await measured.ask_wrongly("POST", path, {})).code == 20001


async def test_refusals_of_flex_are_error_objects(measured: Measured) -> None:
    """An unknown or closed conversation, an unknown interaction or channel, and a wrong form, are refused so."""
    conversation = (await measured.ask("POST", "/v1/Conversations", {})).body["sid"]
    whole = interaction_form(conversation)
    made = (await measured.ask("POST", "/v1/Interactions", whole)).body
    channels = f"/v1/Interactions/{made['sid']}/Channels"
    channel = f"{channels}/{made['channel']['sid']}"
    found = [
        await measured.ask("POST", "/v1/Interactions", interaction_form(f"CH{'0' * 32}")),
        await measured.ask("POST", "/v1/Interactions", {**whole, "Routing": "{}"}),
        await measured.ask("POST", "/v1/Interactions", {**whole, "Channel": "{"}),
        await measured.ask("POST", "/v1/Interactions", {**whole, "Channel": "[]"}),
        await measured.ask("GET", f"/v1/Interactions/KD{'0' * 32}"),
        await measured.ask("GET", f"{channels}/UO{'0' * 32}"),
        await measured.ask_wrongly("POST", channel, {"Status": "paused"}),
        await measured.ask("POST", channel, {"Status": "inactive"}),
    ]
    await measured.ask("POST", channel, {"Status": "closed"})
    found += [await measured.ask("POST", "/v1/Interactions", whole)]
    assert [answer.code for answer in found] == [20404, 20001, 20001, 20001, 20404, 20404, 20001, 20001, 45354]


async def test_the_sandbox_reads_every_parameter_of_webhooks(measured: Measured) -> None:
    """Each described form parameter of creating and updating a webhook shows its effect, and there are no others."""
    for base in bases(measured.sandbox):
        one = f"{base}/{(await measured.ask('POST', base, {})).body['sid']}/Webhooks"
        made = [(await measured.ask("POST", one, form)).body for form in webhook_forms()]
        described = measured.description(base).form_fields("POST", one)
        assert described == {name for form in webhook_forms() for name in form}
        assert [found["target"] for found in made] == ["webhook", "trigger", "studio"]
        assert made[0]["configuration"] == {"url": URL, "method": "get"}
        assert made[1]["configuration"]["triggers"] == ["stop", "halt"]
        assert made[2]["configuration"] == {"flow_sid": FLOW, "filters": ["onMessageAdded", "onMessageUpdated"]}
        of_trigger = {
            "Configuration.Url": "https://other.example/",
            "Configuration.Method": "post",
            "Configuration.Filters": ["onMessageAdded"],
            "Configuration.Triggers": ["go"],
        }
        of_studio = {"Configuration.FlowSid": OTHER_FLOW}
        update = f"{one}/{made[1]['sid']}"
        assert measured.description(base).form_fields("POST", update) == {*of_trigger, *of_studio}
        assert (await measured.ask("POST", update, of_trigger)).body["configuration"] == {
            "url": "https://other.example/",
            "method": "post",
            "filters": ["onMessageAdded"],
            "triggers": ["go"],
        }
        changed = (await measured.ask("POST", f"{one}/{made[2]['sid']}", of_studio)).body
        assert changed["configuration"]["flow_sid"] == OTHER_FLOW


async def test_the_measure_refuses_what_is_not_described(measured: Measured) -> None:
    """The measure itself can fail: on each kind of wrong request."""
    described = measured.description("/v1")
    hooks = f"{bases(measured.sandbox)[1]}/CH{'0' * 32}/Webhooks"
    form = {"Target": ["webhook"]}
    assert isinstance(described.check_request("POST", hooks, {}, form), Operation)
    for method, path, query, fields, complaint in (
        ("GET", "/v1/Nothing", {}, {}, "is not described"),
        ("DELETE", hooks, {}, {}, "is not described"),
        ("POST", hooks, {}, {}, "missing: \\['Target'\\]"),
        ("POST", hooks, {}, form | {"Configuration.Secret": ["1"]}, "not described: \\['Configuration.Secret'\\]"),
        ("POST", hooks, {}, {"Target": ["email"]}, "'email' is not one of"),
        ("POST", hooks, {}, {"Target": ["studio", "studio"]}, "given 2 times"),
        ("POST", hooks, {}, form | {"Configuration.ReplayAfter": ["soon"]}, "'soon' is not of type 'integer'"),
        ("POST", f"{hooks}/WH{'0' * 32}", {}, form, "not described: \\['Target'\\]"),
        ("GET", hooks, {"PageSize": ["20"]}, {}, "20 is greater than the maximum of 5"),
        ("GET", f"/v1/Services/IS1/Conversations/CH{'0' * 32}/Webhooks", {}, {}, "'IS1' does not match"),
    ):
        with pytest.raises(Misfit, match=complaint):
            described.check_request(method, path, query, fields)


async def test_the_measure_refuses_wrong_answers(measured: Measured) -> None:
    """The measure itself can fail: on each kind of wrong answer."""
    path = bases(measured.sandbox)[1]
    described = measured.description(path)
    right = (await measured.ask("POST", path, {})).body
    error = {"code": 1, "message": "no", "more_info": "https://x.example/1", "status": 404}
    for status, body, complaint in (
        (200, right, "described are \\['201'\\]"),
        (201, {name: value for name, value in right.items() if name != "state"}, "'state' is a required"),
        (201, {**right, "more": 1}, "'more' was unexpected"),
        (201, {**right, "sid": "CH1"}, "'CH1' does not match"),
        (201, {**right, "state": "asleep"}, "'asleep' is not one of"),
        (201, {**right, "date_created": "yesterday"}, "is not a 'date-time'"),
        (201, {**right, "date_created": "2026-01-01T00:00:00"}, "is not a 'date-time'"),
        (201, {**right, "url": "/v1/x"}, "is not a 'uri'"),
        (201, {**right, "links": {"messages": 1}}, "is not a 'uri-map'"),
        (404, {**error, "extra": 1}, "'extra' was unexpected"),
        (400, error, "the body says 404"),
    ):
        with pytest.raises(Misfit, match=complaint):
            described.check_response("POST", path, status, body)
    with pytest.raises(Misfit, match="where none is described"):
        described.check_response("DELETE", f"{path}/{right['sid']}", 204, {})


def test_without_descriptions_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the folder has no descriptions, tests are skipped and say which variable to set."""
    monkeypatch.setenv("TWILIO_OAI", "/nowhere")
    with pytest.raises(pytest.skip.Exception, match="no API descriptions of Twilio in /nowhere: set TWILIO_OAI"):
        descriptions_folder()
