"""Writes what a handover is about into the conversation's attributes, for the flow to read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from router import Handover, hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

# All attributes of a conversation share 16 kB (docs/twilio.md, ATTRIBUTES), and Studio's "Send to Flex" passes only
# 1024 characters of task attributes on (docs/twilio.md, FLEX-LIMIT): a model that puts the whole talk into one input
# must not crowd out what others wrote.
LONGEST = 1000
CUT = "… (cut)"


@hookimpl
def plugin_info() -> dict[str, Any]:
    """Say what routes.yaml may set."""
    return {
        "name": "Conversation attributes",
        "version": "1.0",
        "config_schema": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "key": {
                    "description": "The attribute under which everything is written",
                    "type": "string",
                    "minLength": 1,
                    "default": "handover",
                },
                "include": {
                    "description": "The inputs to write; none unless listed, as they may tell of the customer",
                    "type": "array",
                    "items": {"type": "string"},
                    "uniqueItems": True,
                    "default": [],
                },
            },
        },
    }


@hookimpl
def add_attributes(handover: Handover, config: Mapping[str, Any]) -> dict[str, Any]:
    """Give id, tool, intent, flow and the chosen inputs under one key."""
    about: dict[str, Any] = {"id": handover.id, "tool": handover.tool, "intent": handover.intent}
    if handover.flow:
        about["flow"] = handover.flow
    chosen = [name for name in config.get("include", []) if name in handover.inputs]
    about["inputs"] = {name: bounded(handover.inputs[name]) for name in chosen}
    return {config.get("key", "handover"): about}


def bounded(value: Any) -> Any:
    """Give ``value`` itself, or, where it is too long, the beginning of its text and a mark."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return value if len(text) <= LONGEST else text[: LONGEST - len(CUT)] + CUT
