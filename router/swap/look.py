"""What is there: read side by side, so that a handover waits for one round trip and not for three."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from router.errors import TwilioError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from router.model.call import ConversationRef, Identity
    from router.model.gateway import Gateway, Message
    from router.model.webhook import ScopedWebhook

_Read = TypeVar("_Read")


class Seen(NamedTuple):
    """A conversation as it was read.

    ``newest`` and ``attributes`` are None where they were not asked for, and the error where they could not be read.
    """

    webhooks: Sequence[ScopedWebhook]
    newest: Message | TwilioError | None = None
    attributes: Mapping[str, Any] | TwilioError | None = None

    def replay_after(self, identity: Identity | None) -> int | None:
        """Give the index from which a flow is given messages again, or None for no replay.

        That is the newest message, and only if the customer wrote it: where an agent's message follows the customer's
        newest, a replay might give the flow the agent's words (docs/twilio.md, REPLAY-REST).
        """
        if self.newest is None or isinstance(self.newest, TwilioError):
            return None
        wrote = identity.wrote(self.newest.author) if identity else bool(self.newest.participant)
        return self.newest.index if wrote else None


async def look(gateway: Gateway, conversation: ConversationRef, *, newest: bool, attributes: bool) -> Seen:
    """Read the webhooks and, where asked for, the newest message and the attributes.

    Raises TwilioError where the webhooks cannot be read; without them nothing can be planned.
    """
    if not (newest or attributes):  # what is read alone needs no task of its own
        return Seen(await gateway.list_webhooks(conversation))
    webhooks, message, values = await asyncio.gather(
        gateway.list_webhooks(conversation),
        _attempt(gateway.newest_message(conversation) if newest else None),
        _attempt(gateway.fetch_attributes(conversation) if attributes else None),
    )
    return Seen(webhooks, message, values)


async def _attempt(reading: Awaitable[_Read] | None) -> _Read | TwilioError | None:
    if reading is None:
        return None
    try:
        return await reading
    except TwilioError as error:
        return error
