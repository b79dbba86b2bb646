from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import aiohttp
import pytest

from router.bundled import FLOWS
from router.cli import main
from router.serving import listen
from tests.cli.programs import started, url_in

if TYPE_CHECKING:
    from pathlib import Path


async def test_it_serves_until_ctrl_c(tmp_path: Path) -> None:
    """It says what to set for the router, answers, and ends with 0."""
    async with started(tmp_path, "sandbox", "--port", "0") as program:
        url = url_in(await program.until("A stand-in for Twilio listens on "))
        await program.until("/sandbox/conversations/CH")
        for setting in (
            f"export HANDOVER_TWILIO_URL={url}",
            "export TWILIO_ACCOUNT_SID=AC",
            "export TWILIO_AUTH_TOKEN=",
        ):
            assert setting in program.output
        async with aiohttp.ClientSession() as session, session.get(f"{url}/sandbox") as answer:
            assert (await answer.json())["account_sid"] in program.output
        assert await program.stop(signal.SIGINT) == 0
        assert "Traceback" not in program.output


def test_a_taken_port_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A port that another program has is a line that says what to do, and 1."""
    listener, url = listen()
    port = url.rpartition(":")[2]
    with listener, pytest.raises(SystemExit) as end:
        main(["sandbox", "--port", port])
    assert end.value.code == 1
    told = capsys.readouterr().err
    assert told.startswith(f"handover: --port {port}: Address already in use")
    assert told.endswith("; choose another\n")


@pytest.mark.parametrize(
    ("tool", "path", "given"),
    [
        ("/tools/bill: {flow: bills}", "/tools/bill", "-X POST"),
        ("/tools/bill: {intent: wish, intents: {bill: {flow: bills}}}", "/tools/bill", "-d wish=bill"),
        ("/tools/bill: {flow: unknown}", "/tools/support", "-d intent=refund"),
    ],
    ids=["without intents", "with intents", "with faults"],
)
async def test_it_says_how_to_call_the_first_tool_of_ones_own(tool: str, path: str, given: str, tmp_path: Path) -> None:
    """It stands in the ``curl`` that is printed, with the secret; a file with faults keeps nobody from playing."""
    head = f"version: 1\nflows: {{bills: FW{'b' * 32}}}\nauth: [{{secret: '${{env:HANDOVER_SECRET}}'}}]\n"
    (tmp_path / "routes.yaml").write_text(f"{head}tools: {{{tool}}}\n")
    async with started(tmp_path, "sandbox", "--port", "0") as program:
        await program.until(f"curl http://127.0.0.1:8000{path} -H 'X-Handover-Secret: try-it'")
        assert (await program.until("X-Session-Id")).endswith(f"' {given}\n")
        assert await program.stop(signal.SIGINT) == 0


async def test_it_plays_flows_of_ones_own(tmp_path: Path) -> None:
    """A flow that is named by Flow SID and file is there beside the two shipped ones."""
    sid = "FW" + "a" * 32
    async with started(tmp_path, "sandbox", "--port", "0", "--flow", f"{sid}={FLOWS / 'billing.json'}") as program:
        url = url_in(await program.until("A stand-in for Twilio listens on "))
        async with aiohttp.ClientSession() as session, session.get(f"{url}/sandbox") as answer:
            flows = (await answer.json())["flows"]
        assert len(flows) == 3
        assert sid in flows
        assert await program.stop(signal.SIGINT) == 0


@pytest.mark.parametrize(
    ("flow", "said"),
    [
        ("refunds.json", "expected FW and 32 hex digits, '=', and a file"),
        ("FW" + "a" * 32, "expected FW and 32 hex digits, '=', and a file"),
        ("FW" + "a" * 32 + "=nowhere.json", "expected an exported Studio Flow as JSON: [Errno 2] No such file"),
        ("FW" + "a" * 32 + "=text.json", "expected an exported Studio Flow as JSON: Expecting value"),
        ("FW" + "a" * 32 + "=empty.json", "expected an exported Studio Flow with a list 'states'"),
    ],
)
def test_a_flow_that_cannot_be_played_is_one_line(
    flow: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was given, what was expected, and 1."""
    (tmp_path / "text.json").write_text("no JSON")
    (tmp_path / "empty.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["sandbox", "--port", "0", "--flow", flow])
    assert end.value.code == 1
    told = capsys.readouterr().err
    assert told.startswith("handover: --flow")
    assert said in told
    assert told.count("\n") == 1
