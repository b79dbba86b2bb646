from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest

from router.serving import listen
from router.twilio.signatures import sign
from tests.cli.programs import Program, ended, started, url_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from router.sandbox.sandbox import Sandbox

ROUTES = """\
version: 1
flows: {refunds: FW00000000000000000000000000000001}
auth: [twilio_signature, secret: "${env:HANDOVER_SECRET:-}"]
assistant_webhooks: ["https://*.twil.io/*"]
tools: {/tools/support: {flow: refunds}}
"""
SERVE = ("serve", "--port", "0")
AUTH_TOKEN = "7ea5e7ea5e7ea5e7ea5e7ea5e7ea5e7e"
CREDENTIALS = {"TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_AUTH_TOKEN": AUTH_TOKEN}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with routes in it, to serve from."""
    (tmp_path / "routes.yaml").write_text(ROUTES, encoding="utf-8")
    return tmp_path


@contextlib.asynccontextmanager
async def served(directory: Path, *arguments: str, **environ: str) -> AsyncIterator[tuple[Program, str]]:
    """Serve until the block ends; gives the program and its URL."""
    async with started(directory, *SERVE, *arguments, **{**CREDENTIALS, **environ}) as program:
        yield program, url_in(await program.until("handover: serving on "))


async def fetch(url: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    """Make a request; the server may still be about to start."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with aiohttp.ClientSession() as session, session.request(method, url, headers=named) as answer:
        return answer.status, await answer.text()


async def test_it_serves_hands_over_and_stops(directory: Path, sandbox: Sandbox) -> None:
    """A signed call over the URL that it says itself hands a conversation over; SIGTERM is a stop and no failure."""
    conversation = sandbox.open_conversation(agent_url="https://a.twil.io/x")
    environ = {
        "TWILIO_ACCOUNT_SID": sandbox.account_sid,
        "TWILIO_AUTH_TOKEN": sandbox.auth_token,
        "HANDOVER_TWILIO_URL": sandbox.url,
    }
    async with served(directory, **environ) as (program, url):
        assert f"HANDOVER_PUBLIC_URL is not set; signatures are checked against {url}\n" in program.output
        tool = f"{url}/tools/support"
        signature = sign(sandbox.auth_token, tool, {})
        told = await fetch(tool, "POST", X_Session_Id=conversation.session, X_Twilio_Signature=signature)
        assert told == (200, "Conversation handed over")
        assert [found.kind for found in sandbox.responders(conversation)] == ["studio"]
        assert (await fetch(f"{url}/readyz"))[0] == 200
        assert await program.stop(signal.SIGTERM) == 0
    assert '"outcome": "handed_over"' in program.output
    assert sandbox.auth_token not in program.output
    assert "Traceback" not in program.output


async def test_ctrl_c_stops_it_too(directory: Path) -> None:
    """SIGINT ends it with 0 and without a word."""
    async with served(directory, HANDOVER_PUBLIC_URL="https://h.example") as (program, url):
        assert (await fetch(f"{url}/healthz"))[0] == 200
        assert await program.stop(signal.SIGINT) == 0
    assert program.output == f"handover: serving on {url}\n"


async def test_a_stuck_caller_does_not_keep_it_from_stopping(directory: Path) -> None:
    """A request that never ends gets the deadline of a call at a stop, and no more."""
    async with served(directory, HANDOVER_DEADLINE="0.5") as (program, url):
        assert (await fetch(f"{url}/healthz"))[0] == 200
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"POST /tools/support HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        await writer.drain()
        await asyncio.sleep(0.2)
        async with asyncio.timeout(10):
            assert await program.stop(signal.SIGTERM) == 0
        writer.close()
        await reader.read()


LEFTOVER = """
import asyncio, sys, threading, time
from router import hookimpl
from starlette.responses import PlainTextResponse
from starlette.routing import Route

TASKS = []

async def swallow():
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass

LEAVE = {
    "task": lambda: TASKS.append(asyncio.create_task(swallow())),
    "thread": lambda: threading.Thread(target=time.sleep, args=(60,)).start(),
    "to_thread": lambda: TASKS.append(asyncio.create_task(asyncio.to_thread(time.sleep, 60))),
    "exit": lambda: asyncio.get_running_loop().call_soon(sys.exit),
}

@hookimpl
def register_endpoints():
    async def leave(request):
        LEAVE[request.path_params["what"]]()
        return PlainTextResponse("left")
    return [Route("/{what}", leave)]
"""


