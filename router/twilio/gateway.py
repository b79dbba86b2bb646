"""The verbs that swap, way back, check of flows and plugins ask of Twilio: the official SDK on our transport."""

from __future__ import annotations

import asyncio
import json
import random
import re
from dataclasses import dataclass, field
from datetime import UTC
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from twilio.base.exceptions import TwilioException
from twilio.rest import Client

from router import __version__
from router.clock import Clock
from router.errors import SettingsError, TwilioError, TwilioRefused, TwilioUncertain
from router.model.request import TwilioRequest
from router.model.sids import checked_sid, is_sid
from router.model.twilio import NOTHING
from router.twilio.reading import attributes_of, attributes_text, execution_of, flow_of, message_of, webhook_of
from router.twilio.retry import pause_before_repeat
from router.twilio.transport import OPERATION, Limits, RequestRecord, Transport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from router.model.call import ConversationRef
    from router.model.execution import Execution
    from router.model.flow import FlowRevision
    from router.model.gateway import Message
    from router.model.twilio import Fields
    from router.model.webhook import ScopedWebhook, WebhookSpec

Found = TypeVar("Found")

NO_WEBHOOK: Final = 50360
NOT_FOUND: Final = 20404
GONE: Final = frozenset({NO_WEBHOOK, NOT_FOUND})
"""What Twilio says of a webhook, or of anything else, that is not there (docs/twilio.md, ERROR-CODES)."""

_PUBLISHED: Final = "LatestPublished"
"""What the newest published revision of a flow is called in place of its number (docs/twilio.md, FLOW-REVISIONS)."""

MOST_EXECUTIONS: Final = 200
"""So many runs of a flow are looked through at most; they fit into one page (docs/twilio.md, EXECUTION-LIST)."""

PLUGINS_SHARE: Final = 0.3
"""So much of the connections is the plugins' at the most: they must never keep a handover from Twilio."""

_LIMITS: Final = Limits()
_CLOCK: Final = Clock()
_ENDED: Final = "ended"
_LABEL: Final = re.compile(r"[a-z0-9-]*")
_UNREADABLE: Final = (TwilioException, LookupError, TypeError, ValueError, AttributeError)
"""What the SDK raises where an answer does not have the shape that it expects."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are to Twilio, and where. An API key with its secret authenticates where it is given, else the token."""

    account_sid: str
    auth_token: str = field(default="", repr=False)
    api_key: str = ""
    api_secret: str = field(default="", repr=False)
    edge: str = ""
    region: str = ""

    @property
    def login(self) -> tuple[str, str]:
        """User name and password of the REST API; raises SettingsError where something is missing or malformed."""
        if not is_sid("AC", self.account_sid):
            lack = "TWILIO_ACCOUNT_SID" if self.account_sid else "TWILIO_ACCOUNT_SID is not set"
            raise SettingsError(f"{lack}: expected AC and 32 hex digits, as the Twilio Console shows it")
        if bool(self.api_key) != bool(self.api_secret):
            raise SettingsError("TWILIO_API_KEY and TWILIO_API_SECRET go together: set both, or neither")
        if not self.api_key and not self.auth_token:
            raise SettingsError(
                "TWILIO_AUTH_TOKEN is not set, nor TWILIO_API_KEY and TWILIO_API_SECRET: set one of the two"
            )
        return (self.api_key, self.api_secret) if self.api_key else (self.account_sid, self.auth_token)


def _ignore(_: RequestRecord) -> None:
    """Take note of nothing."""


