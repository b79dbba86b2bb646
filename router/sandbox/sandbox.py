"""The stand-in for Twilio as one object: its app to serve, its credentials, and the customer to speak as."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from router.clock import Clock
from router.model.webhook import MESSAGE_ADDED, Target, WebhookSpec
from router.sandbox import http_widget, studio
from router.sandbox.control import CUSTOMER, Control
from router.sandbox.conversations import ConversationsApi
from router.sandbox.errands import Errands
from router.sandbox.events import PATIENCE, Events
from router.sandbox.executions import Studio
from router.sandbox.faults import Faults, FaultyApp
from router.sandbox.flows import StudioApi, shipped_flows
from router.sandbox.interactions import InteractionsApi
from router.sandbox.journal import Journal
from router.sandbox.outside import Outside
from router.sandbox.rest import rest_app
from router.sandbox.world import ChannelStatus, Conversation, Flow, World
from router.serving import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from starlette.types import ASGIApp

    from router.sandbox.journal import Entry
    from router.sandbox.outside import Delivery
    from router.sandbox.world import Execution, Message

US: Final = "whatsapp:+15550199"


@dataclass(frozen=True, slots=True)
class Responder:
    """Who would answer the customer's next message: ``kind`` is ``studio``, ``flex`` or ``agent``.

    ``name`` is the Flow SID, the interaction's SID or the URL, ``webhook`` the SID of the scoped webhook, empty where
    there is none.
    """

    kind: str
    name: str
    webhook: str = ""


class Sandbox:
    """A Twilio account in memory; ``served()`` gives ``app`` a port, and ``url`` then says where.

    ``flows`` maps Flow SIDs to exported definitions (None: the two shipped ones); ``drafts`` names those that are
    not published, and ``earlier`` what was published of them before; ``invalid`` says why Studio finds flows not
    valid; ``hosts`` maps hosts of webhook URLs, and of those that flows call, to the base URLs that stand for them;
    SIDs and secrets follow from ``seed`` (None: random); ``statuses`` overrides the HTTP status of Twilio error codes
    where none is documented. In seconds: ``patience`` is how long a webhook may take, ``widget_patience`` how long the
    answer to a flow's own request, ``put_back_delay`` how long after the end of a run Studio puts its webhook back
    (docs/twilio.md, PUT-BACK). ``tell`` is told a line where the customer writes to a flow that is not played. Raises
    ValueError for a flow that the interpreter cannot play.
    """

    def __init__(
        self,
        *,
        flows: Mapping[str, Mapping[str, Any]] | None = None,
        drafts: Sequence[str] = (),
        earlier: Mapping[str, Mapping[str, Any]] | None = None,
        invalid: Mapping[str, Sequence[str]] | None = None,
        hosts: Mapping[str, str] | None = None,
        seed: int | None = 0,
        statuses: Mapping[int, int] | None = None,
        patience: float = PATIENCE,
        widget_patience: float = http_widget.PATIENCE,
        put_back_delay: float = 0.0,
        clock: Clock | None = None,
        tell: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.world = World(clock or Clock(), seed)
        self.hosts = dict(hosts or {})
        self.faults = Faults()
        self._agents: set[str] = set()
        for sid, definition in (shipped_flows() if flows is None else flows).items():
            studio.check(sid, definition)
            name = str(definition.get("description") or sid)
            self.world.flows[sid] = Flow(
                sid,
                name,
                definition,
                self.world.clock.now(),
                published=sid not in drafts,
                earlier=(earlier or {}).get(sid) if sid in drafts else None,
                errors=tuple((invalid or {}).get(sid, ())),
            )
        self._errands = Errands()
        self._outside = Outside(self.world.auth_token, self.hosts, tell)
        self._runs = Studio(
            self.world, self._outside, self._errands, patience=widget_patience, put_back_delay=put_back_delay
        )
        self._events = Events(self.world, self._runs, self._outside, self._errands, patience)
        interactions = InteractionsApi(self.world)
        routes = [
            *ConversationsApi(self.world, self._events).routes(),
            *StudioApi(self.world, self._runs).routes(),
            *interactions.routes(),
            *interactions.task_routes(),
            *Control(self).routes(),
        ]
        api = rest_app(self.world, routes, statuses or {}, self._running)
        self._journal = Journal(FaultyApp(api, self.faults), self.world.new_sid)
        self.app: ASGIApp = self._journal
        self.url = ""

    @property
    def account_sid(self) -> str:
        """The account's SID, the user of Basic authentication."""
        return self.world.account_sid

    @property
    def auth_token(self) -> str:
        """The account's auth token: password, and key of the signatures."""
        return self.world.auth_token

    @property
    def api_key(self) -> str:
        """The SID of an API key that may be used instead of the account's."""
        return self.world.api_key

    @property
    def api_secret(self) -> str:
        """The secret of the API key."""
        return self.world.api_secret

    @property
    def requests(self) -> list[Entry]:
        """Every REST request so far, in the order in which they ended."""
        return list(self._journal.entries)

    @property
    def deliveries(self) -> list[Delivery]:
        """Every attempt so far to call a webhook, or what a flow calls."""
        return list(self._outside.deliveries)

    @contextlib.asynccontextmanager
    async def served(self, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Serve on a real port while the block runs, and give the base URL; at the end let go what faults hold."""
        async with serving(self.app, host=host, port=port) as url:
            self.url = url
            try:
                yield url
            finally:
                self.faults.clear()

    def open_conversation(
        self,
        *,
        customer: str = CUSTOMER,
        agent_url: str | None = None,
        service_url: str | None = None,
        webhooks: Sequence[WebhookSpec] = (),
    ) -> Conversation:
        """Open a conversation with ``customer`` in it.

        The agent answers through a scoped webhook (``agent_url``), or through the post-event webhook of a service of
        its own (``service_url``); ``webhooks`` are attached behind it (docs/twilio.md, PLACEMENT).
        """
        service = self.world.add_service(service_url) if service_url else self.world.default_service
        conversation = self.world.add_conversation(service)
        self.world.add_participant(conversation, address=customer, proxy_address=US)
        self._agents |= {url for url in (agent_url, service_url) if url}
        if agent_url:
            spec = WebhookSpec(target=Target.WEBHOOK, url=agent_url, method="POST", filters=(MESSAGE_ADDED,))
            self.world.add_webhook(conversation, spec)
        for spec in webhooks:
            self.world.add_webhook(conversation, spec)
        return conversation

    async def customer_says(self, conversation: Conversation, text: str) -> Message:
        """Add a message of the customer; returns when everybody who listens has been told, or could not be."""
        message = self.world.add_message(conversation, author=conversation.customer.address, body=text)
        await self._events.message_added(conversation, message)
        return message

    def responders(self, conversation: Conversation) -> tuple[Responder, ...]:
        """List who would answer; the agent on the service keeps silent beside Studio (docs/twilio.md, PLACEMENT)."""
        found = []
        for webhook in conversation.webhooks:
            if webhook.spec.target == Target.STUDIO:
                found.append(Responder("studio", webhook.spec.flow, webhook.sid))
            elif webhook.spec.target == Target.WEBHOOK and webhook.spec.url in self._agents:
                found.append(Responder("agent", webhook.spec.url, webhook.sid))
        if conversation.service.post_webhook and not conversation.studio_webhooks:
            found.append(Responder("agent", conversation.service.post_webhook))
        of_flex = (each for each in self.world.interactions.values() if each.conversation is conversation)
        found += [Responder("flex", each.sid) for each in of_flex if each.status == ChannelStatus.ACTIVE]
        return tuple(found)

    def end(self, execution: Execution) -> None:
        """End a run of a flow, whatever it waits for; nothing happens where it has ended."""
        self._runs.end(execution)

    def resume_conversation(self, execution: Execution, conversation: Conversation) -> None:
        """Let a run that REST started attach itself to a conversation, by its widget (docs/twilio.md, RESUME)."""
        execution.conversation = conversation
        execution.webhook = self.world.add_webhook(conversation, WebhookSpec.studio(execution.flow.sid))

    async def settled(self) -> None:
        """Wait until nothing is under way in the background: events, flows' own requests, what Studio puts back."""
        await self._errands.settled()

    @contextlib.asynccontextmanager
    async def _running(self, _app: object) -> AsyncIterator[None]:
        yield
        await self._errands.stop()
