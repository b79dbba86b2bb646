"""The bundled ``notify``, against a receiver over real HTTP that checks signatures by means of its own."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import hashlib
import hmac
import json
import logging
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from router.bundled import PLUGINS
from router.config import load
from router.errors import ConfigError, NotAttached
from router.hooks.discovery import discover
from router.hooks.host import PluginHost
from router.model.outcome import Outcome
from tests.hooks.kit import FLOW, HANDOVER, TWILIO, use
from tests.kit import ROUTES
from tests.receiver import Receiver, receiving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from router.model.routes import PluginUse

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
PAGE = (Path(__file__).parents[2] / "docs" / "plugins" / "notify.md").read_text(encoding="utf-8")
GIVEN: dict[str, dict[str, Any]] = {
    "after_swap": {"outcome": Outcome.HANDED_OVER},
    "swap_failed": {"error": NotAttached("nothing was attached")},
    "after_hand_back": {},
}
OUTCOMES = {"after_swap": "handed_over", "swap_failed": "failed", "after_hand_back": "handed_back"}
TYPES = {"after_swap": "accepted", "swap_failed": "failed", "after_hand_back": "completed"}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@contextlib.asynccontextmanager
async def notifying(receiver: Receiver | str, **config: Any) -> AsyncIterator[tuple[PluginHost, PluginUse]]:
    """Start the plugin anew, as each app does."""
    found = discover([PLUGINS]).plugins["notify"]
    url = receiver if isinstance(receiver, str) else f"{receiver.url}/hook?token=hush"
    host, entry = PluginHost.of([found]), use("notify", url=url, secret=SECRET, **config)
    assert list(await host.start([entry], TWILIO)) == []
    yield host, entry
    await host.stop(TWILIO)


async def tell(host: PluginHost, entry: PluginUse, hook: str = "after_swap") -> str:
    given = {"handover": HANDOVER, "twilio": TWILIO, **GIVEN[hook]}
    return await host.tell_one("notify", hook, given, (entry,))


@pytest.mark.parametrize("url", ["https://[hush", "https://hooks.example.com:hush/", "https://hooks.example.com:99999"])
async def test_a_url_that_cannot_be_read_is_found_at_the_start(url: str) -> None:
    """Not at the first handover, and what stands in it is not shown."""
    host = PluginHost.of([discover([PLUGINS]).plugins["notify"]])
    (fault,) = await host.start([use("notify", url=url, secret=SECRET)], TWILIO)
    assert "'url' cannot be read; give one such as https://HOST/PATH" in str(fault)
    assert "hush" not in str(fault)
    await host.stop(TWILIO)


@pytest.mark.parametrize("hook", GIVEN)
async def test_a_turn_is_a_signed_post(receiver: Receiver, hook: str) -> None:
    """What arrives names the handover and the turn, is signed over id, time and body, and knows no customer."""
    async with notifying(receiver) as (host, entry):
        assert await tell(host, entry, hook) == ""
    (got,) = receiver.got
    stamp = got.headers["webhook-timestamp"]
    expected = hmac.new(KEY, b".".join((got.headers["webhook-id"].encode(), stamp.encode(), got.body)), hashlib.sha256)
    assert got.headers["webhook-signature"] == f"v1,{base64.b64encode(expected.digest()).decode()}"
    assert abs(int(stamp) - time.time()) < 10
    assert got.headers["webhook-id"] == f"{HANDOVER.id}-{TYPES[hook]}"
    assert (got.target, got.headers["content-type"]) == ("/hook?token=hush", "application/json")
    said = json.loads(got.body)
    at = datetime.fromisoformat(said.pop("timestamp"))
    assert abs((datetime.now(UTC) - at).total_seconds()) < 10
    about = {"id": HANDOVER.id, "tool": "/tools/support", "intent": "refund", "flow": FLOW}
    about |= {"conversation": HANDOVER.conversation, "outcome": OUTCOMES[hook]}
    assert said == {"type": f"handover.{TYPES[hook]}", "data": about}


async def test_all_of_it_is_told_in_the_background() -> None:
    """No call ever waits for a receiver."""
    found = discover([PLUGINS]).plugins["notify"]
    assert found.background == ("after_swap", "swap_failed", "after_hand_back")


async def test_only_what_is_wanted_is_sent(receiver: Receiver) -> None:
    """What is not among the events counts as heard."""
    async with notifying(receiver, events=["completed"]) as (host, entry):
        assert [await tell(host, entry, hook) for hook in GIVEN] == ["", "", ""]
    assert [got.headers["webhook-id"] for got in receiver.got] == [f"{HANDOVER.id}-completed"]


async def test_a_repeat_has_the_same_id(receiver: Receiver) -> None:
    """So the receiver can tell that it has heard this before."""
    async with notifying(receiver) as (host, entry):
        receiver.statuses = [503, 200]
        assert await tell(host, entry) == f"NotDelivered: 127.0.0.1 answered 503{at_line()}"
        assert await tell(host, entry) == ""
    first, second = receiver.got
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def at_line() -> str:
    """Say where the plugin raises, as the host does."""
    lines = (PLUGINS / "notify.py").read_text().splitlines()
    return f" (line {next(number for number, line in enumerate(lines, 1) if 'answered {status}' in line)})"


@pytest.mark.parametrize("status", [302, 307, 400, 401, 404, 429, 500])
async def test_what_is_no_success_is_a_failure(receiver: Receiver, status: int) -> None:
    """Redirects too, which are not followed: the router tries again."""
    async with notifying(receiver) as (host, entry):
        receiver.statuses = [status]
        receiver.location = f"{receiver.url}/elsewhere"
        assert f"answered {status}" in await tell(host, entry)
    assert len(receiver.got) == 1


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_any_2xx_is_success(receiver: Receiver, status: int) -> None:
    """Whatever else it says."""
    async with notifying(receiver) as (host, entry):
        receiver.statuses = [status]
        assert await tell(host, entry) == ""


async def test_who_is_gone_is_not_told_again(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """410 counts as heard, with a note in the log that has no more of the URL than its host."""
    async with notifying(receiver) as (host, entry):
        receiver.statuses = [410]
        with caplog.at_level(logging.WARNING, logger="handover.notify"):
            assert await tell(host, entry) == ""
    assert caplog.messages == [f"127.0.0.1 answered 410 Gone: {HANDOVER.id}-accepted is not sent again"]


async def test_nobody_there_is_a_failure_without_the_url(receiver: Receiver) -> None:
    """A refused connection, a cut one and silence: the reason has neither the query nor the secret."""
    async with notifying("http://127.0.0.1:9/hook?token=hush") as (host, entry):
        refused = await tell(host, entry)
    async with notifying(receiver) as (host, entry):
        receiver.cuts = True
        cut = await tell(host, entry)
    assert "NotDelivered: 127.0.0.1 gave no answer: ClientConnectorError" in refused
    assert "NotDelivered: 127.0.0.1 gave no answer: " in cut
    assert not [text for text in (refused, cut) if "hush" in text or SECRET[6:] in text]


async def test_silence_ends_before_the_routers_own_deadline(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver that takes the request and says nothing is given up for this time."""
    found = discover([PLUGINS]).plugins["notify"]
    assert vars(found.plugin)["SECONDS"] < 10
    monkeypatch.setitem(vars(found.plugin), "SECONDS", 0.05)
    host, entry = PluginHost.of([found]), use("notify", url=receiver.url, secret=SECRET)
    await host.start([entry], TWILIO)
    receiver.hangs = asyncio.Event()
    assert "gave no answer: " in await tell(host, entry)
    receiver.hangs.set()
    await host.stop(TWILIO)


