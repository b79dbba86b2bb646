"""The server as a process that can be killed: started on a ledger, called, ended, and what it leaves at the sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from router.model.call import Identity
from tests.cli.programs import HANDOVER, ended, url_in
from tests.kit import AGENT_URL, BILLING, FOREIGN, REFUNDS, agents, flows, foreign

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from router.model.webhook import ScopedWebhook
    from router.sandbox.sandbox import Sandbox
    from router.sandbox.world import Conversation

TOOL: Final = "/tools/support"
OTHER: Final = "/tools/billing"
REPLAYING: Final = "/tools/replay"
SECRET: Final = "a-secret-of-the-tests"
SUCCESS: Final = "Our refunds desk takes over now."
OPERATOR: Final = "an-operator-of-the-tests"

ROUTES: Final = f"""
version: 1
flows: {{refunds: {REFUNDS}, billing: {BILLING}}}
auth: [secret: {SECRET}]
assistant_webhooks: ["https://*.twil.io/channels/conversations/messageAdded*"]
plugins: [use: stopover, use: conversation-attributes]
tools:
  {TOOL}: {{flow: refunds, messages: {{success: {SUCCESS}}}}}
  {OTHER}: {{flow: billing}}
  {REPLAYING}: {{flow: refunds, replay: last_message}}
"""

STOPOVER: Final = """
import asyncio
from pathlib import Path

from router import hookimpl


@hookimpl
async def before_swap(handover):
    if "stop" in handover.inputs:
        Path(f"stopped-{handover.conversation}").touch()
        await asyncio.sleep(60)
"""
"""A guard that never comes to an end where a call asks for it; a file says that it was asked."""

PATIENCE: Final = 20.0
SECONDS: Final = 8.0
"""So long, at the most, a conversation may be without its one responder once the server is there again."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a caller was told, and after how many seconds."""

    status: int
    outcome: str
    message: str
    handover_id: str
    seconds: float


@dataclass(slots=True)
class Server:
    """A running ``handover serve``; ``output`` is what it has said so far."""

    process: asyncio.subprocess.Process
    session: aiohttp.ClientSession
    output: list[str] = field(default_factory=list)
    url: str = ""

    async def call(self, conversation: Conversation, tool: str = TOOL, token: str = "", **inputs: str) -> Told:
        """Call a tool as the agent does; raises aiohttp.ClientError where no answer comes."""
        headers = {
            "X-Session-Id": conversation.session,
            "X-Identity": str(Identity("whatsapp", conversation.customer.address.partition(":")[2])),
            "Accept": "application/json",
            "X-Handover-Secret": SECRET,
        }
        if token:
            headers["I-Twilio-Idempotency-Token"] = token
        return await self._told("POST", tool, headers, inputs)

    async def hand_back(self, conversation: Conversation, execution: str = "") -> Told:
        """Ask for the way back, as a flow does."""
        wanted = {"conversation": conversation.sid, "execution": execution}
        return await self._told("POST", "/-/hand-back", {"X-Handover-Secret": SECRET}, wanted)

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(self.url + path) as answer:
            return answer.status, await answer.text()

    async def readiness(self) -> tuple[int, str]:
        return await self.get("/readyz")

    async def kill(self) -> None:
        """End it as a power cut does, with its workers."""
        os.killpg(self.process.pid, signal.SIGKILL)
        await self.process.wait()

    async def stop(self) -> int:
        """End it in good order, and give the exit code."""
        self.process.terminate()
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()

    @property
    def is_running(self) -> bool:
        return self.process.returncode is None

    @property
    def rss(self) -> int:
        """Bytes of memory in use."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    async def _told(self, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, str]) -> Told:
        begun = time.monotonic()
        async with self.session.request(method, self.url + path, headers=headers, json=body) as answer:
            text = await answer.text()
        seconds = time.monotonic() - begun
        said = json.loads(text) if answer.content_type == "application/json" else {"outcome": "", "message": text}
        return Told(answer.status, said["outcome"], said["message"], said.get("handover_id", ""), seconds)


def environ_of(sandbox: Sandbox, **more: str) -> dict[str, str]:
    """Give the settings that make the sandbox a server's Twilio."""
    return {
        "TWILIO_ACCOUNT_SID": sandbox.account_sid,
        "TWILIO_AUTH_TOKEN": sandbox.auth_token,
        "HANDOVER_TWILIO_URL": sandbox.url,
        "HANDOVER_PUBLIC_URL": "https://handover.example.com",
        "HANDOVER_POLL": "0",
        **more,
    }


