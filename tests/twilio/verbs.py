"""Every verb of the gateway with an answer that satisfies it, and answers that satisfy none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from router.model.webhook import WebhookSpec
from tests.twilio.stub import (
    FW,
    WH,
    Reply,
    error_json,
    flow_json,
    page_json,
    webhook_json,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from router.model.call import ConversationRef
    from router.twilio.gateway import TwilioGateway


STUDIO = WebhookSpec.studio(FW)
CREATED = Reply(webhook_json(WH, "studio", flow_sid=FW, filters=["onMessageAdded"]), 201)
BUSY = Reply(error_json(20429, "slow down", 429), 429)
CUT = Reply(cut=True)
BROKEN = Reply(b'{"sid":', 201)
FAILED = Reply("<html>Bad gateway</html>", 502)

VERBS: dict[str, tuple[Callable[[TwilioGateway, ConversationRef], Awaitable[Any]], Reply]] = {
    "list_webhooks": (lambda gateway, where: gateway.list_webhooks(where), Reply(page_json("webhooks"))),
    "create_webhook": (lambda gateway, where: gateway.create_webhook(where, STUDIO), CREATED),
    "redirect_webhook": (lambda gateway, where: gateway.redirect_webhook(where, WH, FW), CREATED),
    "delete_webhook": (lambda gateway, where: gateway.delete_webhook(where, WH), Reply(status=204)),
    "newest_message": (lambda gateway, where: gateway.newest_message(where), Reply(page_json("messages"))),
    "fetch_attributes": (lambda gateway, where: gateway.fetch_attributes(where), Reply({"attributes": "{}"})),
    "newest_revision": (lambda gateway, _where: gateway.newest_revision(FW), Reply(flow_json())),
    "published_revision": (lambda gateway, _where: gateway.published_revision(FW), Reply(flow_json())),
}
OF_FLOWS = {"newest_revision", "published_revision"}
SAFE = sorted(VERBS.keys() - {"create_webhook"})