@pytest.fixture
def plugged(directory: Path) -> Path:
    """A directory whose plugin leaves behind what it is asked for."""
    (directory / "plugins").mkdir()
    (directory / "plugins" / "leftover.py").write_text(LEFTOVER)
    (directory / "routes.yaml").write_text(ROUTES + "plugins: [{use: leftover}]\n")
    return directory


@pytest.mark.parametrize("what", ["task", "thread", "to_thread"])
async def test_what_a_plugin_leaves_behind_does_not_keep_it_from_stopping(plugged: Path, what: str) -> None:
    """A thread, or a task that cannot be cancelled, ends with the process, which ends with 0."""
    async with served(plugged, HANDOVER_SECRET="s") as (program, url):
        assert await fetch(f"{url}/plugins/leftover/{what}") == (200, "left")
        async with asyncio.timeout(10):
            assert await program.stop(signal.SIGTERM) == 0


async def test_a_plugin_that_ends_the_server_is_a_failure(plugged: Path) -> None:
    """``sys.exit`` in a callback ends the process with 1, so that it is started again, and one line says why."""
    async with served(plugged, HANDOVER_SECRET="s") as (program, url):
        with contextlib.suppress(aiohttp.ClientError):
            await fetch(f"{url}/plugins/leftover/exit")
        async with asyncio.timeout(10):
            assert await program.end() == 1
    assert "handover: a task or a callback of a plugin called sys.exit" in program.output


async def test_several_workers_answer(directory: Path) -> None:
    """Two processes answer on one port, and end with the one that started them."""
    async with served(directory, "--workers", "2", HANDOVER_SECRET="s3cret-s3cret") as (program, url):
        async with asyncio.timeout(20):
            replies = [await fetch(f"{url}/tools/support", "POST", X_Handover_Secret="s3cret-s3cret") for _ in range(6)]
        assert [status for status, _text in replies] == [200] * 6
        assert await program.stop(signal.SIGTERM) == 0
    assert "s3cret-s3cret" not in program.output
    assert program.output.count('"outcome": "not_a_conversation"') == 6


def workers_of(pid: int) -> list[int]:
    """List the processes that serve for another one, less the helper that Python gives them."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


async def test_a_worker_that_is_killed_is_replaced_and_told(directory: Path) -> None:
    """The log has a line in JSON that says how it ended, and the port is answered on."""
    async with served(directory, "--workers", "2", HANDOVER_SECRET="s3cret-s3cret") as (program, url):
        worker, _other = workers_of(program.process.pid)
        os.kill(worker, signal.SIGKILL)
        told = json.loads(await program.until("takes its place"))
        assert (told["level"], told["event"].partition(",")[0]) == ("warning", f"worker {worker} has ended (SIGKILL)")
        assert (await fetch(f"{url}/healthz"))[0] == 200


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_sighup_reloads_without_losing_a_call(directory: Path, workers: str) -> None:
    """Every process takes the changed file, none ends, and a broken one changes nothing."""
    async with served(directory, "--workers", workers, HANDOVER_POLL="0", HANDOVER_SECRET="s") as (program, url):
        assert (await fetch(f"{url}/tools/new", "POST"))[0] == 404
        (directory / "routes.yaml").write_text(ROUTES.replace("tools: {", "tools: {/tools/new: {flow: refunds}, "))
        await told_until(program, url, {403})
        (directory / "routes.yaml").write_text("}")
        program.process.send_signal(signal.SIGHUP)
        await program.until('"event": "reload refused"')
        assert (await fetch(f"{url}/tools/new", "POST"))[0] == 403
        assert await program.stop(signal.SIGTERM) == 0
    assert '"by": "SIGHUP"' in program.output


async def told_until(program: Program, url: str, statuses: set[int]) -> None:
    """Send SIGHUP until every process answers so: one that is not up yet is not told, and reads the file by itself."""
    async with asyncio.timeout(30):
        while {(await fetch(f"{url}/tools/new", "POST"))[0] for _ in range(12)} != statuses:
            program.process.send_signal(signal.SIGHUP)
            await asyncio.sleep(1)


async def test_a_restart_after_a_kill_comes_up_with_the_last_good_form(directory: Path) -> None:
    """Killed with -9 and started again on a broken file it serves as before, and says that it does."""
    async with served(directory, HANDOVER_SECRET="s") as (program, url):
        assert (await fetch(f"{url}/tools/support", "POST", X_Handover_Secret="s"))[0] == 200
        await program.stop(signal.SIGKILL)
    (directory / "routes.yaml").write_text(ROUTES.replace("version: 1", "version: 7"))
    async with served(directory, HANDOVER_SECRET="s") as (program, url):
        assert (await fetch(f"{url}/tools/support", "POST", X_Handover_Secret="s"))[0] == 200
        assert (await fetch(f"{url}/readyz"))[1].startswith("degraded\nconfig: 1 tool,")
        await program.stop(signal.SIGTERM)
    assert "this is their last good form" in program.output


async def test_a_plugin_that_does_not_start_is_told_without_a_traceback(directory: Path) -> None:
    """The server ends with 1 and one line that names the plugin's entry and line; it stands where the option says."""
    (directory / "own").mkdir()
    source = "from router import hookimpl\n\n@hookimpl\ndef started():\n    raise OSError('no queue')\n"
    (directory / "own" / "queue_feed.py").write_text(source)
    (directory / "routes.yaml").write_text(ROUTES + "plugins: [{use: queue-feed}]\n")
    settings = {"HANDOVER_PUBLIC_URL": "https://h.example", **CREDENTIALS}
    code, text = await ended(directory, *SERVE, "--plugins-dir", "own", **settings)
    assert code == 1
    told = "the plugin 'queue-feed' did not start: own/queue_feed.py:5: OSError: no queue"
    assert f"routes.yaml:6:17: error[plugin-start]: {told}" in text
    assert [json.loads(line)["event"] for line in text.splitlines()] == ["plugin failed", "config"]