async def test_what_was_opened_is_closed(receiver: Receiver) -> None:
    """The session of one app ends with it."""
    found = discover([PLUGINS]).plugins["notify"]
    host, entry = PluginHost.of([found]), use("notify", url=receiver.url, secret=SECRET)
    await host.start([entry], TWILIO)
    (session,) = vars(found.plugin)["OPEN"]
    await host.stop(TWILIO)
    assert session.closed
    assert vars(found.plugin)["OPEN"] == []


def faults(directory: Path, **config: Any) -> list[str]:
    entry = json.dumps({"use": "notify", "config": config})
    (directory / "routes.yaml").write_text(f"{ROUTES}plugins: [{entry}]\n", encoding="utf-8")
    try:
        load(directory / "routes.yaml", environ={})
    except ConfigError as error:
        return [each.message for each in error.diagnostics if each.code == "plugin-config"]
    return []


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com",
        "https://hooks.example.com:8443/in?token=x",
        "http://localhost:8080/hook",
        "http://127.0.0.1",
        "http://[::1]:9/",
    ],
)
def test_what_is_encrypted_or_stays_here_may_be_posted_to(tmp_path: Path, url: str) -> None:
    """Any https URL, and http on this machine."""
    assert faults(tmp_path, url=url, secret=SECRET) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com",
        "http://localhost.example.com",
        "http://localhost:80@hooks.example.com",
        "http://localhost@hooks.example.com",
        "ftp://localhost/",
        "https://",
        "hooks.example.com",
    ],
)
def test_no_other_url_is_taken(tmp_path: Path, url: str) -> None:
    """What would go over a network in the clear is a fault of the file."""
    message = "'url' is none that 'notify' posts to; give one of https, or of http on this machine"
    assert faults(tmp_path, url=url, secret=SECRET) == [message]


