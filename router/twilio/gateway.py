"""The verbs that swap, way back, check of flows and plugins ask of Twilio: paths, forms, and what may be repeated."""

from __future__ import annotations

import asyncio
import random
import re
from datetime import UTC
from functools import lru_cache, partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar
from urllib.parse import quote

from router.clock import Clock
from router.errors import SettingsError, TwilioError, TwilioRefused, TwilioUncertain
from router.model.request import TwilioRequest
from router.model.sids import checked_sid
from router.model.twilio import NOTHING
from router.twilio.account import Account
from router.twilio.reading import (
    attributes_of,
    attributes_text,
    execution_of,
    flow_of,
    message_of,
    page_of,
    webhook_of,
)
from router.twilio.retry import pause_before_repeat
from router.twilio.transport import Limits, RequestRecord, Transport
from router.twilio.wire.request import encoded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from router.model.call import ConversationRef
    from router.model.execution import Execution
    from router.model.flow import FlowRevision
    from router.model.gateway import Message
    from router.model.twilio import Fields
    from router.model.webhook import ScopedWebhook, WebhookSpec
    from router.twilio.credentials import Credentials
    from router.twilio.reading import Record

Found = TypeVar("Found")

NO_WEBHOOK: Final = 50360
NOT_FOUND: Final = 20404
GONE: Final = frozenset({NO_WEBHOOK, NOT_FOUND})
"""What Twilio says of a webhook, or of anything else, that is not there (docs/twilio.md, ERROR-CODES)."""

_CONVERSATIONS: Final = "https://conversations.twilio.com/v1"
_STUDIO: Final = "https://studio.twilio.com/v2"

_PUBLISHED: Final = "LatestPublished"
"""What the newest published revision of a flow is called in place of its number (docs/twilio.md, FLOW-REVISIONS)."""

MOST_EXECUTIONS: Final = 200
"""So many runs of a flow are looked through at most; they fit into one page (docs/twilio.md, EXECUTION-LIST)."""

MOST_CONVERSATIONS: Final = 1000
"""Of so many conversations the address is remembered: a handover asks for it three times or more."""

MOST_WEBHOOKS: Final = 64
"""Of so many webhooks the form is remembered: flows are few, and each is attached again and again."""

PLUGINS_SHARE: Final = 0.3
"""So much of the connections is the plugins' at the most: they must never keep a handover from Twilio."""

