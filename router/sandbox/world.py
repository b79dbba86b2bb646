"""What is there: an account's services, conversations, webhooks, flows, executions, interactions, all in memory."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from router.model.call import ConversationRef
from router.model.webhook import Target, WebhookSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from router.clock import Clock
    from router.sandbox.studio import Progress


class State(StrEnum):
    """The states of a conversation; ``closed`` is for good (docs/twilio.md, STATES)."""

    INITIALIZING = "initializing"
    INACTIVE = "inactive"
    ACTIVE = "active"
    CLOSED = "closed"


class Status(StrEnum):
    """The states of an execution."""

    ACTIVE = "active"
    ENDED = "ended"


class ChannelStatus(StrEnum):
    """The states of an interaction's channel that are played."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    CLOSED = "closed"


class TaskStatus(StrEnum):
    """The states of an interaction's task that are played."""

    PENDING = "pending"
    WRAPPING = "wrapping"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class Service:
    """A conversation service. ``post_webhook`` is its own post-event webhook, or empty (docs/twilio.md, PLACEMENT)."""

    sid: str
    messaging_sid: str
    post_webhook: str = ""


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody in a conversation: by ``identity``, or by ``address`` (``whatsapp:+…``) and our ``proxy_address``."""

    sid: str
    created: datetime
    identity: str = ""
    address: str = ""
    proxy_address: str = ""
    attributes: str = "{}"

    def wrote(self, author: str) -> bool:
        """Say whether a message by ``author`` is this participant's."""
        return bool(author) and author in (self.identity, self.address)


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``participant`` is empty where no participant wrote it: the agent, or Studio."""

    sid: str
    index: int
    author: str
    body: str
    participant: str
    created: datetime
    attributes: str = "{}"


@dataclass(frozen=True, slots=True)
class Webhook:
    """A scoped webhook as it stands."""

    sid: str
    spec: WebhookSpec
    created: datetime
    updated: datetime


@dataclass(slots=True, eq=False)
class Conversation:
    """A conversation; it changes in place, so that a test may keep it and look again."""

    sid: str
    service: Service
    created: datetime
    updated: datetime
    friendly_name: str | None = None
    unique_name: str | None = None
    attributes: str = "{}"
    state: State = State.ACTIVE
    participants: list[Participant] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    webhooks: list[Webhook] = field(default_factory=list)

    @property
    def ref(self) -> ConversationRef:
        """The conversation as the rest of the router names it."""
        return ConversationRef(service=self.service.sid, sid=self.sid)

    @property
    def session(self) -> str:
        """What an agent's tool call carries as ``X-Session-Id`` (docs/twilio.md, SESSION)."""
        return f"webhook:conversations__{self.service.sid}/{self.sid}"

    @property
    def customer(self) -> Participant:
        """The first participant; raises IndexError where there is none."""
        return self.participants[0]

    @property
    def studio_webhooks(self) -> list[Webhook]:
        """The scoped webhooks that reach a Studio Flow."""
        return [webhook for webhook in self.webhooks if webhook.spec.target == Target.STUDIO]

    def webhook(self, sid: str) -> Webhook | None:
        """Find a scoped webhook."""
        return next((webhook for webhook in self.webhooks if webhook.sid == sid), None)


@dataclass(frozen=True, slots=True)
class Flow:
    """A Studio Flow as it was last saved; ``errors`` is why it is not valid.

    ``earlier`` is what was published before, where the newest revision is a draft (docs/twilio.md, FLOW-REVISIONS).
    """

    sid: str
    name: str
    definition: Mapping[str, Any]
    created: datetime
    published: bool = True
    earlier: Mapping[str, Any] | None = None
    errors: tuple[str, ...] = ()

    @property
    def running(self) -> Mapping[str, Any] | None:
        """What runs for real: only what is published (docs/twilio.md, PUBLISHED)."""
        return self.definition if self.published else self.earlier

    @property
    def revision(self) -> int:
        """The number of the newest revision."""
        return 1 if self.earlier is None else 2

    @property
    def published_revision(self) -> int:
        """The number of the newest published revision; 0 where there is none."""
        return self.revision if self.published else self.revision - 1


@dataclass(slots=True, eq=False)
class Execution:
    """One run of a flow; ``conversation`` is None and ``webhook`` empty where REST started it."""

    sid: str
    contact_sid: str
    flow: Flow
    address: str
    created: datetime
    updated: datetime
    conversation: Conversation | None = None
    webhook: Webhook | None = None
    progress: Progress | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    status: Status = Status.ACTIVE


@dataclass(slots=True, eq=False)
class Interaction:
    """A conversation in Flex: its one channel, and the task that was made of it with ``attributes``."""

    sid: str
    channel: str
    task: str
    kind: str
    conversation: Conversation
    workspace: str
    workflow: str
    task_channel: str
    attributes: Mapping[str, Any]
    created: datetime
    status: ChannelStatus = ChannelStatus.ACTIVE
    task_status: TaskStatus = TaskStatus.PENDING


