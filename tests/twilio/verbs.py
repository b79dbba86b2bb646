"""Every verb of the gateway with an answer that satisfies it, and answers that satisfy none."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from router.model.webhook import WebhookSpec
from tests.twilio.stub import (
    FN,
    FW,
    WH,
    Reply,
    error_json,
    execution_json,
    flow_json,
    page_json,
    webhook_json,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from router.model.call import ConversationRef
    from router.twilio.gateway import TwilioGateway


SINCE = datetime(2026, 10, 5, 11, 30, tzinfo=UTC)
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
    "fetch_execution": (lambda gateway, _where: gateway.fetch_execution(FW, FN), Reply(execution_json())),
    "active_executions": (lambda gateway, _where: gateway.active_executions(FW, SINCE), Reply(page_json("executions"))),
    "end_execution": (lambda gateway, _where: gateway.end_execution(FW, FN), Reply(execution_json())),
}
OF_FLOWS = {"newest_revision", "published_revision"}
OF_EXECUTIONS = {"fetch_execution", "active_executions", "end_execution"}
UNSAFE = ["create_webhook", "redirect_webhook"]
SAFE = sorted(VERBS.keys() - set(UNSAFE))