@pytest.mark.parametrize(
    "secret", ["", KEY.decode(), "whsec_", "whsec_c2hvcnQ=", SECRET + "=", "whsec_" + "-" * 40, SECRET[:-1]]
)
def test_a_secret_is_one_or_a_fault(tmp_path: Path, secret: str) -> None:
    """One that no receiver would take is found at load, and is not shown."""
    (fault,) = faults(tmp_path, url="https://hooks.example.com", secret=secret)
    assert "'secret'" in fault
    assert len(secret) < 10 or secret[6:] not in fault


@pytest.mark.parametrize("events", [[], ["initiated"], ["failed", "failed"]])
def test_events_are_the_turns_there_are(tmp_path: Path, events: list[str]) -> None:
    """None at all, an unknown one, or one twice is a fault."""
    assert len(faults(tmp_path, url="https://hooks.example.com", secret=SECRET, events=events)) == 1


async def test_the_page_says_what_is_sent(receiver: Receiver) -> None:
    """Its example of a body has the very keys of a real one, and its table of config all keys that there are."""
    async with notifying(receiver) as (host, entry):
        await tell(host, entry)
    shown = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])
    real = json.loads(receiver.got[0].body)
    assert (list(shown), list(shown["data"])) == (list(real), list(real["data"]))
    schema = discover([PLUGINS]).plugins["notify"].config_schema
    assert schema is not None
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)[:3] == list(schema["properties"])


def test_the_receiver_of_the_page_takes_what_we_sign() -> None:
    """Whoever copies it can tell our requests from others."""
    (source,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(source, names)  # noqa: S102 - the page is ours
    plugin = vars(discover([PLUGINS]).plugins["notify"].plugin)
    body, stamp = b'{"type": "handover.accepted"}', str(int(time.time()))
    sign = plugin["signature"](SECRET, b"HO1-accepted." + stamp.encode() + b"." + body)
    headers = {"webhook-id": "HO1-accepted", "webhook-timestamp": stamp, "webhook-signature": f"v1,AAAA {sign}"}
    assert names["is_genuine"](headers, body, SECRET)
    assert not names["is_genuine"](headers, body + b" ", SECRET)
    assert not names["is_genuine"](headers | {"webhook-timestamp": str(int(time.time()) - 3600)}, body, SECRET)
    assert not names["is_genuine"](headers | {"webhook-signature": "v1,AAAA"}, body, SECRET)


async def test_a_masked_handover_is_enough(receiver: Receiver) -> None:
    """What the ledger knows is all that is sent: no inputs and no identity are needed."""
    bare = dataclasses.replace(HANDOVER, identity="", inputs={})
    async with notifying(receiver) as (host, entry):
        given = {"handover": bare, "twilio": TWILIO, **GIVEN["after_swap"]}
        assert await host.tell_one("notify", "after_swap", given, (entry,)) == ""
    assert b"refund" in receiver.got[0].body
    assert b"5550100" not in receiver.got[0].body
