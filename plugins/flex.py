"""Hands a conversation over to the people in Twilio Flex: an interaction makes a task of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from router import Handover, Target, Twilio, TwilioRefused, hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

INTERACTIONS = "https://flex-api.twilio.com/v1/Interactions"
TASKS = "https://taskrouter.twilio.com/v1/Workspaces/{}/Tasks"

TYPES = ("chat", "messenger", "sms", "web", "whatsapp")
OVER = ("closed", "failed", "inactive")
WAITING = ("pending", "reserved", "assigned")
NOT_FOUND = 404


@hookimpl
def plugin_info() -> dict[str, Any]:
    """Say what routes.yaml may set."""
    target = {
        "type": "object",
        "additionalProperties": False,
        "required": ["workspace_sid", "workflow_sid"],
        "properties": {
            "workspace_sid": {"description": "The workspace of Flex", **sid("WS", "workspace")},
            "workflow_sid": {"description": "Who gets the task", **sid("WW", "workflow")},
            "channel_type": {"description": "The kind of channel; else the identity tells", "enum": list(TYPES)},
            "task_channel": {"description": "The task channel", "type": "string", "minLength": 1, "default": "chat"},
            "attributes": {"description": "What else the task has", "type": "object", "default": {}},
            "include": {
                "description": "Which inputs of the tool the task has, by name; people see them",
                "type": "array",
                "items": {"type": "string"},
                "default": [],
            },
        },
    }
    return {
        "name": "Flex",
        "version": "1.0",
        "config_schema": {
            "type": "object",
            "additionalProperties": False,
            "required": ["targets"],
            "properties": {
                "targets": {
                    "description": "Names that stand for a flow, and where in Flex each leads",
                    "type": "object",
                    "minProperties": 1,
                    "additionalProperties": target,
                },
            },
        },
    }


def sid(prefix: str, what: str) -> dict[str, str]:
    """Describe a SID."""
    message = f"{{found}} is no SID of a {what}: that is {prefix} and 32 hex digits"
    return {"type": "string", "pattern": f"^{prefix}[0-9a-fA-F]{{32}}$", "x-message": message}


@hookimpl
def register_targets(config: Mapping[str, Any]) -> dict[str, Target]:
    """Make a target of each name."""
    return {name: Flex(settings) for name, settings in config["targets"].items()}


@dataclass(frozen=True)
class Flex(Target):
    """One place in Flex that conversations go to. A reference is the SID of an interaction."""

    settings: Mapping[str, Any]

    async def start(self, handover: Handover, twilio: Twilio) -> str:
        """Begin an interaction for the conversation (docs/twilio.md, FLEX)."""
        channel = {
            "type": self.settings.get("channel_type") or channel_type(handover.identity),
            "initiated_by": "customer",
            "properties": {"media_channel_sid": handover.conversation},
        }
        routing = {
            "workspace_sid": self.settings["workspace_sid"],
            "workflow_sid": self.settings["workflow_sid"],
            "task_channel_unique_name": self.settings.get("task_channel", "chat"),
            "attributes": self.attributes(handover),
        }
        form = {"Channel": json.dumps(channel), "Routing": json.dumps({"properties": routing})}
        made = await twilio.request("POST", INTERACTIONS, form=form)
        return str(made["sid"])

    async def find(self, reference: str, handover: Handover, twilio: Twilio) -> str | None:
        """Look whether a channel of the interaction is open; without a reference, for a task of the conversation."""
        found = reference or await self.search(handover.conversation, twilio)
        return found if found and await open_channels(found, twilio) else None

    async def stop(self, reference: str, handover: Handover, twilio: Twilio) -> None:  # noqa: ARG002 - the SID will do
        """Take the task away and let the channel rest: to close it would close the conversation, too.

        docs/twilio.md, FLEX-CLOSE, FLEX-INACTIVE.
        """
        form = {"Status": "inactive", "Routing": json.dumps({"status": "closed"})}
        for channel in await open_channels(reference, twilio):
            await twilio.request("POST", f"{INTERACTIONS}/{reference}/Channels/{channel}", form=form)

    async def search(self, conversation: str, twilio: Twilio) -> str:
        """Find the interaction of a conversation by a task of it (docs/twilio.md, FLEX-TASK, TASK-LIST)."""
        query = {"EvaluateTaskAttributes": f'conversationSid == "{conversation}"'}
        found = await twilio.request("GET", TASKS.format(self.settings["workspace_sid"]), query=query)
        waiting = [json.loads(task["attributes"]) for task in found["tasks"] if task["assignment_status"] in WAITING]
        return str(waiting[-1]["flexInteractionSid"]) if waiting else ""

    def attributes(self, handover: Handover) -> dict[str, Any]:
        """Give the task's attributes: what the model wrote first, so that it overwrites nothing of ours."""
        included = {name: handover.inputs[name] for name in self.settings.get("include", ()) if name in handover.inputs}
        address = handover.identity.partition(":")[2]
        return {
            **included,
            **self.settings.get("attributes", {}),
            "from": address,
            "customerName": address,
            "customerAddress": address,
            "handover": {"id": handover.id, "tool": handover.tool, "intent": handover.intent},
        }


async def open_channels(interaction: str, twilio: Twilio) -> list[str]:
    """List the channels of an interaction that are not over; none of one that is gone."""
    try:
        found = await twilio.request("GET", f"{INTERACTIONS}/{interaction}/Channels")
    except TwilioRefused as refused:
        if refused.status != NOT_FOUND:
            raise
        return []
    return [channel["sid"] for channel in found["channels"] if channel["status"] not in OVER]


def channel_type(identity: str) -> str:
    """Tell the type of a channel by who the customer is (docs/twilio.md, FLEX-TYPE)."""
    kind, _, value = identity.partition(":")
    if kind == "whatsapp":
        return "whatsapp"
    if value.startswith("+"):
        return "sms"
    return "web" if value.startswith("FX") else "chat"