class TwilioGateway:
    """``Gateway``, ``Executions`` and ``FlowReader`` of ``router/model`` over HTTP. Open it with ``async with``.

    ``base_url`` sends every request elsewhere (HANDOVER_TWILIO_URL). ``on_request`` is told of every HTTP attempt.
    ``chance`` gives random numbers from 0 to 1. Raises SettingsError where credentials or address cannot be right.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        base_url: str = "",
        limits: Limits = _LIMITS,
        clock: Clock = _CLOCK,
        chance: Callable[[], float] = random.random,
        on_request: Callable[[RequestRecord], None] = _ignore,
    ) -> None:
        for name, value in (("TWILIO_EDGE", credentials.edge), ("TWILIO_REGION", credentials.region)):
            if not _LABEL.fullmatch(value):
                raise SettingsError(f"{name}: expected lower-case letters, digits and '-', such as 'dublin' or 'ie1'")
        username, password = credentials.login
        self._clock = clock
        self._chance = chance
        self._turns = asyncio.Semaphore(max(1, int(limits.connections * PLUGINS_SHARE)))
        self._transport = Transport(base_url=base_url, limits=limits, clock=clock, on_request=on_request)
        client = Client(
            username,
            password,
            credentials.account_sid,
            region=credentials.region or None,
            edge=credentials.edge or None,
            http_client=self._transport,
            environment={"TWILIO_ACCOUNT_SID": credentials.account_sid},  # an empty one would mean os.environ
            user_agent_extensions=[f"handover-router/{__version__}"],
        )
        self._client = client
        # Named here and not at the first call: the SDK imports the resources when they are first named.
        self._services = client.conversations.v1.services
        self._flows = client.studio.v2.flows

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.__aexit__()

    async def list_webhooks(self, conversation: ConversationRef) -> Sequence[ScopedWebhook]:
        """List the scoped webhooks, all of them, in Twilio's order."""
        webhooks = self._at(conversation).webhooks
        # Without a limit: the SDK makes one into a PageSize that Twilio does not allow (docs/twilio.md, WEBHOOK-PAGES).
        found = await self._ask("list_webhooks", webhooks.list_async)
        return [webhook_of("list_webhooks", webhook) for webhook in found]

    async def create_webhook(
        self, conversation: ConversationRef, spec: WebhookSpec, replay_after: int | None = None
    ) -> ScopedWebhook:
        """Create one; repeated only where Twilio did not take the request up: a second would be a second responder."""
        webhooks = self._at(conversation).webhooks
        wanted = _configuration(spec)
        if replay_after is not None:
            wanted["configuration_replay_after"] = replay_after
        found = await self._ask("create_webhook", lambda: webhooks.create_async(**wanted), is_safe_to_repeat=False)
        return webhook_of("create_webhook", found)

    async def redirect_webhook(self, conversation: ConversationRef, sid: str, flow: str) -> ScopedWebhook:
        """Point a studio webhook at another flow; repeated only where Twilio did not take the request up.

        After a lost answer the caller decides: the request may take effect late, and overrule what came after it. That
        something is not found is taken for the webhook's word: whether there is a conversation, a list tells.
        """
        webhook = self._at(conversation).webhooks(checked_sid("WH", sid))
        flow = checked_sid("FW", flow)
        update = partial(webhook.update_async, configuration_flow_sid=flow)
        try:
            found = await self._ask("redirect_webhook", update, is_safe_to_repeat=False)
        except TwilioRefused as error:
            if error.code != NOT_FOUND:
                raise
            raise TwilioRefused(
                error.operation, error.message, status=error.status, code=NO_WEBHOOK, request_id=error.request_id
            ) from error
        return webhook_of("redirect_webhook", found)

    async def delete_webhook(self, conversation: ConversationRef, sid: str) -> None:
        """Delete one; that it is gone already is success."""
        webhook = self._at(conversation).webhooks(checked_sid("WH", sid))
        try:
            await self._ask("delete_webhook", webhook.delete_async)
        except TwilioRefused as error:
            if not _is_gone(error):
                raise

    async def newest_message(self, conversation: ConversationRef) -> Message | None:
        """Fetch the newest message, or None where there is none yet."""
        messages = self._at(conversation).messages
        found = await self._ask("newest_message", lambda: messages.list_async(order="desc", limit=1, page_size=1))
        return message_of("newest_message", found[0]) if found else None

    async def fetch_attributes(self, conversation: ConversationRef) -> Mapping[str, Any]:
        """Fetch the conversation's attributes; raises TwilioUncertain where they are no JSON object."""
        found = await self._ask("fetch_attributes", self._at(conversation).fetch_async)
        return attributes_of("fetch_attributes", found.attributes)

    async def change_attributes(
        self,
        conversation: ConversationRef,
        change: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        read: Mapping[str, Any] | None = None,
    ) -> None:
        """Write what ``change`` makes of the attributes ``read``, or of those that are there.

        Twilio takes them as a whole and merges nothing, so a repeat reads them anew and loses nobody's
        (docs/twilio.md, ATTRIBUTES); no webhook is called (docs/twilio.md, REST-EVENTS).
        """
        there = self._at(conversation)
        known = read

        async def write() -> None:
            nonlocal known
            now, known = known, None
            if now is None:
                found = await _ask_once("fetch_attributes", there.fetch_async)
                now = attributes_of("fetch_attributes", found.attributes)
            await there.update_async(attributes=attributes_text("change_attributes", change(now)))

        await self._ask("change_attributes", write)

    async def newest_revision(self, flow: str) -> FlowRevision | None:
        """Fetch a flow as it was last saved; None where there is none of this SID."""
        return await self._revision("newest_revision", self._flows(checked_sid("FW", flow)))

    async def published_revision(self, flow: str) -> FlowRevision | None:
        """Fetch a flow as it runs for real, whatever was saved since; None where it was never published."""
        return await self._revision("published_revision", self._flows(checked_sid("FW", flow)).revisions(_PUBLISHED))

    async def fetch_execution(self, flow: str, sid: str) -> Execution | None:
        """Fetch a run of ``flow``; None where Twilio knows none of this SID."""
        run = self._run(flow, sid)
        try:
            return execution_of("fetch_execution", await self._ask("fetch_execution", run.fetch_async))
        except TwilioRefused as error:
            if not _is_gone(error):
                raise
            return None

    async def active_executions(self, flow: str, since: datetime) -> Sequence[Execution]:
        """List the runs of ``flow`` that began at ``since`` or later and have not ended, of MOST_EXECUTIONS at most."""
        runs = self._flows(checked_sid("FW", flow)).executions
        begin = since.astimezone(UTC)  # the SDK would drop any other zone (docs/twilio.md, SDK-TIMES)
        found = await self._ask(
            "active_executions", lambda: runs.list_async(date_created_from=begin, limit=MOST_EXECUTIONS)
        )
        read = [execution_of("active_executions", run) for run in found]
        return [run for run in read if run.is_active]

    async def end_execution(self, flow: str, sid: str) -> None:
        """End a run; that it has ended already, or is unknown, is success.

        How Twilio answers to a second end is not said (docs/twilio.md, END-EXECUTION): where it refuses, we look.
        """
        run = self._run(flow, sid)
        try:
            await self._ask("end_execution", lambda: run.update_async(status=_ENDED))
        except TwilioRefused:
            found = await self.fetch_execution(flow, sid)
            if found is not None and found.is_active:
                raise

    async def request(self, method: str, url: str, *, form: Fields = NOTHING, query: Fields = NOTHING) -> Any:
        """Ask what a plugin asks (``Twilio`` of ``router/model``); a POST is repeated only if it was not taken up."""
        asked = TwilioRequest.checked(method, url, form, query)

        async def send() -> Any:
            async with self._turns:
                return await self._client.request_async(asked.method, asked.url, params=asked.query, data=asked.form)

        answer = await self._ask("plugin", send, is_safe_to_repeat=asked.method != "POST")
        return json.loads(answer.text) if answer.text else None

    async def _revision(self, operation: str, resource: Any) -> FlowRevision | None:
        try:
            return flow_of(operation, await self._ask(operation, resource.fetch_async))
        except TwilioRefused as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return None

    def _run(self, flow: str, sid: str) -> Any:
        return self._flows(checked_sid("FW", flow)).executions(checked_sid("FN", sid))

    def _at(self, conversation: ConversationRef) -> Any:
        """Name the conversation to the SDK, which puts SIDs into the path as they are (docs/twilio.md, SDK-PATH)."""
        service = self._services(checked_sid("IS", conversation.service))
        return service.conversations(checked_sid("CH", conversation.sid))

    async def _ask(
        self, operation: str, request: Callable[[], Awaitable[Found]], *, is_safe_to_repeat: bool = True
    ) -> Found:
        """Ask Twilio, and ask again where the policy lets us (``router/twilio/retry.py``)."""
        attempt = 0
        doubt: TwilioUncertain | None = None
        while True:
            attempt += 1
            try:
                return await _ask_once(operation, request)
            except TwilioError as error:
                if isinstance(error, TwilioUncertain):
                    doubt = error
                pause = pause_before_repeat(error, attempt, is_safe_to_repeat=is_safe_to_repeat, chance=self._chance())
                if pause is None:
                    if doubt and error.status != HTTPStatus.NOT_FOUND:
                        # An earlier attempt may have been done, whatever this one was told.
                        raise doubt from error
                    raise
            await self._clock.sleep(pause)


async def _ask_once(operation: str, request: Callable[[], Awaitable[Found]]) -> Found:
    named = OPERATION.set(operation)
    try:
        return await request()
    except _UNREADABLE as error:
        raise TwilioUncertain(operation, "Twilio's answer has not the shape that it should have") from error
    finally:
        OPERATION.reset(named)


def _is_gone(error: TwilioRefused) -> bool:
    return error.status == HTTPStatus.NOT_FOUND or error.code in GONE


def _configuration(spec: WebhookSpec) -> dict[str, Any]:
    wanted = {
        "configuration_url": spec.url,
        "configuration_method": spec.method.lower(),  # shown back in capitals at times, taken in small letters
        "configuration_filters": list(spec.filters),
        "configuration_triggers": list(spec.triggers),
        "configuration_flow_sid": spec.flow,
    }
    return {"target": str(spec.target)} | {name: value for name, value in wanted.items() if value}
