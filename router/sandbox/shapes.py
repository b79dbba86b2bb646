"""How Twilio writes what is there: world objects to JSON, key by key as its API descriptions have them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from router.model.webhook import Target

if TYPE_CHECKING:
    from datetime import datetime

    from router.model.webhook import WebhookSpec
    from router.sandbox.world import Conversation, Execution, Flow, Interaction, Message, Participant, Webhook, World

CONVERSATIONS: Final = "https://conversations.twilio.com"
STUDIO: Final = "https://studio.twilio.com"
FLEX: Final = "https://flex-api.twilio.com"
TASKROUTER: Final = "https://taskrouter.twilio.com"


class Shapes:
    """Writes the objects of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def conversation(self, conversation: Conversation, base: str) -> dict[str, Any]:
        """Write a conversation; ``base`` is the path that it was asked for under (the short one or the service's)."""
        url = f"{CONVERSATIONS}{base}/{conversation.sid}"
        return {
            "sid": conversation.sid,
            "account_sid": self._world.account_sid,
            "chat_service_sid": conversation.service.sid,
            "messaging_service_sid": conversation.service.messaging_sid,
            "friendly_name": conversation.friendly_name,
            "unique_name": conversation.unique_name,
            "attributes": conversation.attributes,
            "state": conversation.state.value,
            "timers": {},
            "bindings": {},
            "date_created": timestamp(conversation.created),
            "date_updated": timestamp(conversation.updated),
            "url": url,
            "links": {
                "participants": f"{url}/Participants",
                "messages": f"{url}/Messages",
                "webhooks": f"{url}/Webhooks",
                "export": f"{url}/Export",
            },
        }

    def participant(self, conversation: Conversation, participant: Participant, base: str) -> dict[str, Any]:
        """Write a participant."""
        binding = {
            "type": "whatsapp" if participant.address.startswith("whatsapp:") else "sms",
            "address": participant.address,
            "proxy_address": participant.proxy_address,
        }
        return {
            **self._place(conversation, base),
            "sid": participant.sid,
            "identity": participant.identity or None,
            "attributes": participant.attributes,
            "messaging_binding": binding if participant.address else None,
            "role_sid": None,
            "date_created": timestamp(participant.created),
            "date_updated": timestamp(participant.created),
            "url": f"{CONVERSATIONS}{base}/{conversation.sid}/Participants/{participant.sid}",
            "last_read_message_index": None,
            "last_read_timestamp": None,
        }

    def message(self, conversation: Conversation, message: Message, base: str) -> dict[str, Any]:
        """Write a message."""
        url = f"{CONVERSATIONS}{base}/{conversation.sid}/Messages/{message.sid}"
        return {
            **self._place(conversation, base),
            "sid": message.sid,
            "index": message.index,
            "author": message.author,
            "body": message.body,
            "media": None,
            "attributes": message.attributes,
            "participant_sid": message.participant or None,
            "date_created": timestamp(message.created),
            "date_updated": timestamp(message.created),
            "delivery": None,
            "url": url,
            "links": {"delivery_receipts": f"{url}/Receipts", "channel_metadata": f"{url}/ChannelMetadata"},
            "content_sid": None,
        }

    def webhook(self, conversation: Conversation, webhook: Webhook, base: str) -> dict[str, Any]:
        """Write a scoped webhook."""
        return {
            **self._place(conversation, base),
            "sid": webhook.sid,
            "target": webhook.spec.target,
            "configuration": configuration(webhook.spec),
            "date_created": timestamp(webhook.created),
            "date_updated": timestamp(webhook.updated),
            "url": f"{CONVERSATIONS}{base}/{conversation.sid}/Webhooks/{webhook.sid}",
        }

    def flow(self, flow: Flow) -> dict[str, Any]:
        """Write a flow."""
        url = f"{STUDIO}/v2/Flows/{flow.sid}"
        account = self._world.account_sid
        return {
            **self.flow_revision(flow, flow.revision),
            "warnings": [],
            "webhook_url": f"https://webhooks.twilio.com/v1/Accounts/{account}/Flows/{flow.sid}",
            "url": url,
            "links": {
                "test_users": f"{url}/TestUsers",
                "revisions": f"{url}/Revisions",
                "executions": f"{url}/Executions",
            },
        }

    def flow_revision(self, flow: Flow, number: int) -> dict[str, Any]:
        """Write the newest revision of a flow, or the published one before it."""
        is_newest = number == flow.revision
        errors = [{"property_path": "#/states", "message": error} for error in flow.errors] if is_newest else []
        return {
            "sid": flow.sid,
            "account_sid": self._world.account_sid,
            "author_sid": None,
            "friendly_name": flow.name,
            "definition": flow.definition if is_newest else flow.earlier,
            "status": "published" if flow.published or not is_newest else "draft",
            "revision": number,
            "commit_message": None,
            "valid": not errors,
            "errors": errors,
            "date_created": timestamp(flow.created),
            "date_updated": timestamp(flow.created),
            "url": f"{STUDIO}/v2/Flows/{flow.sid}/Revisions/{number}",
        }

    def execution(self, execution: Execution) -> dict[str, Any]:
        """Write an execution."""
        url = f"{STUDIO}/v2/Flows/{execution.flow.sid}/Executions/{execution.sid}"
        return {
            "sid": execution.sid,
            "account_sid": self._world.account_sid,
            "flow_sid": execution.flow.sid,
            "contact_channel_address": execution.address,
            "contact_sid": execution.contact_sid,
            "flow_version": 1,
            "context": {},
            "status": execution.status.value,
            "date_created": timestamp(execution.created),
            "date_updated": timestamp(execution.updated),
            "initiated_by": execution.address,
            "url": url,
            "links": {"steps": f"{url}/Steps", "execution_context": f"{url}/Context"},
        }

    def execution_context(self, execution: Execution) -> dict[str, Any]:
        """Write the variables of an execution."""
        url = f"{STUDIO}/v2/Flows/{execution.flow.sid}/Executions/{execution.sid}"
        return {
            "account_sid": self._world.account_sid,
            "context": execution.progress.variables if execution.progress else {},
            "flow_sid": execution.flow.sid,
            "execution_sid": execution.sid,
            "url": f"{url}/Context",
        }

    def interaction(self, interaction: Interaction) -> dict[str, Any]:
        """Write an interaction."""
        url = f"{FLEX}/v1/Interactions/{interaction.sid}"
        return {
            "sid": interaction.sid,
            "channel": {"type": interaction.kind, "sid": interaction.channel},
            "routing": {"reservation": None, "properties": self.task(interaction)},
            "interaction_context_sid": None,
            "webhook_ttid": None,
            "url": url,
            "links": {"channels": f"{url}/Channels"},
        }

    def interaction_channel(self, interaction: Interaction) -> dict[str, Any]:
        """Write the channel of an interaction."""
        url = f"{FLEX}/v1/Interactions/{interaction.sid}/Channels/{interaction.channel}"
        parts = ("Participants", "Invites", "Transfers")
        return {
            "sid": interaction.channel,
            "interaction_sid": interaction.sid,
            "type": interaction.kind,
            "status": interaction.status.value,
            "error_code": None,
            "error_message": None,
            "url": url,
            "links": {part.lower(): f"{url}/{part}" for part in parts},
        }

    def task(self, interaction: Interaction) -> dict[str, Any]:
        """Write the task of an interaction."""
        return {
            "sid": interaction.task,
            "account_sid": self._world.account_sid,
            "workspace_sid": interaction.workspace,
            "workflow_sid": interaction.workflow,
            "task_channel_unique_name": interaction.task_channel,
            "assignment_status": interaction.task_status.value,
            "attributes": json.dumps(interaction.attributes),
            "date_created": timestamp(interaction.created),
        }

    def _place(self, conversation: Conversation, base: str) -> dict[str, Any]:
        """Say where a part belongs; under the short path Twilio leaves the service out."""
        place = {"account_sid": self._world.account_sid, "conversation_sid": conversation.sid}
        return {**place, "chat_service_sid": conversation.service.sid} if "/Services/" in base else place


def configuration(spec: WebhookSpec) -> dict[str, Any]:
    """Write what a webhook is set to: snake case, no replay (docs/twilio.md, WEBHOOK-ANSWER)."""
    found: dict[str, Any] = {}
    if spec.target == Target.STUDIO:
        found["flow_sid"] = spec.flow
    else:
        found |= {"url": spec.url, "method": spec.method}
    if spec.filters:
        found["filters"] = list(spec.filters)
    if spec.triggers:
        found["triggers"] = list(spec.triggers)
    return found


def timestamp(moment: datetime) -> str:
    """Write a moment as Twilio does: ISO 8601 in UTC, whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
