"""The bundled targets by themselves: what they ask of Twilio, and what they make of its answers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from router.errors import TwilioRefused
from router.model.handover import Decline
from tests.hooks.kit import FLOW, HANDOVER, LISTED, TWILIO, use
from tests.plugins.kit import block, bundled, faults, hosted, page
from tests.rehearsal.kit import loaded, messages, rehearse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from router.model.target import Target

WORKSPACE, WORKFLOW = f"WS{'0' * 32}", f"WW{'0' * 32}"
PEOPLE = {"workspace_sid": WORKSPACE, "workflow_sid": WORKFLOW}
CALLBACK = {"flow_sid": FLOW, "from": "+15550199"}
GONE = TwilioRefused("plugin", "not found", status=404, code=20404)
DENIED = TwilioRefused("plugin", "denied", status=403)


@dataclass
class Answers:
    """A Twilio that gives ``answers`` one after the other, an error by raising it, and notes what it was asked."""

    answers: list[Any]
    asked: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    async def request(
        self, method: str, url: str, *, form: Mapping[str, Any] = {}, query: Mapping[str, Any] = {}
    ) -> Any:
        self.asked.append((method, url, {**form, **query}))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def target(plugin: str, settings: Mapping[str, Any]) -> Target:
    """Make one target of a bundled plugin, as it gives it."""
    host, _reports = hosted(bundled(plugin))
    found, failures = host.targets((use(plugin, targets={"desk": settings}),))
    assert not failures
    return found["desk"][1]


async def began(settings: Mapping[str, Any], **fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Begin an interaction, and give its channel and its routing."""
    twilio = Answers([{"sid": "KD1"}])
    assert await target("flex", {**PEOPLE, **settings}).start(replace(HANDOVER, **fields), twilio) == "KD1"
    ((method, url, form),) = twilio.asked
    assert (method, url) == ("POST", "https://flex-api.twilio.com/v1/Interactions")
    return json.loads(form["Channel"]), json.loads(form["Routing"])["properties"]


@pytest.mark.parametrize(
    ("identity", "kind"),
    [
        ("whatsapp:+15550100", "whatsapp"),
        ("phone:+15550100", "sms"),
        ("user_id:+15550100", "sms"),
        ("flex_participant:FX1", "web"),
        ("email:ann@example.com", "chat"),
        ("", "chat"),
    ],
)
async def test_the_channel_follows_from_the_identity(identity: str, kind: str) -> None:
    """Who the customer is tells the type, unless the config does; the conversation is the one that is there."""
    channel, _routing = await began({}, identity=identity)
    assert channel == {
        "type": kind,
        "initiated_by": "customer",
        "properties": {"media_channel_sid": HANDOVER.conversation},
    }
    assert (await began({"channel_type": "messenger"}, identity=identity))[0]["type"] == "messenger"


async def test_a_task_has_what_is_asked_for_and_who_the_customer_is() -> None:
    """What the model wrote is there only where it is included, and overwrites nothing of the administrator's."""
    settings = {
        "include": ["order_id", "missing", "skill", "from"],
        "attributes": {"skill": "refunds"},
        "task_channel": "sms",
    }
    inputs = {"order_id": "A-17", "skill": "boss", "from": "nobody", "note": "private"}
    _channel, routing = await began(settings, inputs=inputs)
    assert routing == {
        "workspace_sid": WORKSPACE,
        "workflow_sid": WORKFLOW,
        "task_channel_unique_name": "sms",
        "attributes": {
            "order_id": "A-17",
            "skill": "refunds",
            "from": "+15550100",
            "customerName": "+15550100",
            "customerAddress": "+15550100",
            "handover": {"id": HANDOVER.id, "tool": HANDOVER.tool, "intent": HANDOVER.intent},
        },
    }
    assert (await began({}))[1]["task_channel_unique_name"] == "chat"


def channels(*statuses: str) -> dict[str, Any]:
    return {"channels": [{"sid": f"UO{number}", "status": status} for number, status in enumerate(statuses)]}


