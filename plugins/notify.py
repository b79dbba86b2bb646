"""Tells a URL of each turn that a handover takes, by a signed POST as https://www.standardwebhooks.com has it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from router import Handover, Outcome, hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import ClientSession

EVENTS = ("accepted", "failed", "completed")
SECONDS = 8.0
"""For one delivery; a call in the background has ten."""

PREFIX = "whsec_"
LOG = logging.getLogger("handover.notify")

# A plugin's file is executed anew at each load: what is open here belongs to one app.
OPEN: list[ClientSession] = []


class NotDelivered(Exception):
    """The receiver did not take it: the router tries again later. Its text has no more of the URL than the host."""


@hookimpl
def plugin_info() -> dict[str, Any]:
    """Say what routes.yaml may set, and that nobody waits for this."""
    return {
        "name": "Notify",
        "version": "1.0",
        "background": True,  # at least once, and again where it fails: that is the router's part
        "config_schema": {
            "type": "object",
            "additionalProperties": False,
            "required": ["url", "secret"],
            "properties": {
                "url": {
                    "description": "Where to post; https, or http on this machine",
                    "type": "string",
                    "pattern": r"^(https://[^/?#\s]|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?([/?]|$))",
                    "x-message": "'url' is none that 'notify' posts to; give one of https, or of http on this machine",
                },
                "secret": {
                    "description": "What the receiver knows us by: whsec_ and at least 24 bytes in base64",
                    "type": "string",
                    "pattern": rf"^{PREFIX}([A-Za-z0-9+/]{{4}}){{8,}}([A-Za-z0-9+/]{{2}}==|[A-Za-z0-9+/]{{3}}=)?$",
                    "x-message": "'secret' is no signing secret; give whsec_ and the base64 of 24 random bytes or more",
                },
                "events": {
                    "description": "Which turns to tell of",
                    "type": "array",
                    "items": {"enum": list(EVENTS)},
                    "minItems": 1,
                    "uniqueItems": True,
                    "default": list(EVENTS),
                },
            },
        },
    }


@hookimpl
async def started(config: Mapping[str, Any]) -> None:
    """Open a session: it keeps connections, and no cookies. Raises ValueError where the URL is none."""
    try:
        _ = urlsplit(config["url"]).port
    except ValueError:
        raise ValueError("'url' cannot be read; give one such as https://HOST/PATH") from None  # its text may be secret
    from aiohttp import ClientSession, ClientTimeout, DummyCookieJar  # noqa: PLC0415 - a check need not wait for it

    OPEN.append(ClientSession(timeout=ClientTimeout(total=SECONDS), cookie_jar=DummyCookieJar()))


@hookimpl
async def after_swap(handover: Handover, outcome: Outcome, config: Mapping[str, Any]) -> None:
    """Tell that the flow answers."""
    await deliver("accepted", outcome, handover, config)


@hookimpl
async def swap_failed(handover: Handover, config: Mapping[str, Any]) -> None:
    """Tell that it does not."""
    await deliver("failed", "failed", handover, config)


@hookimpl
async def after_hand_back(handover: Handover, config: Mapping[str, Any]) -> None:
    """Tell that the agent answers again."""
    await deliver("completed", "handed_back", handover, config)


@hookimpl
async def stopped() -> None:
    """Close what was opened."""
    while OPEN:
        await OPEN.pop().close()


async def deliver(event: str, outcome: str, handover: Handover, config: Mapping[str, Any]) -> None:
    """Post one event, where it is wanted; its id is the same each time that it is tried. Raises NotDelivered."""
    if event not in config.get("events", EVENTS):
        return
    now, name = datetime.now(UTC), f"{handover.id}-{event}"
    body = body_of(event, outcome, handover, now)
    stamp = str(int(now.timestamp()))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "handover-router",
        "webhook-id": name,
        "webhook-timestamp": stamp,
        "webhook-signature": signature(config["secret"], f"{name}.{stamp}.".encode() + body),
    }
    host = urlsplit(config["url"]).hostname
    status = await post(config["url"], host, body, headers)
    if status == HTTPStatus.GONE:
        # To return is to say that it was heard: nothing is gained by telling again whoever is gone.
        LOG.warning("%s answered 410 Gone: %s is not sent again", host, name)
    elif not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        raise NotDelivered(f"{host} answered {status}")


def body_of(event: str, outcome: str, handover: Handover, now: datetime) -> bytes:
    """Say what happened. Who the customer is, what they want and what the model was told are not in it."""
    names = ("id", "tool", "intent", "flow", "conversation")
    data = {**{name: getattr(handover, name) for name in names}, "outcome": outcome}
    return json.dumps({"type": f"handover.{event}", "timestamp": now.isoformat(), "data": data}).encode()


def signature(secret: str, signed: bytes) -> str:
    """Sign as version 1 of the standard does."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


async def post(url: str, host: str | None, body: bytes, headers: Mapping[str, str]) -> int:
    """Post, and give the status; no redirect is followed, since it would carry the event elsewhere."""
    from aiohttp import ClientError  # noqa: PLC0415 - as above

    try:
        async with OPEN[-1].post(url, data=body, headers=headers, allow_redirects=False) as answer:
            return answer.status
    except (ClientError, TimeoutError) as error:
        raise NotDelivered(f"{host} gave no answer: {type(error).__name__}") from None
