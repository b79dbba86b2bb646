"""The stand-in for Twilio as a test uses it: plain calls, each of which returns when it is done."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from router.sandbox.faults import Fault

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from router.sandbox.faults import ArmedFault, Kind
    from router.sandbox.journal import Entry
    from router.sandbox.sandbox import Responder, Sandbox
    from router.sandbox.world import Conversation, Message

AGENT_URL: Final = "https://support-agent.twil.io/channels/conversations/messageAdded"
"""The agent's webhook. Nobody plays the agent: what is sent to it stays on this machine."""


class TwilioStandIn:
    """A Twilio account in memory, over real HTTP; ``sandbox`` is the whole of it, on the loop that ``portal`` leads to.

    Conversations change in place: keep one, and look at its ``webhooks``, ``messages`` and ``attributes`` again.
    """

    def __init__(self, sandbox: Sandbox, portal: BlockingPortal) -> None:
        self.sandbox = sandbox
        self._portal = portal

    def open_conversation(self, *, agent_url: str = AGENT_URL, **options: Any) -> Conversation:
        """Open a conversation in which the agent answers; ``options`` as for ``Sandbox.open_conversation``."""
        return self._portal.call(partial(self.sandbox.open_conversation, agent_url=agent_url, **options))

    def customer_says(self, conversation: Conversation, text: str) -> Message:
        """Add a message of the customer's; returns when everybody who listens was told and has answered."""
        message = self._portal.call(self.sandbox.customer_says, conversation, text)
        self._portal.call(self.sandbox.settled)
        return message

    def responders(self, conversation: Conversation) -> tuple[Responder, ...]:
        """List who would answer the customer: each has ``kind``, which is ``agent`` or ``studio``, and ``name``."""
        return self.sandbox.responders(conversation)

    def fail(self, kind: Kind | str, *, method: str = "*", path: str = "*", **how: Any) -> ArmedFault:
        """Let a fault strike the next requests that match, such as ``fail("unavailable", path="*/Webhooks", times=3)``.

        ``kind`` and ``how`` are those of ``router.sandbox.faults``; raises ValueError for a kind that there is not.
        """
        return self.sandbox.faults.add(Fault(kind, method=method, path=path, **how))

    @property
    def requests(self) -> list[Entry]:
        """Every request to Twilio's API so far, in the order in which they ended."""
        return self.sandbox.requests
