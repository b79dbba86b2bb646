"""The router as a test meets it: the real app on a port of its own, called over HTTP."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import anyio
from yarl import URL

from router.log import new_log
from router.serving import serving
from router.twilio.signatures import sign
from router.web.app import create_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from io import StringIO

    from anyio.from_thread import BlockingPortal
    from starlette.applications import Starlette
    from starlette.types import Receive, Scope, Send

    from router.sandbox.world import Conversation
    from router.settings import Settings
    from router.testing.clock import LeapingClock
    from router.testing.hook_calls import HookCalls
    from router.web.reload import Live

_PATIENCE: Final = 20.0
"""Seconds until an answer must be there, and all that is owed be done."""

_POLL: Final = 0.005
"""Seconds between two looks at what is still owed: the ledger knows no event for it."""


class CallRefused(AssertionError):
    """A call was not answered with an outcome: its text says what it was answered with."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer."""

    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call came to: ``message`` is the sentence for the model, ``flow`` a Flow SID or empty."""

    outcome: str
    message: str
    handover_id: str = ""
    tool: str = ""
    intent: str = ""
    flow: str = ""


class HandoverApp:
    """One running router; ``url`` is where it listens."""

    def __init__(
        self, app: Starlette, url: str, settings: Settings, portal: BlockingPortal, clock: LeapingClock, log: StringIO
    ) -> None:
        self.url = url
        self._app = app
        self._settings = settings
        self._portal = portal
        self._clock = clock
        self._log = log

    @property
    def log(self) -> list[dict[str, Any]]:
        """What the router logged so far, the first line first: each has ``event`` and ``level``."""
        return [json.loads(line) for line in self._log.getvalue().splitlines()]

    def call_tool(
        self,
        path: str,
        conversation: Conversation | None = None,
        inputs: Mapping[str, Any] | None = None,
        *,
        identity: str = "",
    ) -> Answer:
        """Call a tool as the agent does, in a conversation or in none; ``path`` may have a query.

        It is the conversation's customer who speaks, unless ``identity`` names another (``email:ann@example.com``).
        Raises CallRefused where the router does not answer with an outcome.
        """
        headers = {}
        if conversation is not None:
            headers = {"X-Session-Id": conversation.session, "X-Identity": identity or conversation.customer.address}
        return self._answer("POST", path, dict(inputs or {}), headers)

    def hand_back(self, conversation: Conversation) -> Answer:
        """Give a conversation back as its flow does; ``settle()`` then sees it through. Raises CallRefused as above."""
        return self._answer("POST", "/-/hand-back", {"conversation": conversation.sid}, {})

    def request(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        """Make any request, with ``body`` as JSON, proven by Twilio's signature, the secret and the admin token."""
        sent = b"" if body is None else json.dumps(body).encode()
        if sent:
            path += f"{'&' if '?' in path else '?'}bodySHA256={hashlib.sha256(sent).hexdigest()}"
        proofs = {
            "X-Twilio-Signature": sign(self._settings.auth_token, self._settings.public_url + path, {}),
            "X-Handover-Secret": next((each.secret for each in self._live.methods if each.secret), ""),
            "Authorization": f"Bearer {self._settings.admin_token}",
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        return self._portal.call(partial(_send, method, self.url + path, sent, {**proofs, **(headers or {})}))

    def reload(self, text: str | None = None) -> Reply:
        """Let the router read its files anew, with ``text`` in routes.yaml where it is given: 200, 304 or 422.

        It tries them in a process of its own first, where a plugin that a test gave as an object is not: give a file.
        """
        if text is not None:
            self._settings.config.write_text(text, encoding="utf-8")
        return self.request("POST", "/-/reload?shorter=accept")

    def settle(self, patience: float = _PATIENCE) -> None:
        """Let all be done that is owed: observers, repairs, hand-backs; the clock leaps to what is due later.

        Raises TimeoutError where that does not end within ``patience`` real seconds.
        """
        self._portal.call(self._settle, patience)

    async def _settle(self, patience: float) -> None:
        with anyio.fail_after(patience):
            while len(self._live.desk.background) or await self._is_owed():
                due = await self._live.desk.ledger.next_due()
                if due is not None:
                    self._clock.leap(due)
                    self._live.desk.owed.set()
                await anyio.sleep(_POLL)

    async def _is_owed(self) -> bool:
        figures = await self._live.desk.ledger.figures()
        return bool(figures.open or figures.news)

    @property
    def _live(self) -> Live:
        live: Live = self._app.state.reloader.live
        return live

    def _answer(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Answer:
        reply = self.request(method, path, body, headers)
        try:
            told = reply.json
            return Answer(**{each.name: told[each.name] for each in fields(Answer) if each.name in told})
        except (ValueError, TypeError) as error:
            known = ", ".join(self._live.desk.routes.tools)
            message = f"{method} {path} was answered with {reply.status} {reply.text[:200]!r}; the tools are: {known}"
            raise CallRefused(message) from error


@contextlib.asynccontextmanager
async def running(
    settings: Settings, environ: Mapping[str, str], clock: LeapingClock, calls: HookCalls, log: StringIO
) -> AsyncIterator[tuple[Starlette, str]]:
    """Run the app while the block runs, and give it with its base URL.

    Raises ConfigError, with the places of the faults, where the configuration or the start of a plugin is wrong, and
    SettingsError.
    """
    app = create_app(settings, environ, new_log(log), clock=clock, make_host=calls.host)

    async def requests_alone(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await app(scope, receive, send)

    # A server would tell a failed start to its log alone; here it is for the test to see.
    async with app.router.lifespan_context(app), serving(requests_alone) as url:
        yield app, url


async def _send(method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PATIENCE)) as session,
        session.request(method, URL(url, encoded=True), data=body, headers=headers, allow_redirects=False) as answer,
    ):
        return Reply(answer.status, await answer.text(), dict(answer.headers))
