"""Tells the customer, in the conversation, that somebody else goes on from here."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from router import Handover, Twilio, hookimpl

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

MESSAGES = "https://conversations.twilio.com/v1/Services/{service}/Conversations/{conversation}/Messages"

# So many characters a message may have (docs/twilio.md, MESSAGE-CREATE).
LONGEST = 1600


@hookimpl
def plugin_info() -> dict[str, Any]:
    """Say what routes.yaml may set."""
    return {
        "name": "Tell the customer",
        "version": "1.0",
        "config_schema": {
            "type": "object",
            "additionalProperties": False,
            "required": ["message"],
            "properties": {
                "message": {
                    "description": "What the customer is told, word for word",
                    "type": "string",
                    "pattern": r"\S",
                    "maxLength": LONGEST,
                },
                "author": {
                    "description": "Who the message is by; nobody who takes part in the conversation",
                    "type": "string",
                    "minLength": 1,
                    "default": "handover",
                },
                "when": {
                    "description": "after: once the flow is attached, and only then; before: ahead of all that changes",
                    "enum": ["after", "before"],
                    "default": "after",
                },
            },
        },
    }


@hookimpl
@asynccontextmanager
async def around_swap(handover: Handover, config: Mapping[str, Any], twilio: Twilio) -> AsyncIterator[None]:
    """Post the message after the swap, or before it; a swap that fails raises at the ``yield``."""
    is_first = config.get("when") == "before"
    if is_first:
        await tell(handover, config, twilio)
    yield
    if not is_first:
        await tell(handover, config, twilio)


async def tell(handover: Handover, config: Mapping[str, Any], twilio: Twilio) -> None:
    """Post the message: by REST, so that no flow and no agent takes it for the customer's."""
    url = MESSAGES.format(service=handover.service, conversation=handover.conversation)
    await twilio.request("POST", url, form={"Author": config.get("author", "handover"), "Body": config["message"]})