async def test_the_environment_wins_over_dotenv(directory: Path) -> None:
    """``.env`` of the working directory is read, for settings and for ``${env:…}``; the environment wins."""
    (directory / ".env").write_text(
        "HANDOVER_SECRET=from-the-file\nHANDOVER_ADMIN_TOKEN=admin-of-the-file\nHANDOVER_CONFIG=no/such/file.yaml\n"
    )
    environ = {"HANDOVER_SECRET": "from-the-environment", "HANDOVER_CONFIG": "routes.yaml"}
    async with served(directory, **environ) as (program, url):
        tool = f"{url}/tools/support"
        assert (await fetch(tool, X_Handover_Secret="from-the-environment"))[0] == 200
        assert (await fetch(tool, X_Handover_Secret="from-the-file"))[0] == 403
        assert (await fetch(f"{url}/-/reload", "POST", Authorization="Bearer admin-of-the-file"))[0] == 304
        await program.stop(signal.SIGTERM)
    for secret in ("from-the", "admin-of-the-file", AUTH_TOKEN):
        assert secret not in program.output


async def test_the_option_wins_over_the_setting(directory: Path) -> None:
    """``--config`` names the routes, whatever HANDOVER_CONFIG says, also for the workers."""
    (directory / "other.yaml").write_text(ROUTES.replace("/tools/support", "/tools/other"))
    async with served(directory, "--config", "other.yaml", HANDOVER_CONFIG="no.yaml", HANDOVER_SECRET="s") as (
        program,
        url,
    ):
        assert (await fetch(f"{url}/tools/other"))[0] == 403
        assert (await fetch(f"{url}/tools/support"))[0] == 404
        assert await program.stop(signal.SIGTERM) == 0


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_taken_port_is_one_line(directory: Path, workers: str) -> None:
    """A port that another program has is one line that says what to do, and 1; nothing is said to be served."""
    listener, url = listen()
    port = url.rpartition(":")[2]
    with listener:
        arguments = ("serve", "--port", port, "--workers", workers)
        code, text = await ended(directory, *arguments, HANDOVER_PUBLIC_URL="https://h.example", **CREDENTIALS)
    assert code == 1
    assert text.startswith(f"handover: --host 127.0.0.1 --port {port}: Address already in use")
    assert text.endswith("; choose another\n")
    assert text.count("\n") == 1


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 address of its own")
async def test_it_serves_on_ipv6(directory: Path) -> None:
    """An IPv6 host is taken, and stands in brackets where it is told."""
    async with served(directory, "--host", "::1") as (_program, url):
        assert url.startswith("http://[::1]:")
        assert (await fetch(f"{url}/healthz"))[0] == 200