@pytest.mark.parametrize(
    ("answers", "reference", "found"),
    [
        ([channels("active")], "KD1", "KD1"),
        ([channels("closed", "setup")], "KD1", "KD1"),
        ([channels("closed", "failed", "inactive")], "KD1", None),
        ([GONE], "KD1", None),
        ([{"tasks": []}], "", None),
        ([{"tasks": [{"assignment_status": "completed", "attributes": "{}"}]}], "", None),
        ([{"tasks": [{"assignment_status": "assigned", "attributes": '{"flexInteractionSid": "KD2"}'}]}], "", "KD2"),
    ],
)
async def test_an_interaction_goes_on_while_a_channel_does(
    answers: list[Any], reference: str, found: str | None
) -> None:
    """By its SID, or without one by a task of the conversation that is not over."""
    twilio = Answers([*answers, channels("active")])
    assert await target("flex", PEOPLE).find(reference, HANDOVER, twilio) == found
    if not reference:
        assert twilio.asked[0][1:] == (
            f"https://taskrouter.twilio.com/v1/Workspaces/{WORKSPACE}/Tasks",
            {"EvaluateTaskAttributes": f'conversationSid == "{HANDOVER.conversation}"'},
        )


async def test_a_stop_lets_the_channels_rest() -> None:
    """They are made inactive and not closed, which would close the conversation; those that are over are left."""
    twilio = Answers([channels("closed", "active"), {}])
    await target("flex", PEOPLE).stop("KD1", HANDOVER, twilio)
    assert twilio.asked[1:] == [
        (
            "POST",
            "https://flex-api.twilio.com/v1/Interactions/KD1/Channels/UO1",
            {"Status": "inactive", "Routing": '{"status": "closed"}'},
        )
    ]


@pytest.mark.parametrize("plugin", ["flex", "studio-execution"])
async def test_what_may_not_be_asked_is_not_taken_for_gone(plugin: str) -> None:
    """Only where Twilio says that there is none it is over."""
    settings = PEOPLE if plugin == "flex" else CALLBACK
    with pytest.raises(TwilioRefused, match="denied"):
        await target(plugin, settings).find("X1", HANDOVER, Answers([DENIED]))


async def test_an_execution_learns_what_it_needs() -> None:
    """To and From, the conversation for Resume Conversation, and the inputs that are included."""
    twilio = Answers([{"sid": "FN1"}])
    wanted = target("studio-execution", {**CALLBACK, "include": ["order_id", "missing"]})
    assert wanted.flow == FLOW
    assert await wanted.start(HANDOVER, twilio) == "FN1"
    ((method, url, form),) = twilio.asked
    assert (method, url) == ("POST", f"https://studio.twilio.com/v2/Flows/{FLOW}/Executions")
    assert (form["To"], form["From"]) == ("whatsapp:+15550100", "+15550199")
    assert json.loads(form["Parameters"]) == {
        "conversation": HANDOVER.conversation,
        "service": HANDOVER.service,
        "handover": {
            "id": HANDOVER.id,
            "tool": HANDOVER.tool,
            "intent": HANDOVER.intent,
            "inputs": {"order_id": "A-17"},
        },
    }


@pytest.mark.parametrize(
    ("identity", "address"),
    [
        ("whatsapp:+15550100", "whatsapp:+15550100"),
        ("user_id:+15550100", "+15550100"),
        ("phone:+15550100", "+15550100"),
        ("email:ann@example.com", ""),
        ("user_id:ann", ""),
        ("phone:+1…00", ""),
        ("", ""),
    ],
)
async def test_who_has_no_number_is_declined(identity: str, address: str) -> None:
    """A guard says so before anything is changed, for this plugin's targets alone; a start refuses it, too."""
    handover = replace(HANDOVER, identity=identity, flow="desk")
    host, _reports = hosted(bundled("studio-execution"))
    uses = (use("studio-execution", targets={"desk": CALLBACK}),)
    listed = {**LISTED, "desk": "desk"}.get
    elsewhere = replace(handover, flow=FLOW)
    assert await host.before_swap(elsewhere, uses, listed, TWILIO) == elsewhere
    if address:
        assert await host.before_swap(handover, uses, listed, TWILIO) == handover
        return
    with pytest.raises(Decline, match="not known which telephone number"):
        await host.before_swap(handover, uses, listed, TWILIO)
    with pytest.raises(TwilioRefused, match="needs the customer's telephone number"):
        await target("studio-execution", CALLBACK).start(handover, Answers([]))


def run(sid: str, address: str, status: str = "active") -> dict[str, str]:
    return {"sid": sid, "contact_channel_address": address, "status": status}


def context(conversation: str) -> dict[str, Any]:
    return {"context": {"flow": {"data": {"conversation": conversation}}}}


