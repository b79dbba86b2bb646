"""A bare REST client for the sandbox's tests: no SDK, no retries, the answer as it came."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.sandbox.sandbox import Sandbox
    from router.sandbox.world import Conversation


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> int:
        return int(self.body["code"])


def path_of(conversation: Conversation, *rest: str) -> str:
    """Give the service's path to a conversation or to what is in it."""
    return "/".join(("/v1/Services", conversation.service.sid, "Conversations", conversation.sid, *rest))


def flow_webhook(flow: str, **more: str) -> dict[str, Any]:
    """Give the form that attaches a studio webhook."""
    return {"Target": "studio", "Configuration.FlowSid": flow, "Configuration.Filters": "onMessageAdded", **more}


async def call(
    sandbox: Sandbox,
    method: str,
    path: str,
    form: Mapping[str, Any] | None = None,
    *,
    user: tuple[str, str] | None = None,
    loud: bool = False,
) -> Answer:
    """Make one request on a connection of its own, as the account unless ``user`` is given."""
    name, password = user or (sandbox.account_sid, sandbox.auth_token)
    headers = {"Authorization": aiohttp.encode_basic_auth(name, password)}
    if loud:
        headers["X-Twilio-Webhook-Enabled"] = "true"
    if form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    data = None if form is None else urlencode(form, doseq=True)
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, sandbox.url + path, data=data, headers=headers) as answer,
    ):
        text = await answer.text()
        is_json = answer.content_type == "application/json"
        return Answer(answer.status, json.loads(text) if is_json else text or None, answer.headers)