class World:
    """Everything that the account holds. SIDs and secrets follow from ``seed``; None makes them random."""

    def __init__(self, clock: Clock, seed: int | None) -> None:
        self._random = random.Random(seed)
        self.clock = clock
        self.account_sid = self.new_sid("AC")
        self.auth_token = f"{self._random.getrandbits(128):032x}"
        self.api_key = self.new_sid("SK")
        self.api_secret = f"{self._random.getrandbits(128):032x}"
        self.services: dict[str, Service] = {}
        self.conversations: dict[str, Conversation] = {}
        self.flows: dict[str, Flow] = {}
        self.executions: dict[str, Execution] = {}
        self.interactions: dict[str, Interaction] = {}
        self.default_service = self.add_service()

    def new_sid(self, prefix: str) -> str:
        """Make up a SID of the kind that the two capitals name."""
        return f"{prefix}{self._random.getrandbits(128):032x}"

    def add_service(self, post_webhook: str = "") -> Service:
        """Add a conversation service."""
        service = Service(self.new_sid("IS"), self.new_sid("MG"), post_webhook)
        self.services[service.sid] = service
        return service

    def add_conversation(self, service: Service) -> Conversation:
        """Add an active conversation with nobody in it."""
        now = self.clock.now()
        conversation = Conversation(self.new_sid("CH"), service, now, now)
        self.conversations[conversation.sid] = conversation
        return conversation

    def find_conversation(self, service: Service, name: str) -> Conversation | None:
        """Find a conversation of ``service`` by SID or unique name."""
        for conversation in self.conversations_of(service):
            if name in (conversation.sid, conversation.unique_name):
                return conversation
        return None

    def conversations_of(self, service: Service) -> Iterator[Conversation]:
        """Yield the conversations of a service, oldest first."""
        return (found for found in self.conversations.values() if found.service.sid == service.sid)

    def add_participant(
        self,
        conversation: Conversation,
        *,
        identity: str = "",
        address: str = "",
        proxy_address: str = "",
        attributes: str = "{}",
    ) -> Participant:
        """Let somebody in."""
        participant = Participant(self.new_sid("MB"), self.clock.now(), identity, address, proxy_address, attributes)
        conversation.participants.append(participant)
        return participant

    def add_message(self, conversation: Conversation, *, author: str, body: str, attributes: str = "{}") -> Message:
        """Add a message at the end; its participant is the one whose identity or address ``author`` is."""
        writer = next((found.sid for found in conversation.participants if found.wrote(author)), "")
        message = Message(
            self.new_sid("IM"),
            conversation.messages[-1].index + 1 if conversation.messages else 0,
            author,
            body,
            writer,
            self.clock.now(),
            attributes,
        )
        conversation.messages.append(message)
        return message

    def add_webhook(self, conversation: Conversation, spec: WebhookSpec) -> Webhook:
        """Attach a webhook; whoever calls has looked whether there is room."""
        now = self.clock.now()
        webhook = Webhook(self.new_sid("WH"), spec, now, now)
        conversation.webhooks.append(webhook)
        return webhook

    def add_execution(
        self, flow: Flow, address: str, conversation: Conversation | None = None, webhook: Webhook | None = None
    ) -> Execution:
        """Begin a run of ``flow``."""
        now = self.clock.now()
        execution = Execution(
            self.new_sid("FN"), self.new_sid("FC"), flow, address, now, now, conversation=conversation, webhook=webhook
        )
        self.executions[execution.sid] = execution
        return execution

    def add_interaction(self, conversation: Conversation, kind: str, routing: Mapping[str, Any]) -> Interaction:
        """Begin an interaction, with the attributes that Flex adds to a task's own."""
        sid, channel = self.new_sid("KD"), self.new_sid("UO")
        own = {"conversationSid": conversation.sid, "flexInteractionSid": sid, "flexInteractionChannelSid": channel}
        interaction = Interaction(
            sid,
            channel,
            self.new_sid("WT"),
            kind,
            conversation,
            routing["workspace_sid"],
            routing["workflow_sid"],
            routing.get("task_channel_unique_name", "default"),
            {**routing.get("attributes", {}), **own},
            self.clock.now(),
        )
        self.interactions[sid] = interaction
        return interaction

    def active_execution(self, flow: Flow, conversation: Conversation) -> Execution | None:
        """Find the one run of ``flow`` that ``conversation`` may have (docs/twilio.md, ONE-EXECUTION)."""
        for execution in self.executions.values():
            same = execution.flow.sid == flow.sid and execution.conversation is conversation
            if same and execution.status == Status.ACTIVE:
                return execution
        return None
