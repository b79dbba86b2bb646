"""What happens in a conversation, brought to whoever listens: scoped webhooks, the service's webhook, Studio."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

import aiohttp
from yarl import URL

from router.model.webhook import MESSAGE_ADDED, Target, WebhookSpec
from router.sandbox.shapes import timestamp
from router.twilio.signatures import sign

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from router.sandbox.executions import Studio
    from router.sandbox.world import Conversation, Message, Webhook, World

PATIENCE: Final = 5.0
"""Seconds that a webhook has for its answer (docs/twilio.md, WEBHOOK-REQUEST)."""

CONVERSATION_ADDED: Final = "onConversationAdded"
CONVERSATION_UPDATED: Final = "onConversationUpdated"
CONVERSATION_REMOVED: Final = "onConversationRemoved"
STATE_UPDATED: Final = "onConversationStateUpdated"
PARTICIPANT_ADDED: Final = "onParticipantAdded"

FILTERS: Final = frozenset(
    {
        MESSAGE_ADDED,
        CONVERSATION_UPDATED,
        CONVERSATION_REMOVED,
        STATE_UPDATED,
        PARTICIPANT_ADDED,
        "onMessageUpdated",
        "onMessageRemoved",
        "onParticipantUpdated",
        "onParticipantRemoved",
        "onDeliveryUpdated",
    }
)
"""The events that a scoped webhook may ask for (docs/twilio.md, FILTERS)."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to call a webhook: ``status`` is 0 where no answer came, and ``error`` then says why."""

    url: str
    event: str
    status: int
    error: str
    seconds: float


class Events:
    """Delivers the events of one world. ``hosts`` maps a host of a webhook's URL to the base URL that stands for it."""

    def __init__(self, world: World, studio: Studio, hosts: Mapping[str, str], patience: float) -> None:
        self._world = world
        self._studio = studio
        self._hosts = hosts
        self._patience = patience
        self._running: set[asyncio.Task[None]] = set()
        self.deliveries: deque[Delivery] = deque(maxlen=10_000)

    async def message_added(self, conversation: Conversation, message: Message) -> None:
        """Tell everybody of a message; returns when each has answered or had its time."""
        fields = _message_fields(message)
        calls = []
        for webhook in list(conversation.webhooks):
            if webhook.spec.target == Target.STUDIO:
                self._tell_studio(conversation, webhook, message)
            elif _wants(webhook.spec, MESSAGE_ADDED, message.body):
                calls.append(self._call(webhook.spec, conversation, MESSAGE_ADDED, fields))
        calls += self._service_calls(conversation, MESSAGE_ADDED, fields)
        await asyncio.gather(*calls)

    async def happened(self, conversation: Conversation, event: str, fields: Mapping[str, str]) -> None:
        """Tell the webhooks of target ``webhook``, and the service's, of anything but a message."""
        scoped = [
            self._call(webhook.spec, conversation, event, fields)
            for webhook in conversation.webhooks
            if webhook.spec.target == Target.WEBHOOK and _wants(webhook.spec, event, "")
        ]
        await asyncio.gather(*scoped, *self._service_calls(conversation, event, fields))

    async def replay(self, conversation: Conversation, webhook: Webhook, index: int) -> None:
        """Bring the participants' messages from ``index`` on to a webhook that is new (docs/twilio.md, REPLAY)."""
        for message in [found for found in conversation.messages if found.index >= index and found.participant]:
            if conversation.webhook(webhook.sid) is None:
                return
            if webhook.spec.target == Target.STUDIO:
                self._tell_studio(conversation, webhook, message)
            elif _wants(webhook.spec, MESSAGE_ADDED, message.body):
                await self._call(webhook.spec, conversation, MESSAGE_ADDED, _message_fields(message))

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Let ``work`` go on beside the answer to the request that caused it."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def settled(self) -> None:
        """Wait until nothing is under way in the background."""
        while self._running:
            await asyncio.wait(list(self._running))

    async def stop(self) -> None:
        """Give up what is under way in the background."""
        for task in list(self._running):
            task.cancel()
        await self.settled()

    def _tell_studio(self, conversation: Conversation, webhook: Webhook, message: Message) -> None:
        if _wants(webhook.spec, MESSAGE_ADDED, message.body):
            self._studio.receive(conversation, webhook, message)

    def _service_calls(
        self, conversation: Conversation, event: str, fields: Mapping[str, str]
    ) -> list[Coroutine[Any, Any, None]]:
        url = conversation.service.post_webhook
        spec = WebhookSpec(target=Target.WEBHOOK, url=url, method="POST")
        return [self._call(spec, conversation, event, fields)] if url else []

    async def _call(self, spec: WebhookSpec, conversation: Conversation, event: str, fields: Mapping[str, str]) -> None:
        form = {
            "AccountSid": self._world.account_sid,
            "EventType": event,
            "Source": "API" if event != MESSAGE_ADDED else _source(fields["Author"]),
            "ConversationSid": conversation.sid,
            "ChatServiceSid": conversation.service.sid,
            "MessagingServiceSid": conversation.service.messaging_sid,
            **fields,
        }
        begun = time.perf_counter()
        status, error = await self._send(spec, form)
        self.deliveries.append(Delivery(spec.url, event, status, error, time.perf_counter() - begun))

    async def _send(self, spec: WebhookSpec, form: Mapping[str, str]) -> tuple[int, str]:
        if spec.method.upper() == "GET":
            url, body = f"{spec.url}{'&' if '?' in spec.url else '?'}{urlencode(form)}", None
            signature = sign(self._world.auth_token, url, {})
        else:
            url, body = spec.url, form
            signature = sign(self._world.auth_token, url, form)
        where = self._where(url)
        if not _is_here(where):
            return 0, "not on this machine"
        headers = {"X-Twilio-Signature": signature, "User-Agent": "TwilioProxy/1.1"}
        timeout = aiohttp.ClientTimeout(total=self._patience)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.request(
                    "GET" if body is None else "POST",
                    where,
                    data=body,
                    headers=headers,
                    allow_redirects=False,
                ) as answer,
            ):
                await answer.read()
                return answer.status, ""
        except (aiohttp.ClientError, TimeoutError) as problem:
            return 0, type(problem).__name__

    def _where(self, url: str) -> URL:
        """Find where ``url`` is served: at the local server that stands for its host, or where it says."""
        parts = urlsplit(url)
        base = self._hosts.get(parts.netloc)
        if base is None:
            return URL(url, encoded=True)
        stand_in = urlsplit(base)
        return URL(urlunsplit((stand_in.scheme, stand_in.netloc, parts.path, parts.query, "")), encoded=True)


def _is_here(url: URL) -> bool:
    """Say whether ``url`` is on this machine: what a sandbox plays must never reach a real agent."""
    host = url.host or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _wants(spec: WebhookSpec, event: str, body: str) -> bool:
    if spec.target == Target.TRIGGER:
        return any(keyword.casefold() in body.casefold() for keyword in spec.triggers)
    return not spec.filters or event in spec.filters


def _message_fields(message: Message) -> dict[str, str]:
    return {
        "MessageSid": message.sid,
        "Index": str(message.index),
        "Author": message.author,
        "Body": message.body,
        "ParticipantSid": message.participant,
        "Attributes": message.attributes,
        "DateCreated": timestamp(message.created),
    }


def _source(author: str) -> str:
    return "WHATSAPP" if author.startswith("whatsapp:") else "SMS" if author.startswith("+") else "SDK"
