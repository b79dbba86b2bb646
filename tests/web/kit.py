"""The router as a stranger meets it: on a real port, with a sandbox behind it, called by a bare HTTP client."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from router.log import new_log
from router.serving import serving
from router.settings import Settings
from router.twilio.signatures import sign
from router.web.app import create_app
from tests.fixtures import running_sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from starlette.applications import Starlette

    from router.sandbox.sandbox import Sandbox
    from router.sandbox.world import Conversation

SECRET = "open-sésame-7f3a"
ADMIN = "admin-token-91c2"
OLD_TOKEN = "0ld70c3n0ld70c3n0ld70c3n0ld70c3n"
PUBLIC = "https://handover.example"
CUSTOMER = "whatsapp:+15550100"
AGENT_URL = "https://agent.twil.io/channels/conversations/messageAdded"
REFUNDS = "FW00000000000000000000000000000001"
BILLING = "FW00000000000000000000000000000002"
UNLISTED = "FW00000000000000000000000000000009"

ROUTES = """\
version: 1
flows:
  refunds: FW00000000000000000000000000000001
  billing: FW00000000000000000000000000000002
auth:
  - twilio_signature
  - secret: ${env:HANDOVER_SECRET}
assistant_webhooks: ["https://*.twil.io/channels/conversations/messageAdded*"]
tools:
  /tools/support:
    intents:
      refund: {flow: refunds, aliases: [money back], messages: {success: "{input.name} is refunded"}}
      billing: {flow: billing}
  /tools/studio-handover:
    flow: refunds
    query: [flowSid, successMessage]
  /tools/any:
    intents:
      refund: {flow: refunds}
      billing: {flow: billing}
    fallback: billing
    intent: wish
  /tools/rehearsal:
    flow: refunds
    dry_run: true
  /tools/echo:
    flow: refunds
    messages: {success: "{tool} {intent} {identity} {input.note}", failure: "{tool} failed for {identity}"}
