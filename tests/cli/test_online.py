"""``handover check --online`` against the sandbox, as a user starts it."""

from __future__ import annotations

import copy
import json
import signal
from typing import TYPE_CHECKING, Any

import pytest

from router.model.flow import CONVERSATION_EVENT
from router.sandbox.faults import Fault
from router.sandbox.flows import shipped_flows
from router.serving import listen
from tests.cli.programs import ended, started
from tests.fixtures import running_sandbox

if TYPE_CHECKING:
    from pathlib import Path

    from router.sandbox.sandbox import Sandbox

REFUNDS, BILLING = shipped_flows()
SILENT, ABSENT, LAYERED, INVALID = (f"FW{number:032x}" for number in (3, 4, 5, 6))
HEAD = "version: 1\nauth: [twilio_signature]\n"


def flows() -> dict[str, Any]:
    """Give a flow of each kind: good, a draft, one that calls start, a draft over a good one, one with faults."""
    good = shipped_flows()[REFUNDS]
    silent = copy.deepcopy(good)
    for transition in silent["states"][0]["transitions"]:
        event = transition["event"]
        transition["event"] = {CONVERSATION_EVENT: "incomingCall", "incomingCall": CONVERSATION_EVENT}.get(event, event)
    return {REFUNDS: good, BILLING: good, SILENT: silent, LAYERED: silent, INVALID: good}


KINDS = {
    "drafts": [BILLING, LAYERED],
    "earlier": {LAYERED: shipped_flows()[REFUNDS]},
    "invalid": {INVALID: ["a widget leads nowhere"]},
}


def write(directory: Path, *sids: str, rest: str = "") -> None:
    """Write a file with a flow and a tool for each SID; the flows are in the lines from 4 on."""
    listed = "".join(f"  flow-{index}: {sid}\n" for index, sid in enumerate(sids))
    tools = "".join(f"  /tools/{index}: {{flow: flow-{index}}}\n" for index in range(len(sids)))
    (directory / "routes.yaml").write_text(f"{HEAD}flows:\n{listed}tools:\n{tools}{rest}")


def settings(sandbox: Sandbox, **changes: str) -> dict[str, str]:
    account = {"TWILIO_ACCOUNT_SID": sandbox.account_sid, "TWILIO_AUTH_TOKEN": sandbox.auth_token}
    return {**account, "HANDOVER_TWILIO_URL": sandbox.url, **changes}


async def test_flows_that_can_take_over_are_no_fault(tmp_path: Path, sandbox: Sandbox) -> None:
    """All is said to be right, and that Twilio was asked; a SID is asked about once, whoever names it how often."""
    write(tmp_path, REFUNDS, REFUNDS, rest=f"  /tools/literal: {{flow: {BILLING}}}\n")
    code, told = await ended(tmp_path, "check", "--online", **settings(sandbox))
    assert told == "routes.yaml: 3 tools, 0 intents, 3 flows: no faults\nTwilio was asked about 2 flows\n"
    assert code == 0
    assert sorted(entry.path for entry in sandbox.requests) == [f"/v2/Flows/{REFUNDS}", f"/v2/Flows/{BILLING}"]


async def test_each_fault_is_at_its_flows_line(tmp_path: Path) -> None:
    """A draft, another account's flow, one that starts otherwise, an invalid one; not a draft over one that runs."""
    async with running_sandbox(flows=flows(), **KINDS) as sandbox:
        write(tmp_path, REFUNDS, BILLING, ABSENT, SILENT, LAYERED, INVALID)
        code, told = await ended(tmp_path, "check", "--online", "--format", "json", **settings(sandbox))
    found = [(each["line"], each["column"], each["code"]) for each in json.loads(told)["diagnostics"]]
    assert found == [
        (5, 11, "flow-draft"),
        (6, 11, "flow-absent"),
        (7, 11, "flow-trigger"),
        (9, 11, "flow-invalid"),
    ]
    assert code == 1


async def test_text_and_annotations_tell_them_too(tmp_path: Path, sandbox: Sandbox) -> None:
    """They come after what the file itself has, in each form."""
    write(tmp_path, ABSENT, REFUNDS)
    path = tmp_path / "routes.yaml"
    path.write_text(path.read_text().replace("{flow: flow-1}", "{flow: flow-0}"))
    code, told = await ended(tmp_path, "check", "--online", **settings(sandbox))
    assert code == 1
    assert told.index("warning[flow-unused]") < told.index("routes.yaml:4:11: error[flow-absent]: flow 'flow-0' is ")
    assert "no faults" not in told
    assert ": 1 error, 1 warning\n" in told
    assert told.endswith("Twilio was asked about 2 flows\n")
    code, told = await ended(tmp_path, "check", "--online", "--format", "github", **settings(sandbox))
    assert (code, told.count("::error file=routes.yaml,line=4,col=11,title=flow-absent::")) == (1, 1)
    assert told.count("\n") == 2