def furnish(directory: Path, routes: str = ROUTES) -> Path:
    """Write the routes, and the guard that stops."""
    (directory / "plugins").mkdir(parents=True)
    (directory / "plugins" / "stopover.py").write_text(STOPOVER)
    (directory / "routes.yaml").write_text(routes)
    return directory


@contextlib.asynccontextmanager
async def served(directory: Path, environ: Mapping[str, str], *arguments: str) -> AsyncIterator[Server]:
    """Serve while the block runs, from ``directory``, with nothing of our own settings; at the end it is killed."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("TWILIO_", "HANDOVER_"))}
    process = await asyncio.create_subprocess_exec(
        HANDOVER,
        *("serve", "--port", "0", *arguments),
        cwd=directory,
        env={**bare, **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(PATIENCE)) as session:
        server = Server(process, session)
        listening = asyncio.Event()
        reading = asyncio.create_task(_read(server, listening))
        try:
            async with asyncio.timeout(PATIENCE):
                await listening.wait()
                await server.get("/healthz")
            yield server
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            await reading


async def _read(server: Server, listening: asyncio.Event) -> None:
    """Read what the server says, lest it wait for us."""
    assert server.process.stdout is not None
    while line := (await server.process.stdout.readline()).decode():
        server.output.append(line)
        if "handover: serving on " in line:
            server.url = url_in(line)
            listening.set()
    listening.set()


async def history(directory: Path, environ: Mapping[str, str]) -> list[dict[str, Any]]:
    """Ask ``handover history`` for all that it knows."""
    code, output = await ended(directory, "history", "--json", "--limit", "100000", **environ)
    assert code == 0, output
    rows: list[dict[str, Any]] = json.loads(output)["handovers"]
    return rows


async def eventually(reached: Callable[[], object], seconds: float = SECONDS) -> bool:
    """Wait until something is so, and say whether it came to that."""
    until = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > until:
            return False
        await asyncio.sleep(0.02)
    return True


def open_conversation(sandbox: Sandbox, *, is_full: bool = False, customer: str = "whatsapp:+15550100") -> Conversation:
    """Open a conversation with the agent and two webhooks that are nobody's business; four where it is full."""
    others = FOREIGN[:4] if is_full else FOREIGN[:2]
    return sandbox.open_conversation(agent_url=AGENT_URL, webhooks=others, customer=customer)


@dataclass(frozen=True, slots=True)
class Guest:
    """A conversation under test, with the foreign webhooks that it began with."""

    conversation: Conversation
    foreign: Sequence[ScopedWebhook]

    @classmethod
    def at(cls, sandbox: Sandbox, *, is_full: bool = False, customer: str = "whatsapp:+15550100") -> Guest:
        conversation = open_conversation(sandbox, is_full=is_full, customer=customer)
        return cls(conversation, foreign(conversation))

    def answers_alone(self, flow: str = "") -> bool:
        """Say whether one responder is there, ``flow`` or (empty) the agent, and everybody else's webhooks too."""
        expected = ([flow], 0) if flow else ([], 1)
        return (flows(self.conversation), len(agents(self.conversation))) == expected and self.is_respected

    @property
    def is_respected(self) -> bool:
        """Say whether nobody else's webhook was touched."""
        return foreign(self.conversation) == self.foreign

    @property
    def has_one(self) -> bool:
        """Say whether one responder answers, whoever it is."""
        return len(flows(self.conversation)) + len(agents(self.conversation)) == 1 and self.is_respected

    @property
    def state(self) -> str:
        """Say in a failed test what is there."""
        return f"flows {flows(self.conversation)}, agents {len(agents(self.conversation))}, {self.is_respected=}"
