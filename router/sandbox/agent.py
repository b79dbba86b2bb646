"""A scripted AI agent: it answers messages, calls tools as Twilio's agents do, and keeps silent beside Studio."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlencode

import aiohttp
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from yarl import URL

from router.model.webhook import Target
from router.sandbox.choosing import SMALL_TALK, choose, closing_sentence
from router.twilio.signatures import SignatureCheck, sign

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from starlette.requests import Request

    from router.sandbox.choosing import Choice, ToolOffer

PATH: Final = "/channels/conversations/messageAdded"
AUTHOR: Final = "assistant"
PATIENCE: Final = 10.0
"""Seconds that the agent waits for a tool, and for Twilio."""


@dataclass(frozen=True, slots=True)
class ToolUse:
    """One call of a tool: ``status`` is 0 where no answer came, and ``answer`` then says why."""

    tool: str
    url: str
    intent: str
    status: int
    answer: str
    seconds: float


class ScriptedAgent:
    """The agent of one Twilio account; serve ``app`` under the address that ``public_url`` stands for.

    ``twilio_url`` is where Twilio's REST API is; ``public_url`` is scheme and host as Twilio knows the agent, the
    base of ``webhook_url``. ``uses`` records its tool calls, ``problems`` what went wrong between it and Twilio.
    """

    def __init__(
        self,
        *,
        tools: Sequence[ToolOffer],
        twilio_url: str,
        account_sid: str,
        auth_token: str,
        public_url: str = "https://support-agent.twil.io",
    ) -> None:
        self._tools = tuple(tools)
        self._twilio_url = twilio_url
        self._auth = aiohttp.encode_basic_auth(account_sid, auth_token)
        self._token = auth_token
        self._check = SignatureCheck((auth_token,))
        self._public_url = public_url
        self._turns: set[asyncio.Task[None]] = set()
        self.uses: list[ToolUse] = []
        self.problems: list[str] = []
        self.app = Starlette(routes=[Route(PATH, self._receive, methods=["POST"])], lifespan=self._running)

    @property
    def webhook_url(self) -> str:
        """The URL to attach as a scoped webhook, or to set on the service."""
        return self._public_url + PATH

    async def settled(self) -> None:
        """Wait until every message received so far has had its answer."""
        while self._turns:
            await asyncio.wait(list(self._turns))

    async def _receive(self, request: Request) -> Response:
        """Take an ``onMessageAdded``, and answer the customer beside it (docs/twilio.md, WEBHOOK-REQUEST)."""
        text = (await request.body()).decode()
        form = parse_qs(text, keep_blank_values=True)
        query = f"?{request.url.query}" if request.url.query else ""
        signature = request.headers.get("x-twilio-signature")
        url = self._public_url + request.url.path + query
        if not self._check.passes(url=url, params=form, body=None, signature=signature):
            return PlainTextResponse("Forbidden", 403)
        task = asyncio.create_task(self._turn({name: values[0] for name, values in form.items()}))
        self._turns.add(task)
        task.add_done_callback(self._turns.discard)
        return PlainTextResponse("")

    async def _turn(self, message: Mapping[str, str]) -> None:
        path = f"/v1/Services/{message['ChatServiceSid']}/Conversations/{message['ConversationSid']}"
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as session:
                if not await self._studio_answers(session, path):
                    await self._answer(session, path, message)
        except (aiohttp.ClientError, TimeoutError) as problem:
            self.problems.append(f"{type(problem).__name__}: {problem}")

    async def _answer(self, session: aiohttp.ClientSession, path: str, message: Mapping[str, str]) -> None:
        choice = choose(message["Body"], self._tools)
        sentence = SMALL_TALK
        if choice is not None:
            use = await self._use(session, choice, message)
            self.uses.append(use)
            sentence = closing_sentence(use.answer if use.status == HTTPStatus.OK else "")
        if sentence:
            await self._say(session, path, sentence)

    async def _studio_answers(self, session: aiohttp.ClientSession, path: str) -> bool:
        """Look for a studio webhook, beside which the agent keeps silent (docs/twilio.md, PLACEMENT)."""
        async with session.get(f"{self._twilio_url}{path}/Webhooks", headers=self._headers()) as answer:
            answer.raise_for_status()
            webhooks = (await answer.json())["webhooks"]
        return any(webhook["target"] == Target.STUDIO for webhook in webhooks)

    async def _say(self, session: aiohttp.ClientSession, path: str, sentence: str) -> None:
        """Post by REST, without events, so that no flow takes it for the customer's (docs/twilio.md, REST-EVENTS)."""
        form = {"Author": AUTHOR, "Body": sentence}
        async with session.post(f"{self._twilio_url}{path}/Messages", data=form, headers=self._headers()) as answer:
            answer.raise_for_status()

    async def _use(self, session: aiohttp.ClientSession, choice: Choice, message: Mapping[str, str]) -> ToolUse:
        inputs = {choice.tool.intent_input: choice.intent} if choice.intent else {}
        url, body = _tool_request(choice.tool, inputs)
        author = message["Author"]
        headers = {
            "X-Session-Id": f"webhook:conversations__{message['ChatServiceSid']}/{message['ConversationSid']}",
            "X-Identity": author if ":" in author else f"user_id:{author}",
            "X-Twilio-Signature": sign(self._token, url, {}),
        }
        if body is not None:
            headers["Content-Type"] = "application/json"
        begun = time.perf_counter()
        try:
            called = URL(url, encoded=True)
            async with session.request(choice.tool.method, called, data=body, headers=headers) as answer:
                status, text = answer.status, await answer.text()
        except (aiohttp.ClientError, TimeoutError) as problem:
            status, text = 0, type(problem).__name__
        return ToolUse(choice.tool.name, url, choice.intent, status, text, time.perf_counter() - begun)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": self._auth}

    @contextlib.asynccontextmanager
    async def _running(self, _app: Starlette) -> AsyncIterator[None]:
        yield
        await self.settled()


def _tool_request(tool: ToolOffer, inputs: Mapping[str, Any]) -> tuple[str, bytes | None]:
    """Give URL and body: JSON whose hash stands in the URL, or a query (docs/twilio.md, TOOL-BODY, BODY-HASH)."""
    if tool.method == "GET":
        return _with_query(tool.url, inputs), None
    body = json.dumps(inputs).encode()
    return _with_query(tool.url, {"bodySHA256": hashlib.sha256(body).hexdigest()}), body


def _with_query(url: str, more: Mapping[str, Any]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(more)}" if more else url