async def test_a_file_with_errors_is_not_asked_about(tmp_path: Path, sandbox: Sandbox) -> None:
    """Nothing that is about to change is worth a request, and it says so."""
    write(tmp_path, REFUNDS, rest="  /tools/wrong: {flow: nowhere}\n")
    code, told = await ended(tmp_path, "check", "--online", **settings(sandbox))
    assert code == 1
    assert told.endswith("Twilio was not asked, as the file itself has errors\n")
    assert sandbox.requests == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"TWILIO_ACCOUNT_SID": ""}, "TWILIO_ACCOUNT_SID is not set, so Twilio cannot be asked; set it\n"),
        (
            {"TWILIO_AUTH_TOKEN": ""},
            "TWILIO_AUTH_TOKEN is not set, so Twilio cannot be asked; set it, or TWILIO_API_KEY and TWILIO_API_SECRET",
        ),
        (
            {"TWILIO_ACCOUNT_SID": " ", "TWILIO_AUTH_TOKEN": ""},
            "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN are not set, so Twilio cannot be asked; set them, or",
        ),
        ({"TWILIO_API_KEY": "SK1"}, "TWILIO_API_SECRET is not set, so Twilio cannot be asked; set it\n"),
        ({"TWILIO_ACCOUNT_SID": "AC12"}, "TWILIO_ACCOUNT_SID: expected AC and 32 hex digits"),
    ],
)
async def test_missing_credentials_are_one_line(
    tmp_path: Path, sandbox: Sandbox, changes: dict[str, str], said: str
) -> None:
    """The setting that is missing is named, and 1."""
    write(tmp_path, REFUNDS)
    code, told = await ended(tmp_path, "check", "--online", **settings(sandbox, **changes))
    assert code == 1
    assert told.startswith(f"handover: {said}")
    assert told.count("\n") == 1


async def test_wrong_credentials_are_told_once(tmp_path: Path, sandbox: Sandbox) -> None:
    """Twilio's refusal names the settings, and neither of their values but the account's is anywhere."""
    write(tmp_path, *(f"FW{number:032x}" for number in range(100)))
    code, told = await ended(tmp_path, "check", "--online", **settings(sandbox, TWILIO_AUTH_TOKEN="guessed-token"))
    assert code == 1
    assert told.count("error[") == 1
    assert (
        "error[online-refused]: the flows could not be checked online: Twilio does not know these credentials" in told
    )
    assert "TWILIO_AUTH_TOKEN" in told
    assert "guessed-token" not in told
    assert len(sandbox.requests) < 20
    assert told.endswith(f"Twilio was asked about {len(sandbox.requests)} flows\n")


async def test_nobody_there_is_told_once(tmp_path: Path, sandbox: Sandbox) -> None:
    """Where no connection comes about, one line says so and how many flows that concerns."""
    listener, url = listen()
    listener.close()
    write(tmp_path, REFUNDS, BILLING)
    code, told = await ended(tmp_path, "check", "--online", **settings(sandbox, HANDOVER_TWILIO_URL=url))
    assert code == 1
    assert told.count("error[") == 1
    assert "error[online-unreachable]: flow 'flow-0' could not be checked online, nor could 1 more: no conn" in told
    assert "about 2 flows" not in told
    assert told.endswith("Twilio was not reached\n")


async def test_a_busy_twilio_is_asked_again(tmp_path: Path, sandbox: Sandbox) -> None:
    """The gateway's own repeats hold here too: one refusal for haste is no fault."""
    sandbox.faults.add(Fault("rate_limited", method="GET", path="/v2/Flows/*"))
    write(tmp_path, REFUNDS)
    code, _told = await ended(tmp_path, "check", "--online", **settings(sandbox))
    assert code == 0
    assert [entry.status for entry in sandbox.requests] == [429, 200]


async def test_ctrl_c_is_clean(tmp_path: Path, sandbox: Sandbox) -> None:
    """It ends at once with the shell's code for an interrupt and a line, without a traceback."""
    armed = sandbox.faults.add(Fault("slow", method="GET", path="/v2/Flows/*"))
    write(tmp_path, REFUNDS)
    async with started(tmp_path, "check", "--online", **settings(sandbox)) as program:
        await armed.reached.wait()
        assert await program.stop(signal.SIGINT) == 130
        assert program.output == "handover: stopped; nothing was changed\n"
