"""Twilio's Conversations API as far as the router and its users go, on both of its paths."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from router.model.webhook import ROOM
from router.sandbox import events, refusals
from router.sandbox.refusals import Refused
from router.sandbox.requests import (
    LONGEST_ATTRIBUTES,
    LONGEST_SMALL_ATTRIBUTES,
    Form,
    changed_webhook,
    checked_attributes,
    checked_body,
    new_webhook,
    page_of,
)
from router.sandbox.shapes import CONVERSATIONS, Shapes
from router.sandbox.world import State

if TYPE_CHECKING:
    from starlette.requests import Request

    from router.sandbox.events import Events
    from router.sandbox.world import Conversation, Service, Webhook, World

SHORT: Final = "/v1/Conversations"
"""The short path; it addresses the default service (docs/twilio.md, WEBHOOK-PATHS)."""

LONG: Final = "/v1/Services/{service}/Conversations"

PAGE: Final = 50
LARGEST_PAGE: Final = 100


class ConversationsApi:
    """The endpoints; each refuses by raising ``Refused``."""

    def __init__(self, world: World, happenings: Events) -> None:
        self._world = world
        self._events = happenings
        self._shapes = Shapes(world)

    def routes(self) -> list[Route]:
        """List the endpoints under both paths."""
        found = []
        for base in (SHORT, LONG):
            one = f"{base}/{{conversation}}"
            found += [
                Route(base, self.list_conversations, methods=["GET"]),
                Route(base, self.create_conversation, methods=["POST"]),
                Route(one, self.fetch_conversation, methods=["GET"]),
                Route(one, self.update_conversation, methods=["POST"]),
                Route(one, self.delete_conversation, methods=["DELETE"]),
                Route(f"{one}/Participants", self.list_participants, methods=["GET"]),
                Route(f"{one}/Participants", self.create_participant, methods=["POST"]),
                Route(f"{one}/Messages", self.list_messages, methods=["GET"]),
                Route(f"{one}/Messages", self.create_message, methods=["POST"]),
                Route(f"{one}/Messages/{{message}}", self.fetch_message, methods=["GET"]),
                Route(f"{one}/Webhooks", self.list_webhooks, methods=["GET"]),
                Route(f"{one}/Webhooks", self.create_webhook, methods=["POST"]),
                Route(f"{one}/Webhooks/{{webhook}}", self.fetch_webhook, methods=["GET"]),
                Route(f"{one}/Webhooks/{{webhook}}", self.update_webhook, methods=["POST"]),
                Route(f"{one}/Webhooks/{{webhook}}", self.delete_webhook, methods=["DELETE"]),
            ]
        return found

    async def list_conversations(self, request: Request) -> Response:
        """List a service's conversations, oldest first."""
        state = request.query_params.get("State")
        return self._page(
            request,
            "conversations",
            [
                self._shapes.conversation(found, _base(request))
                for found in self._world.conversations_of(self._service(request))
                if state in (None, found.state)
            ],
        )

    async def create_conversation(self, request: Request) -> Response:
        """Open a conversation."""
        form = await Form.of(request)
        attributes = checked_attributes(form.one("Attributes", "{}"), LONGEST_ATTRIBUTES)
        state = _state(form, State.ACTIVE)
        conversation = self._world.add_conversation(self._service(request))
        conversation.friendly_name = form.one("FriendlyName") or None
        conversation.unique_name = form.one("UniqueName") or None
        conversation.attributes = attributes
        conversation.state = state
        self._tell(request, conversation, events.CONVERSATION_ADDED)
        return JSONResponse(self._shapes.conversation(conversation, _base(request)), 201)

    async def fetch_conversation(self, request: Request) -> Response:
        """Fetch a conversation."""
        return JSONResponse(self._shapes.conversation(self._conversation(request), _base(request)))

    async def update_conversation(self, request: Request) -> Response:
        """Write attributes as a whole, the state, the names; nothing at all where one of them is wrong."""
        form, conversation = await Form.of(request), self._open_conversation(request)
        attributes = checked_attributes(form.one("Attributes", conversation.attributes), LONGEST_ATTRIBUTES)
        state, before = _state(form, conversation.state), conversation.state
        conversation.attributes = attributes
        conversation.state = state
        conversation.friendly_name = form.one("FriendlyName", conversation.friendly_name or "") or None
        conversation.unique_name = form.one("UniqueName", conversation.unique_name or "") or None
        conversation.updated = self._world.clock.now()
        self._tell(request, conversation, events.CONVERSATION_UPDATED)
        if state != before:
            self._tell(request, conversation, events.STATE_UPDATED, StateFrom=before.value, StateTo=state.value)
        return JSONResponse(self._shapes.conversation(conversation, _base(request)))

    async def delete_conversation(self, request: Request) -> Response:
        """Delete a conversation, closed or not."""
        conversation = self._conversation(request)
        del self._world.conversations[conversation.sid]
        self._tell(request, conversation, events.CONVERSATION_REMOVED)
        return Response(status_code=204)

    async def list_participants(self, request: Request) -> Response:
        """List who is in a conversation."""
        conversation, base = self._conversation(request), _base(request)
        shown = [self._shapes.participant(conversation, found, base) for found in conversation.participants]
        return self._page(request, "participants", shown)

    async def create_participant(self, request: Request) -> Response:
        """Let somebody in, by identity or by address."""
        form, conversation = await Form.of(request), self._open_conversation(request)
        attributes = checked_attributes(form.one("Attributes", "{}"), LONGEST_SMALL_ATTRIBUTES)
        participant = self._world.add_participant(
            conversation,
            identity=form.one("Identity"),
            address=form.one("MessagingBinding.Address"),
            proxy_address=form.one("MessagingBinding.ProxyAddress"),
            attributes=attributes,
        )
        self._tell(request, conversation, events.PARTICIPANT_ADDED, ParticipantSid=participant.sid)
        return JSONResponse(self._shapes.participant(conversation, participant, _base(request)), 201)

    async def list_messages(self, request: Request) -> Response:
        """List messages, the oldest first unless ``Order=desc``."""
        conversation, base = self._conversation(request), _base(request)
        shown = [self._shapes.message(conversation, found, base) for found in conversation.messages]
        if request.query_params.get("Order") == "desc":
            shown.reverse()
        return self._page(request, "messages", shown)

    async def create_message(self, request: Request) -> Response:
        """Add a message. Nobody is told of it without ``X-Twilio-Webhook-Enabled`` (docs/twilio.md, REST-EVENTS)."""
        form, conversation = await Form.of(request), self._open_conversation(request)
        message = self._world.add_message(
            conversation,
            author=form.one("Author", "system"),
            body=checked_body(form.one("Body")),
            attributes=checked_attributes(form.one("Attributes", "{}"), LONGEST_SMALL_ATTRIBUTES),
        )
        if _is_loud(request):
            self._events.later(self._events.message_added(conversation, message))
        return JSONResponse(self._shapes.message(conversation, message, _base(request)), 201)

    async def fetch_message(self, request: Request) -> Response:
        """Fetch a message."""
        conversation, sid = self._conversation(request), request.path_params["message"]
        for message in conversation.messages:
            if message.sid == sid:
                return JSONResponse(self._shapes.message(conversation, message, _base(request)))
        raise _not_found(request)

    async def list_webhooks(self, request: Request) -> Response:
        """List the scoped webhooks, the oldest first (docs/twilio.md, WEBHOOK-PAGES)."""
        conversation, base = self._conversation(request), _base(request)
        shown = [self._shapes.webhook(conversation, found, base) for found in conversation.webhooks]
        return self._page(request, "webhooks", shown, size=ROOM, most=ROOM)

    async def create_webhook(self, request: Request) -> Response:
        """Attach a scoped webhook; ``Configuration.ReplayAfter`` brings it earlier messages."""
        form, conversation = await Form.of(request), self._open_conversation(request)
        spec, index = new_webhook(form), form.whole("Configuration.ReplayAfter")
        if len(conversation.webhooks) >= ROOM:
            raise Refused(refusals.NO_ROOM, f"Scoped webhooks limit exceeded, at most {ROOM}")
        webhook = self._world.add_webhook(conversation, spec)
        answer = JSONResponse(self._shapes.webhook(conversation, webhook, _base(request)), 201)
        if index is not None:
            self._events.later(self._events.replay(conversation, webhook, index))
        return answer

    async def fetch_webhook(self, request: Request) -> Response:
        """Fetch a scoped webhook."""
        conversation = self._conversation(request)
        webhook = self._webhook(request, conversation)
        return JSONResponse(self._shapes.webhook(conversation, webhook, _base(request)))

    async def update_webhook(self, request: Request) -> Response:
        """Change a scoped webhook in place, all but its target."""
        form, conversation = await Form.of(request), self._open_conversation(request)
        webhook = self._webhook(request, conversation)
        spec = changed_webhook(webhook.spec, form)
        changed = replace(webhook, spec=spec, updated=self._world.clock.now())
        conversation.webhooks[conversation.webhooks.index(webhook)] = changed
        return JSONResponse(self._shapes.webhook(conversation, changed, _base(request)))

    async def delete_webhook(self, request: Request) -> Response:
        """Take a scoped webhook off."""
        conversation = self._open_conversation(request)
        conversation.webhooks.remove(self._webhook(request, conversation))
        return Response(status_code=204)

    def _service(self, request: Request) -> Service:
        sid = request.path_params.get("service", self._world.default_service.sid)
        if sid not in self._world.services:
            raise _not_found(request)
        return self._world.services[sid]

    def _conversation(self, request: Request) -> Conversation:
        found = self._world.find_conversation(self._service(request), request.path_params["conversation"])
        if found is None:
            raise _not_found(request)
        return found

    def _open_conversation(self, request: Request) -> Conversation:
        """Find a conversation to write to; in a closed one nothing can be changed (docs/twilio.md, STATES)."""
        conversation = self._conversation(request)
        if conversation.state == State.CLOSED:
            raise Refused(refusals.CLOSED, "Conversation is closed and cannot be modified")
        return conversation

    def _webhook(self, request: Request, conversation: Conversation) -> Webhook:
        webhook = conversation.webhook(request.path_params["webhook"])
        if webhook is None:
            raise Refused(refusals.WEBHOOK_NOT_FOUND, "Scoped webhook not found")
        return webhook

    def _tell(self, request: Request, conversation: Conversation, event: str, **fields: str) -> None:
        if _is_loud(request):
            self._events.later(self._events.happened(conversation, event, fields))

    def _page(
        self, request: Request, key: str, items: list[dict[str, Any]], size: int = PAGE, most: int = LARGEST_PAGE
    ) -> Response:
        url = CONVERSATIONS + request.url.path
        return JSONResponse(page_of(request, items, key=key, url=url, size=size, most=most))


def _base(request: Request) -> str:
    """Give the path up to ``Conversations`` as it was called, for the addresses in the answer."""
    if "service" in request.path_params:
        return LONG.format(service=request.path_params["service"])
    return SHORT


def _is_loud(request: Request) -> bool:
    return request.headers.get("x-twilio-webhook-enabled") == "true"


def _state(form: Form, default: State) -> State:
    try:
        return State(form.one("State", default))
    except ValueError:
        raise Refused(refusals.INVALID_PARAMETER, f"State must be one of {', '.join(State)}") from None


def _not_found(request: Request) -> Refused:
    return Refused(refusals.NOT_FOUND, f"The requested resource {request.url.path} was not found")
