"""A stage: one conversation in memory, with all that is asked of Twilio. Nothing leaves it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from router.errors import TwilioRefused
from router.model.call import ConversationRef
from router.model.gateway import Message
from router.model.request import TwilioRequest
from router.model.twilio import NOTHING
from router.model.webhook import MESSAGE_ADDED, ROOM, ScopedWebhook, Target, WebhookSpec
from router.twilio.reading import attributes_of, attributes_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from router.model.call import Identity
    from router.model.twilio import Fields
    from router.model.webhook import AgentWebhooks

CONVERSATION: Final = ConversationRef(service="IS" + "0" * 32, sid="CH" + "0" * 32)
"""The conversation of a call that names none of its own."""

_NOT_FOUND: Final = 20404
_NO_SUCH_WEBHOOK: Final = 50360
_NO_FREE_PLACE: Final = 50361


class Stage:
    """A gateway to one conversation and to no other; it refuses what Twilio refuses (docs/twilio.md, ERROR-CODES).

    Webhooks are taken as they are described: it is for Twilio to judge a URL. ``attributes`` are a JSON text. ``asked``
    notes the requests of plugins.
    """

    def __init__(
        self,
        conversation: ConversationRef,
        *,
        webhooks: Sequence[WebhookSpec] = (),
        newest: Message | None = None,
        attributes: str = "{}",
    ) -> None:
        self._conversation = conversation
        self._webhooks: list[ScopedWebhook] = []
        self._newest = newest
        self._attributes = attributes
        self._made = 0
        self.asked: list[TwilioRequest] = []
        for spec in webhooks:
            self._add(spec)

    @property
    def attributes(self) -> Mapping[str, Any]:
        """What the conversation's attributes are now."""
        return attributes_of("fetch_attributes", self._attributes)

    async def list_webhooks(self, conversation: ConversationRef) -> Sequence[ScopedWebhook]:
        """List the scoped webhooks, the oldest first."""
        self._enter("list_webhooks", conversation)
        return tuple(self._webhooks)

    async def create_webhook(
        self,
        conversation: ConversationRef,
        spec: WebhookSpec,
        replay_after: int | None = None,  # noqa: ARG002 - nobody reads the messages here
    ) -> ScopedWebhook:
        """Create one; refused where all places are taken."""
        self._enter("create_webhook", conversation)
        if len(self._webhooks) >= ROOM:
            raise TwilioRefused("create_webhook", "all places are taken", status=400, code=_NO_FREE_PLACE)
        return self._add(spec)

    async def redirect_webhook(self, conversation: ConversationRef, sid: str, flow: str) -> ScopedWebhook:
        """Point a studio webhook at another flow; refused where it is not there."""
        for place, webhook in enumerate(self._webhooks):
            if webhook.sid == sid and conversation == self._conversation:
                self._webhooks[place] = ScopedWebhook(sid, replace(webhook.spec, flow=flow))
                return self._webhooks[place]
        raise TwilioRefused("redirect_webhook", "there is no such webhook", status=404, code=_NO_SUCH_WEBHOOK)

    async def delete_webhook(self, conversation: ConversationRef, sid: str) -> None:
        """Delete one; that it is gone, or never was, is success."""
        if conversation == self._conversation:
            self._webhooks = [webhook for webhook in self._webhooks if webhook.sid != sid]

    async def newest_message(self, conversation: ConversationRef) -> Message | None:
        """Fetch the newest message, or None where there is none."""
        self._enter("newest_message", conversation)
        return self._newest

    async def fetch_attributes(self, conversation: ConversationRef) -> Mapping[str, Any]:
        """Fetch the attributes."""
        self._enter("fetch_attributes", conversation)
        return self.attributes

    async def change_attributes(
        self,
        conversation: ConversationRef,
        change: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        read: Mapping[str, Any] | None = None,
    ) -> None:
        """Write what ``change`` makes of the attributes ``read``, or of those that are there; refused over 16 kB."""
        now = await self.fetch_attributes(conversation) if read is None else read
        text = attributes_text("change_attributes", change(now))
        self._enter("change_attributes", conversation)
        self._attributes = text

    async def request(self, method: str, url: str, *, form: Fields = NOTHING, query: Fields = NOTHING) -> Any:
        """Note what a plugin asks: a write is answered and not made, a read finds nothing."""
        asked = TwilioRequest.checked(method, url, form, query)
        self.asked.append(asked)
        if asked.is_read:
            raise TwilioRefused("plugin", "a test in routes.yaml does not ask Twilio", status=404, code=_NOT_FOUND)
        return asked.unmade_answer

    def _enter(self, operation: str, conversation: ConversationRef) -> None:
        if conversation != self._conversation:
            raise TwilioRefused(operation, "there is no such conversation", status=404, code=_NOT_FOUND)

    def _add(self, spec: WebhookSpec) -> ScopedWebhook:
        self._made += 1
        webhook = ScopedWebhook(f"WH{self._made:032x}", spec)
        self._webhooks.append(webhook)
        return webhook


def set_up(conversation: ConversationRef, identity: Identity | None, agents: AgentWebhooks) -> Stage:
    """Set up a conversation as a call finds it: the agent answers, and the customer has just written something.

    The agent's webhook is one that the first pattern of ``agents`` matches; without a pattern it is the service's.
    """
    webhooks = [
        WebhookSpec(Target.WEBHOOK, pattern.replace("*", "rehearsal"), "POST", (MESSAGE_ADDED,))
        for pattern in agents.patterns[:1]
    ]
    author = identity.value if identity else ""
    return Stage(conversation, webhooks=webhooks, newest=Message(0, author, "MB" + "0" * 32))