"""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text)
        return found


@dataclass(slots=True)
class Router:
    """A running router. ``trouble`` is what the server itself logged as an error."""

    url: str
    app: Starlette
    sandbox: Sandbox
    routes: Path
    log: io.StringIO
    trouble: list[logging.LogRecord]
    conversation: Conversation
    allow_faults: bool = False
    _client: aiohttp.ClientSession | None = None
    secrets: list[str] = field(default_factory=list)

    async def send(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        body: Any = None,
    ) -> Reply:
        """Send a request as it stands: ``target`` is path and query, byte for byte."""
        assert self._client is not None
        url = URL(self.url + target, encoded=True)
        assert url.raw_path_qs == target
        skip = ("Content-Type", "Accept")
        async with self._client.request(
            method, url, data=body, headers=CIMultiDict(headers), skip_auto_headers=skip, allow_redirects=False
        ) as answer:
            return Reply(answer.status, await answer.text(), answer.headers)

    async def call(
        self,
        target: str = "/tools/support",
        body: Any = None,
        *,
        method: str = "POST",
        session: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Call a tool with the shared secret, and ask for JSON; ``body`` is JSON unless it is bytes already."""
        given = {
            "X-Handover-Secret": SECRET,
            "X-Session-Id": self.conversation.session if session is None else session,
            "X-Identity": CUSTOMER,
            "Accept": "application/json",
        }
        if body is not None:
            given["Content-Type"] = "application/json"
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        return await self.send(method, target, headers={**given, **(headers or {})}, body=data)

    async def signed(
        self,
        target: str,
        body: bytes | None = None,
        *,
        method: str = "POST",
        token: str | None = None,
        url: str | None = None,
        form: Mapping[str, str | Sequence[str]] | None = None,
        headers: Mapping[str, str] | None = None,
        public: str = PUBLIC,
    ) -> Reply:
        """Call a tool as Twilio does, signed; ``url``, ``form`` and ``token`` say what the signature is over."""
        signature = sign(token or self.sandbox.auth_token, url or public + target, form or {})
        given = {"X-Twilio-Signature": signature, "X-Session-Id": self.conversation.session}
        if body is not None:
            given["Content-Type"] = "application/x-www-form-urlencoded" if form is not None else "application/json"
        return await self.send(method, target, headers={**given, **(headers or {})}, body=body)

    async def raw(self, request: bytes, *, patience: float = 10.0) -> bytes:
        """Send bytes and read until the router closes the connection."""
        async with self.connection() as (reader, writer):
            writer.write(request)
            await writer.drain()
            return await asyncio.wait_for(reader.read(), patience)

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        target = URL(self.url)
        reader, writer = await asyncio.open_connection(target.host, target.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The log so far."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    @property
    def writes(self) -> list[str]:
        """What the router changed at Twilio."""
        return [f"{entry.method} {entry.path}" for entry in self.sandbox.requests if entry.method != "GET"]

    @property
    def flows(self) -> list[str]:
        """The flows that answer the conversation."""
        return [found.name for found in self.sandbox.responders(self.conversation) if found.kind == "studio"]

    async def handed_over(self) -> None:
        """Wait until the flow answers alone; raises TimeoutError where that never comes."""
        async with asyncio.timeout(5):
            while len(self.conversation.webhooks) != 1 or not self.flows:
                await asyncio.sleep(0.01)

    def begin_anew(self) -> None:
        """Forget what was: another conversation, no faults, an empty log and an empty journal."""
        self.sandbox.faults.clear()
        self.sandbox._journal.entries.clear()
        self.conversation = self.sandbox.open_conversation(agent_url=AGENT_URL, customer=CUSTOMER)
        self.log.seek(0)
        self.log.truncate()
        self.trouble.clear()
        self.secrets.clear()
        self.allow_faults = False

    def check_silence(self) -> None:
        """What stands in the log of every test: no secret, no customer, and no fault of our own."""
        text = self.log.getvalue() + "".join(record.getMessage() for record in self.trouble)
        for secret in (SECRET, ADMIN, OLD_TOKEN, self.sandbox.auth_token, "+15550100", *self.secrets):
            assert secret not in text
            assert json.dumps(secret)[1:-1] not in text
        if not self.allow_faults:
            assert "Traceback" not in text
            assert self.trouble == []


class _Trouble(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextlib.asynccontextmanager
async def running_router(directory: Path, routes: str = ROUTES, **environ: str) -> AsyncIterator[Router]:
    """Serve the router with ``routes`` in ``directory``, a sandbox behind it, and a conversation with its agent."""
    trouble = _Trouble()
    server_log = logging.getLogger("uvicorn.error")
    async with contextlib.AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(running_sandbox())
        path = directory / "routes.yaml"
        path.write_text(routes, encoding="utf-8")
        settings = {
            "TWILIO_ACCOUNT_SID": sandbox.account_sid,
            "TWILIO_AUTH_TOKEN": sandbox.auth_token,
            "TWILIO_AUTH_TOKEN_SECONDARY": OLD_TOKEN,
            "HANDOVER_TWILIO_URL": sandbox.url,
            "HANDOVER_PUBLIC_URL": PUBLIC,
            "HANDOVER_CONFIG": str(path),
            "HANDOVER_SECRET": SECRET,
            "HANDOVER_ADMIN_TOKEN": ADMIN,
            "HANDOVER_STATE": str(directory / "state"),
            "HANDOVER_DATABASE_URL": str(directory / "handovers.db"),
            "HANDOVER_POLL": "0",
            **environ,
        }
        log = io.StringIO()
        app = create_app(Settings.read(settings), settings, new_log(log))
        conversation = sandbox.open_conversation(agent_url=AGENT_URL, customer=CUSTOMER)
        server_log.addHandler(trouble)
        stack.callback(server_log.removeHandler, trouble)
        url = await stack.enter_async_context(serving(app))
        client = await stack.enter_async_context(aiohttp.ClientSession())
        router = Router(url, app, sandbox, path, log, trouble.records, conversation, _client=client)
        yield router
    router.check_silence()


def hashed(target: str, body: bytes) -> str:
    """Add to a URL the hash of the body, as Twilio does where the body is no form."""
    return f"{target}{'&' if '?' in target else '?'}bodySHA256={hashlib.sha256(body).hexdigest()}"
