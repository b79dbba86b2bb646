"""The floor: a Starlette app that makes the same three calls through the SDK, and does nothing else.

No check of who calls, no routes, no lock, no hooks, no undo: what is left is what the job costs by itself.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

FLOW = "FW00000000000000000000000000000001"


class _Elsewhere(AsyncTwilioHttpClient):  # type: ignore[misc]  # the SDK has no types
    """The SDK's own transport, to another host."""

    async def request(self, method: str, url: str, *args: object, **kwargs: object) -> object:
        host = urlsplit(os.environ["HANDOVER_TWILIO_URL"])
        return await super().request(method, urlunsplit((*host[:2], *urlsplit(url)[2:])), *args, **kwargs)


def make() -> Starlette:
    """Make the app; uvicorn calls it."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with _Elsewhere() as transport:
            account = os.environ["TWILIO_ACCOUNT_SID"], os.environ["TWILIO_AUTH_TOKEN"]
            app.state.services = Client(*account, http_client=transport).conversations.v1.services
            yield

    async def hand_over(request: Request) -> Response:
        await request.body()
        service, conversation = request.headers["x-session-id"].removeprefix("webhook:conversations__").split("/")
        webhooks = request.app.state.services(service).conversations(conversation).webhooks
        there = await webhooks.list_async()
        await webhooks.create_async(
            target="studio", configuration_flow_sid=FLOW, configuration_filters=["onMessageAdded"]
        )
        for webhook in there:
            await webhooks(webhook.sid).delete_async()
        return PlainTextResponse("Conversation handed over")

    return Starlette(lifespan=lifespan, routes=[Route("/tools/support", hand_over, methods=["POST"])])