async def test_an_execution_is_found_by_what_it_was_told() -> None:
    """Of the active ones that may be the customer's, it is the one that has the conversation."""
    runs = {
        "executions": [
            run("FN1", "whatsapp:+15550100", "ended"),
            run("FN2", "whatsapp:+15550109"),
            run("FN3", "whatsapp:+15550100"),
            run("FN4", "whatsapp:+15550100"),
        ]
    }
    for identity in ("whatsapp:+15550100", "whatsapp:+1…00"):
        twilio = Answers([runs, context("CH-other"), context(HANDOVER.conversation)])
        found = await target("studio-execution", CALLBACK).find("", replace(HANDOVER, identity=identity), twilio)
        assert found == "FN4"
        assert [url.rpartition("/Executions")[2] for _method, url, _given in twilio.asked] == [
            "",
            "/FN3/Context",
            "/FN4/Context",
        ]
    nothing = Answers([{"executions": [run("FN1", "")]}, {"context": {}}])
    assert await target("studio-execution", CALLBACK).find("", replace(HANDOVER, identity=""), nothing) is None


@pytest.mark.parametrize(
    ("answer", "found"), [(run("FN1", "", "active"), "FN1"), (run("FN1", "", "ended"), None), (GONE, None)]
)
async def test_an_execution_goes_on_until_it_has_ended(answer: Any, found: str | None) -> None:
    """One that is known is asked for by its SID."""
    assert await target("studio-execution", CALLBACK).find("FN1", HANDOVER, Answers([answer])) == found


async def test_an_end_that_is_refused_is_looked_at() -> None:
    """Where it has ended that is success; where it goes on the refusal stands."""
    wanted = target("studio-execution", CALLBACK)
    await wanted.stop("FN1", HANDOVER, Answers([DENIED, run("FN1", "", "ended")]))
    with pytest.raises(TwilioRefused, match="denied"):
        await wanted.stop("FN1", HANDOVER, Answers([DENIED, run("FN1", "")]))


@pytest.mark.parametrize(
    ("plugin", "config", "message"),
    [
        ("flex", {"targets": {}}, "'targets' of 'config' of plugin 'flex' is empty"),
        ("flex", {"targets": {"a": {**PEOPLE, "workspace_sid": "WS1"}}}, "'WS1' is no SID of a workspace"),
        ("flex", {"targets": {"a": {"workspace_sid": WORKSPACE}}}, "workflow_sid"),
        ("flex", {"targets": {"a": {**PEOPLE, "channel_type": "fax"}}}, "fax"),
        ("studio-execution", {"targets": {"a": {"from": "+15550199"}}}, "flow_sid"),
        ("studio-execution", {"targets": {"a": {**CALLBACK, "message": "x"}}}, "message"),
        ("studio-execution", {"targets": {"a": {**CALLBACK, "flow_sid": "FW1"}}}, "'FW1' is no Flow SID"),
        ("studio-execution", {"targets": {"refunds": CALLBACK}}, "has the name of a target"),
    ],
)
def test_a_wrong_config_is_told_by_the_check(tmp_path: Path, plugin: str, config: dict[str, Any], message: str) -> None:
    """A fault is told at its place in the file."""
    (only,) = faults(tmp_path, plugin, config)
    assert message in only


async def test_a_test_of_the_routes_names_the_target(tmp_path: Path) -> None:
    """``expect: {flow: …}`` has the target's name; nothing is begun, and nothing asked of Twilio."""
    entry = json.dumps({"use": "flex", "config": {"targets": {"human": PEOPLE}}})
    more = f"  /tools/human: {{flow: human}}\nplugins: [{entry}]\ntests:\n"
    for flow in ("human", "refunds"):
        more += f"  - {{name: {flow}, call: {{tool: /tools/human}}, expect: {{outcome: handed_over, flow: {flow}}}}}\n"
    report = await rehearse(loaded(tmp_path, f"# more\n{more}"))
    assert messages(report) == ["expected flow 'refunds', got 'human'"]


@pytest.mark.parametrize("plugin", ["flex", "studio-execution"])
def test_the_page_describes_the_config(plugin: str) -> None:
    """Each key of a target stands in the table, with its default, and the block on the page goes through the check."""
    found = bundled(plugin)
    assert found.config_schema is not None
    settings = found.config_schema["properties"]["targets"]["additionalProperties"]
    for key, schema in settings["properties"].items():
        default = schema.get("default", "see below")
        shown = f"`{default if isinstance(default, str) else json.dumps(default)}`" if "default" in schema else default
        wanted = "is needed" if key in settings["required"] else shown
        assert f"| `{key}` | {wanted} |" in page(plugin)
    assert f"use: {plugin}" in block(plugin, "yaml")
