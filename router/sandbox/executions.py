"""Studio at work: messages start and advance executions, which answer in the conversation and clean up at their end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from router.model.flow import CONVERSATION_EVENT
from router.model.webhook import MESSAGE_ADDED, ROOM
from router.sandbox import http_widget, studio
from router.sandbox.world import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.model.webhook import WebhookSpec
    from router.sandbox.errands import Errands
    from router.sandbox.exchange import Request
    from router.sandbox.outside import Outside
    from router.sandbox.world import Conversation, Execution, Flow, Message, Webhook, World

AUTHOR = "Studio"
"""Who a flow's messages are by."""


class Studio:
    """Runs the flows of one world; ``outside`` is where their own requests go, as ``errands``.

    Seconds: the answer to such a request may take ``patience``; what Studio puts back at the end of a run comes
    ``put_back_delay`` after it (docs/twilio.md, PUT-BACK).
    """

    def __init__(
        self,
        world: World,
        outside: Outside,
        errands: Errands,
        *,
        patience: float = http_widget.PATIENCE,
        put_back_delay: float = 0.0,
    ) -> None:
        self._world = world
        self._outside = outside
        self._errands = errands
        self._patience = patience
        self._put_back_delay = put_back_delay

    def receive(
        self, conversation: Conversation, webhook: Webhook, message: Message, *, is_replayed: bool = False
    ) -> None:
        """Bring a message to the flow of ``webhook``: it starts a run, or goes to the one that waits for it.

        A run that waits for the answer to a request swallows it (docs/twilio.md, ONE-EXECUTION). Nothing happens
        where the flow is unknown, a draft, or does not start from conversations
        (docs/twilio.md, PUBLISHED, UNCHECKED-FLOW). What a replay started has the conversation for its address
        (docs/twilio.md, EXECUTION-ADDRESS).
        """
        flow = self._world.flows.get(webhook.spec.flow)
        if flow is None:
            self._outside.miss(MESSAGE_ADDED, webhook.spec.flow)
            return
        running = flow.running
        if running is None or not studio.starts_from(running, CONVERSATION_EVENT):
            return
        inbound = _inbound(self._world.account_sid, conversation, message)
        execution = self._world.active_execution(flow, conversation)
        if execution is not None and execution.progress is not None:
            if execution.progress.request is None:
                self._take(execution, running, studio.go_on(running, execution.progress, inbound))
            return
        is_known = bool(conversation.participants) and not is_replayed
        address = conversation.customer.address if is_known else conversation.sid
        execution = self._world.add_execution(flow, address, conversation, webhook)
        variables = _variables(execution, {"conversation": inbound})
        self._take(execution, running, studio.begin(running, CONVERSATION_EVENT, variables))

    def start(self, flow: Flow, to: str, sender: str, data: Mapping[str, Any]) -> Execution:
        """Start a run by REST: it has no conversation, so what it sends goes nowhere here."""
        execution = self._world.add_execution(flow, to)
        execution.data = data
        variables = _variables(execution, {"request": {"parameters": data}}, sender)
        self._take(execution, flow.definition, studio.begin(flow.definition, studio.REQUEST_EVENT, variables))
        return execution

    def end(self, execution: Execution) -> None:
        """End a run. Its webhook is removed; one removed meanwhile is put back (docs/twilio.md, PUT-BACK)."""
        if execution.status == Status.ENDED:
            return
        execution.status = Status.ENDED
        execution.updated = self._world.clock.now()
        conversation, webhook = execution.conversation, execution.webhook
        if conversation is None or webhook is None:
            return
        there = conversation.webhook(webhook.sid)
        if there is None:
            if self._put_back_delay:
                self._errands.start(self._put_back_later(conversation, webhook.spec))
            else:
                self._put_back(conversation, webhook.spec)
        elif there.spec.flow == execution.flow.sid:
            conversation.webhooks.remove(there)

    async def _put_back_later(self, conversation: Conversation, spec: WebhookSpec) -> None:
        await self._world.clock.sleep(self._put_back_delay)
        self._put_back(conversation, spec)

    def _put_back(self, conversation: Conversation, spec: WebhookSpec) -> None:
        if len(conversation.webhooks) < ROOM:
            self._world.add_webhook(conversation, spec)

    def _take(self, execution: Execution, definition: Mapping[str, Any], step: studio.Step) -> None:
        execution.progress = step.progress
        execution.updated = self._world.clock.now()
        if execution.conversation is not None:
            for text in step.texts:
                self._world.add_message(execution.conversation, author=AUTHOR, body=text)
        if step.ended:
            self.end(execution)
        elif step.progress.request is not None:
            self._errands.start(self._ask(execution, definition, step.progress, step.progress.request))

    async def _ask(
        self, execution: Execution, definition: Mapping[str, Any], progress: studio.Progress, request: Request
    ) -> None:
        """Make the request of a widget, once (docs/twilio.md, MAKE-REQUEST-REPEATS), and go on with its answer.

        A run that was ended meanwhile does not go on.
        """
        reply = await self._outside.ask(http_widget.TYPE, request, self._patience)
        if execution.status == Status.ACTIVE:
            self._take(execution, definition, studio.take_answer(definition, progress, reply))


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
