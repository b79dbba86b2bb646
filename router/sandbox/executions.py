"""Studio at work: messages start and advance executions, which answer in the conversation and clean up at their end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from router.model.flow import CONVERSATION_EVENT
from router.model.webhook import ROOM
from router.sandbox import studio
from router.sandbox.world import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.sandbox.world import Conversation, Execution, Flow, Message, Webhook, World

AUTHOR = "Studio"
"""Who a flow's messages are by."""


class Studio:
    """Runs the flows of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def receive(self, conversation: Conversation, webhook: Webhook, message: Message) -> None:
        """Bring a message to the flow of ``webhook``: it starts a run, or goes to the one that waits.

        Nothing happens where the flow is unknown, a draft, or does not start from conversations
        (docs/twilio.md, PUBLISHED, UNCHECKED-FLOW).
        """
        flow = self._world.flows.get(webhook.spec.flow)
        running = flow.running if flow else None
        if flow is None or running is None or not studio.starts_from(running, CONVERSATION_EVENT):
            return
        inbound = _inbound(self._world.account_sid, conversation, message)
        execution = self._world.active_execution(flow, conversation)
        if execution is not None and execution.progress is not None:
            self._take(execution, studio.go_on(running, execution.progress, inbound))
            return
        address = conversation.customer.address if conversation.participants else conversation.sid
        execution = self._world.add_execution(flow, address, conversation, webhook)
        variables = _variables(execution, {"conversation": inbound})
        self._take(execution, studio.begin(running, CONVERSATION_EVENT, variables))

    def start(self, flow: Flow, to: str, sender: str, data: Mapping[str, Any]) -> Execution:
        """Start a run by REST: it has no conversation, so what it sends goes nowhere here."""
        execution = self._world.add_execution(flow, to)
        execution.data = data
        variables = _variables(execution, {"request": {"parameters": data}}, sender)
        self._take(execution, studio.begin(flow.definition, studio.REQUEST_EVENT, variables))
        return execution

    def end(self, execution: Execution) -> None:
        """End a run. Its webhook is removed; one removed meanwhile is put back (docs/twilio.md, PUT-BACK)."""
        execution.status = Status.ENDED
        execution.updated = self._world.clock.now()
        conversation, webhook = execution.conversation, execution.webhook
        if conversation is None or webhook is None:
            return
        there = conversation.webhook(webhook.sid)
        if there is None and len(conversation.webhooks) < ROOM:
            self._world.add_webhook(conversation, webhook.spec)
        elif there is not None and there.spec.flow == execution.flow.sid:
            conversation.webhooks.remove(there)

    def _take(self, execution: Execution, step: studio.Step) -> None:
        execution.progress = step.progress
        execution.updated = self._world.clock.now()
        if execution.conversation is not None:
            for text in step.texts:
                self._world.add_message(execution.conversation, author=AUTHOR, body=text)
        if step.ended:
            self.end(execution)


def _inbound(account_sid: str, conversation: Conversation, message: Message) -> dict[str, Any]:
    """Give what a flow sees of a message: a snapshot, so later writes are not seen (docs/twilio.md, SNAPSHOT)."""
    return {
        "Body": message.body,
        "Author": message.author,
        "From": message.author,
        "MessageSid": message.sid,
        "ConversationSid": conversation.sid,
        "ChannelSid": conversation.sid,
        "InstanceSid": conversation.service.sid,
        "AccountSid": account_sid,
        "ParticipantSid": message.participant,
        "Attributes": json.loads(message.attributes),
        "ChannelAttributes": json.loads(conversation.attributes),
    }


def _variables(execution: Execution, trigger: Mapping[str, Any], sender: str = "") -> Mapping[str, Any]:
    flow = {
        "sid": execution.sid,
        "flow_sid": execution.flow.sid,
        "channel": {"address": sender},
        "data": execution.data,
    }
    return {"trigger": trigger, "flow": flow, "contact": {"channel": {"address": execution.address}}}
