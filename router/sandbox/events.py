"""What happens in a conversation, brought to whoever listens: scoped webhooks, the service's webhook, Studio."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from router.model.webhook import MESSAGE_ADDED, Target, WebhookSpec
from router.sandbox.exchange import Request
from router.sandbox.shapes import timestamp

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from router.sandbox.errands import Errands
    from router.sandbox.executions import Studio
    from router.sandbox.outside import Outside
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


class Events:
    """Delivers the events of one world."""

    def __init__(self, world: World, studio: Studio, outside: Outside, errands: Errands, patience: float) -> None:
        self._world = world
        self._studio = studio
        self._outside = outside
        self._errands = errands
        self._patience = patience

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
                self._tell_studio(conversation, webhook, message, is_replayed=True)
            elif _wants(webhook.spec, MESSAGE_ADDED, message.body):
                await self._call(webhook.spec, conversation, MESSAGE_ADDED, _message_fields(message))

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Let ``work`` go on beside the answer to the request that caused it."""
        self._errands.start(work)

    def _tell_studio(
        self, conversation: Conversation, webhook: Webhook, message: Message, *, is_replayed: bool = False
    ) -> None:
        if _wants(webhook.spec, MESSAGE_ADDED, message.body):
            self._studio.receive(conversation, webhook, message, is_replayed=is_replayed)

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
        await self._outside.ask(event, _request(spec, form), self._patience)


def _request(spec: WebhookSpec, form: Mapping[str, str]) -> Request:
    if spec.method.upper() == "GET":
        return Request(f"{spec.url}{'&' if '?' in spec.url else '?'}{urlencode(form)}")
    return Request(spec.url, urlencode(form))


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
