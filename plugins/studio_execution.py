"""Hands a conversation over to a Studio Flow that starts at once: by REST, and not by the customer's next message."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from router import Decline, Handover, Target, Twilio, TwilioRefused, hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

EXECUTIONS = "https://studio.twilio.com/v2/Flows/{}/Executions"
NUMBER = re.compile(r"\+\d{5,15}")
CHANNELS = ("whatsapp", "messenger", "rcs")
NOT_FOUND = 404

MESSAGE = (
    "Nothing was handed over: it is not known which telephone number the customer writes from. "
    "Tell the customer, and go on helping them yourself."
)


@hookimpl
def plugin_info() -> dict[str, Any]:
    """Say what routes.yaml may set."""
    target = {
        "type": "object",
        "additionalProperties": False,
        "required": ["flow_sid", "from"],
        "properties": {
            "flow_sid": {
                "description": "The flow to start",
                "type": "string",
                "pattern": "^FW[0-9a-fA-F]{32}$",
                "x-message": "{found} is no Flow SID: that is FW and 32 hex digits",
            },
            "from": {"description": "Our address, as the flow writes from it", "type": "string", "minLength": 1},
            "include": {
                "description": "Which inputs of the tool the flow is given, by name",
                "type": "array",
                "items": {"type": "string"},
                "default": [],
            },
        },
    }
    return {
        "name": "Studio execution",
        "version": "1.0",
        "config_schema": {
            "type": "object",
            "additionalProperties": False,
            "required": ["targets"],
            "properties": {
                "targets": {
                    "description": "Names that stand for a flow, and which flow each starts",
                    "type": "object",
                    "minProperties": 1,
                    "additionalProperties": target,
                },
                "message": {
                    "description": "What the model is told where the customer has no number",
                    "type": "string",
                    "pattern": r"\S",
                    "default": MESSAGE,
                },
            },
        },
    }


@hookimpl
def register_targets(config: Mapping[str, Any]) -> dict[str, Target]:
    """Make a target of each name."""
    return {name: StudioExecution(settings, settings["flow_sid"]) for name, settings in config["targets"].items()}


@hookimpl(trylast=True)
def before_swap(handover: Handover, config: Mapping[str, Any]) -> None:
    """Decline before anything is changed where an execution could not be started: it needs an address."""
    if handover.flow in config["targets"] and not address_of(handover.identity):
        raise Decline(config.get("message", MESSAGE))


@dataclass(frozen=True)
class StudioExecution(Target):
    """One flow that is started by REST. A reference is the SID of an execution."""

    settings: Mapping[str, Any]
    flow: str

    async def start(self, handover: Handover, twilio: Twilio) -> str:
        """Start an execution, which learns what its widget *Resume Conversation* needs (docs/twilio.md, RESUME)."""
        address = address_of(handover.identity)
        if not address:
            raise TwilioRefused("start", "an execution needs the customer's telephone number, and X-Identity has none")
        included = {name: handover.inputs[name] for name in self.settings.get("include", ()) if name in handover.inputs}
        about = {"id": handover.id, "tool": handover.tool, "intent": handover.intent, "inputs": included}
        parameters = {"conversation": handover.conversation, "service": handover.service, "handover": about}
        form = {"To": address, "From": self.settings["from"], "Parameters": json.dumps(parameters)}
        made = await twilio.request("POST", EXECUTIONS.format(self.flow), form=form)
        return str(made["sid"])

    async def find(self, reference: str, handover: Handover, twilio: Twilio) -> str | None:
        """Look whether the execution goes on; without a reference, for one that was started for this conversation."""
        if reference:
            return reference if await self.is_active(reference, twilio) else None
        query = {"status": "active", "PageSize": "200"}
        found = await twilio.request("GET", EXECUTIONS.format(self.flow), query=query)
        runs = [run for run in found["executions"] if run["status"] == "active"]
        active = [run["sid"] for run in runs if may_be(run["contact_channel_address"] or "", handover.identity)]
        ours = await asyncio.gather(*(self.is_of(run, handover.conversation, twilio) for run in active))
        return next((run for run, is_ours in zip(active, ours, strict=True) if is_ours), None)

    async def stop(self, reference: str, handover: Handover, twilio: Twilio) -> None:  # noqa: ARG002 - the SID will do
        """End the execution; where Twilio refuses, it may have ended already (docs/twilio.md, END-EXECUTION)."""
        try:
            await twilio.request("POST", f"{EXECUTIONS.format(self.flow)}/{reference}", form={"Status": "ended"})
        except TwilioRefused:
            if await self.is_active(reference, twilio):
                raise

    async def is_active(self, run: str, twilio: Twilio) -> bool:
        """Say whether an execution goes on; one that is gone does not."""
        try:
            found = await twilio.request("GET", f"{EXECUTIONS.format(self.flow)}/{run}")
        except TwilioRefused as refused:
            if refused.status != NOT_FOUND:
                raise
            return False
        return bool(found["status"] == "active")

    async def is_of(self, run: str, conversation: str, twilio: Twilio) -> bool:
        """Say whether an execution was started for a conversation (docs/twilio.md, CONTEXT)."""
        found = await twilio.request("GET", f"{EXECUTIONS.format(self.flow)}/{run}/Context")
        data = found["context"].get("flow", {}).get("data") or {}
        return bool(data.get("conversation") == conversation)


def may_be(address: str, identity: str) -> bool:
    """Say whether an address may be that of an identity, of which only the two ends may be known."""
    begin, _, end = identity.partition(":")[2].partition("…")
    number = address.rpartition(":")[2]
    return number.startswith(begin) and number.endswith(end)


def address_of(identity: str) -> str:
    """Give the address that Studio writes to: a number, with the channel before it where it is not SMS; else none."""
    kind, _, value = identity.partition(":")
    if not NUMBER.fullmatch(value):
        return ""
    return identity if kind in CHANNELS else value