_LIMITS: Final = Limits()
_CLOCK: Final = Clock()
_LABEL: Final = re.compile(r"[a-z0-9-]*")


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
        login = credentials.login
        self._clock = clock
        self._chance = chance
        self._at = lru_cache(MOST_CONVERSATIONS)(_at)
        self._turns = asyncio.Semaphore(max(1, int(limits.connections * PLUGINS_SHARE)))
        account = Account(login, credentials.account_sid, edge=credentials.edge, region=credentials.region)
        self._transport = Transport(account, base_url=base_url, limits=limits, clock=clock, on_request=on_request)

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.__aexit__()

    async def list_webhooks(self, conversation: ConversationRef) -> Sequence[ScopedWebhook]:
        """List the scoped webhooks, all of them, in Twilio's order."""
        # Without a PageSize: Twilio allows no larger page than it gives by itself (docs/twilio.md, WEBHOOK-PAGES).
        found = await self._list("list_webhooks", f"{self._at(conversation)}/Webhooks")
        return [webhook_of("list_webhooks", record) for record in found]

    async def create_webhook(
        self, conversation: ConversationRef, spec: WebhookSpec, replay_after: int | None = None
    ) -> ScopedWebhook:
        """Create one; repeated only where Twilio did not take the request up: a second would be a second responder."""
        form = _form(spec)
        if replay_after is not None:
            form += f"&Configuration.ReplayAfter={replay_after}"
        url = f"{self._at(conversation)}/Webhooks"
        return webhook_of(
            "create_webhook", await self._ask("create_webhook", "POST", url, form, is_safe_to_repeat=False)
        )

    async def redirect_webhook(self, conversation: ConversationRef, sid: str, flow: str) -> ScopedWebhook:
        """Point a studio webhook at another flow; repeated only where Twilio did not take the request up.

        After a lost answer the caller decides: the request may take effect late, and overrule what came after it. That
        something is not found is taken for the webhook's word: whether there is a conversation, a list tells.
        """
        url = f"{self._at(conversation)}/Webhooks/{checked_sid('WH', sid)}"
        form = {"Configuration.FlowSid": checked_sid("FW", flow)}
        try:
            found = await self._ask("redirect_webhook", "POST", url, form, is_safe_to_repeat=False)
        except TwilioRefused as error:
            if error.code != NOT_FOUND:
                raise
            raise TwilioRefused(
                error.operation, error.message, status=error.status, code=NO_WEBHOOK, request_id=error.request_id
            ) from error
        return webhook_of("redirect_webhook", found)

    async def delete_webhook(self, conversation: ConversationRef, sid: str) -> None:
        """Delete one; that it is gone already is success."""
        url = f"{self._at(conversation)}/Webhooks/{checked_sid('WH', sid)}"
        try:
            await self._ask("delete_webhook", "DELETE", url)
        except TwilioRefused as error:
            if not _is_gone(error):
                raise

    async def newest_message(self, conversation: ConversationRef) -> Message | None:
        """Fetch the newest message, or None where there is none yet."""
        found = await self._list("newest_message", f"{self._at(conversation)}/Messages?Order=desc&PageSize=1", most=1)
        return message_of("newest_message", found[0]) if found else None

    async def fetch_attributes(self, conversation: ConversationRef) -> Mapping[str, Any]:
        """Fetch the conversation's attributes; raises TwilioUncertain where they are no JSON object."""
        found = await self._ask("fetch_attributes", "GET", self._at(conversation))
        return attributes_of("fetch_attributes", found.get("attributes"))

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
                found = (await self._transport.ask("fetch_attributes", "GET", there)).said or {}
                now = attributes_of("fetch_attributes", found.get("attributes"))
            form = {"Attributes": attributes_text("change_attributes", change(now))}
            await self._transport.ask("change_attributes", "POST", there, form=form)

        await self._repeat(write)

    async def newest_revision(self, flow: str) -> FlowRevision | None:
        """Fetch a flow as it was last saved; None where there is none of this SID."""
        return await self._revision("newest_revision", _flow(flow))

    async def published_revision(self, flow: str) -> FlowRevision | None:
        """Fetch a flow as it runs for real, whatever was saved since; None where it was never published."""
        return await self._revision("published_revision", f"{_flow(flow)}/Revisions/{_PUBLISHED}")

    async def fetch_execution(self, flow: str, sid: str) -> Execution | None:
        """Fetch a run of ``flow``; None where Twilio knows none of this SID."""
        try:
            return execution_of("fetch_execution", await self._ask("fetch_execution", "GET", _run(flow, sid)))
        except TwilioRefused as error:
            if not _is_gone(error):
                raise
            return None

    async def active_executions(self, flow: str, since: datetime) -> Sequence[Execution]:
        """List the runs of ``flow`` that began at ``since`` or later and have not ended, of MOST_EXECUTIONS at most."""
        begin = quote(f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
        url = f"{_flow(flow)}/Executions?DateCreatedFrom={begin}&PageSize={MOST_EXECUTIONS}"
        found = await self._list("active_executions", url, most=MOST_EXECUTIONS)
        read = [execution_of("active_executions", record) for record in found]
        return [run for run in read if run.is_active]

    async def end_execution(self, flow: str, sid: str) -> None:
        """End a run; that it has ended already, or is unknown, is success.

        How Twilio answers to a second end is not said (docs/twilio.md, END-EXECUTION): where it refuses, we look.
        """
        try:
            await self._ask("end_execution", "POST", _run(flow, sid), {"Status": "ended"})
        except TwilioRefused:
            found = await self.fetch_execution(flow, sid)
            if found is not None and found.is_active:
                raise

    async def request(self, method: str, url: str, *, form: Fields = NOTHING, query: Fields = NOTHING) -> Any:
        """Ask what a plugin asks (``Twilio`` of ``router/model``); a POST is repeated only if it was not taken up."""
        asked = TwilioRequest.checked(method, url, form, query)

        async def send() -> Any:
            async with self._turns:
                answer = await self._transport.ask(
                    "plugin", asked.method, asked.url, form=asked.form, query=asked.query
                )
                return answer.said

        return await self._repeat(send, is_safe_to_repeat=asked.method != "POST")

    async def _revision(self, operation: str, url: str) -> FlowRevision | None:
        try:
            return flow_of(operation, await self._ask(operation, "GET", url))
        except TwilioRefused as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return None

    async def _ask(
        self, operation: str, method: str, url: str, form: Fields | str = NOTHING, *, is_safe_to_repeat: bool = True
    ) -> Record:
        """Ask for one record, which is empty where Twilio says nothing of it."""
        ask = partial(self._transport.ask, operation, method, url, form=form)
        return (await self._repeat(ask, is_safe_to_repeat=is_safe_to_repeat)).said or {}

    async def _list(self, operation: str, url: str, most: int = 0) -> Sequence[Record]:
        """List all records, or ``most`` of them, over as many pages as that takes."""

        async def read() -> Sequence[Record]:
            found: list[Record] = []
            following = url
            while following and not (most and len(found) >= most):
                records, following = page_of(operation, await self._transport.ask(operation, "GET", following))
                found += records
            return found[:most] if most else found

        return await self._repeat(read)

    async def _repeat(self, request: Callable[[], Awaitable[Found]], *, is_safe_to_repeat: bool = True) -> Found:
        """Ask Twilio, and ask again where the policy lets us (``router/twilio/retry.py``)."""
        attempt = 0
        doubt: TwilioUncertain | None = None
        while True:
            attempt += 1
            try:
                return await request()
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


def _is_gone(error: TwilioRefused) -> bool:
    return error.status == HTTPStatus.NOT_FOUND or error.code in GONE


def _at(conversation: ConversationRef) -> str:
    service, sid = checked_sid("IS", conversation.service), checked_sid("CH", conversation.sid)
    return f"{_CONVERSATIONS}/Services/{service}/Conversations/{sid}"


def _flow(flow: str) -> str:
    return f"{_STUDIO}/Flows/{checked_sid('FW', flow)}"


def _run(flow: str, sid: str) -> str:
    return f"{_flow(flow)}/Executions/{checked_sid('FN', sid)}"


@lru_cache(MOST_WEBHOOKS)
def _form(spec: WebhookSpec) -> str:
    """Write what creates a webhook; raises TwilioUncertain where one that Twilio showed cannot be written."""
    wanted = {
        "Target": str(spec.target),
        "Configuration.Url": spec.url,
        "Configuration.Method": spec.method.lower(),  # shown back in capitals at times, taken in small letters
        "Configuration.Filters": spec.filters,
        "Configuration.Triggers": spec.triggers,
        "Configuration.FlowSid": spec.flow,
    }
    try:
        return encoded({name: value for name, value in wanted.items() if value})
    except UnicodeEncodeError as error:  # half of a surrogate pair
        raise TwilioUncertain("create_webhook", f"Twilio's answer points to {error}; nothing was sent there") from error