async def test_a_slip_in_a_setting_is_told_at_the_start(directory: Path) -> None:
    """The log has a warning with the name that was likely meant, and the server serves."""
    async with served(directory, HANDOVER_TOKN="hunter2-admin") as (program, url):
        assert (await fetch(f"{url}/healthz"))[0] == 200
    assert "HANDOVER_TOKN is no setting" in program.output


KEY = {"TWILIO_AUTH_TOKEN": "", "TWILIO_API_KEY": "SK" + "0" * 32, "TWILIO_API_SECRET": "hunter2-api"}


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"TWILIO_ACCOUNT_SID": ""}, ["TWILIO_ACCOUNT_SID is not set: expected AC and 32 hex digits"]),
        (
            {"TWILIO_ACCOUNT_SID": "AC1"},
            ["TWILIO_ACCOUNT_SID: expected AC and 32 hex digits", "; found 3 characters, beginning with AC"],
        ),
        ({"TWILIO_ACCOUNT_SID": "hunter2-token"}, ["; found 13 characters, not beginning with AC"]),
        ({"TWILIO_AUTH_TOKEN": "", "HANDOVER_SECRET": "s"}, ["TWILIO_AUTH_TOKEN is not set", "TWILIO_API_KEY"]),
        (KEY, ["auth: no caller could prove itself", "TWILIO_AUTH_TOKEN", "HANDOVER_SECRET", "${env:HANDOVER_SECRET}"]),
        ({"TWILIO_API_KEY": "SK1"}, ["TWILIO_API_KEY and TWILIO_API_SECRET go together"]),
        ({"HANDOVER_PUBLIC_URL": "h.example"}, ["HANDOVER_PUBLIC_URL: expected a base URL"]),
        ({"HANDOVER_DEADLINE": "soon"}, ["HANDOVER_DEADLINE: expected"]),
        ({"HANDOVER_CONFIG": "no/such.yaml"}, ["no/such.yaml:1:1: error["]),
    ],
)
async def test_what_is_missing_is_said_in_one_line(directory: Path, environ: dict[str, str], told: list[str]) -> None:
    """Without what it needs it refuses to start, says how to set it, and ends with 1."""
    settings = {"HANDOVER_PUBLIC_URL": "https://h.example", **CREDENTIALS, **environ}
    code, text = await ended(directory, *SERVE, **settings)
    assert code == 1
    assert text.count("\n") == (2 if "HANDOVER_CONFIG" in environ else 1)  # the second: where to start
    assert all(each in text for each in told)
    assert "hunter2" not in text
    assert AUTH_TOKEN not in text


@pytest.mark.parametrize("auth", ["", "auth: []\n"])
async def test_without_auth_it_refuses_to_start(directory: Path, auth: str) -> None:
    """A file without ``auth`` would let anybody hand over: it says where, and what to add."""
    (directory / "routes.yaml").write_text(ROUTES.replace(ROUTES.splitlines()[2] + "\n", auth))
    code, text = await ended(directory, *SERVE, HANDOVER_PUBLIC_URL="https://h.example", **CREDENTIALS)
    assert code == 1
    assert "routes.yaml:" in text
    assert "auth" in text
    assert "twilio_signature" in text


async def test_every_fault_of_the_routes_is_told(directory: Path) -> None:
    """A file with two faults is two lines with their places, and 1."""
    (directory / "routes.yaml").write_text(ROUTES.replace("flow: refunds", "flow: refnds, replay: sometimes"))
    code, text = await ended(directory, *SERVE, HANDOVER_PUBLIC_URL="https://h.example", **CREDENTIALS)
    assert code == 1
    assert [line.split(": ")[0].rpartition(":")[0] for line in text.splitlines()] == ["routes.yaml:5"] * 2


async def test_a_warning_is_told_and_does_not_stop_it(directory: Path) -> None:
    """What is only doubtful stands in the log at the start."""
    (directory / "routes.yaml").write_text(ROUTES.replace("flows: {", "flows: {unused: FW" + "9" * 32 + ", "))
    async with served(directory) as (program, url):
        assert (await fetch(f"{url}/healthz"))[0] == 200
        await program.stop(signal.SIGTERM)
    assert "warning[flow-unused]" in program.output
