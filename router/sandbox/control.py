"""The sandbox's own paths, for people with curl: speak as the customer, look at what is there, let things go wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from router.sandbox.faults import Fault
from router.sandbox.requests import Form
from router.sandbox.shapes import configuration

if TYPE_CHECKING:
    from starlette.requests import Request

    from router.sandbox.sandbox import Sandbox
    from router.sandbox.world import Conversation, Execution

HELP: Final = """\
This is a stand-in for Twilio. Nothing here leaves your machine.

Twilio's own paths, with Basic authentication (account SID and auth token):
  /v1/Conversations, /v1/Services/IS.../Conversations      and below: Messages, Participants, Webhooks
  /v2/Flows                                                and below: Executions

The sandbox's own paths, without authentication:
  GET    /sandbox                                          everything that is there, and the last requests
  POST   /sandbox/conversations                            open one: customer=..., agent_url=... or service_url=...
  POST   /sandbox/conversations/CH.../says                 speak as the customer: text=...
  POST   /sandbox/faults                                   let a request go wrong: kind=..., method=, path=, times=,
                                                           skip=, delay=, retry_after=, status=, code=
  DELETE /sandbox/faults                                   let nothing go wrong any more
  kinds: rate_limited unavailable server_error html_error refused slow cut_before cut_after slow_after bad_json
"""

CUSTOMER: Final = "whatsapp:+15550100"
"""Who speaks where nobody else is named."""

SHOWN: Final = 50
"""So many of the last requests and deliveries are shown."""


class ReadableResponse(JSONResponse):
    """JSON for people: a line for each value."""

    def render(self, content: Any) -> bytes:
        """Write ``content`` with indents and a line feed at the end."""
        return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


class Control:
    """The endpoints under ``/sandbox``."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def routes(self) -> list[Route]:
        """List the endpoints."""
        return [
            Route("/", self.help, methods=["GET"]),
            Route("/sandbox", self.show, methods=["GET"]),
            Route("/sandbox/conversations", self.open, methods=["POST"]),
            Route("/sandbox/conversations/{conversation}/says", self.say, methods=["POST"]),
            Route("/sandbox/faults", self.arm, methods=["POST"]),
            Route("/sandbox/faults", self.disarm, methods=["DELETE"]),
        ]

    async def help(self, _request: Request) -> Response:
        """Say on one page what can be asked here."""
        return PlainTextResponse(HELP)

    async def show(self, _request: Request) -> Response:
        """Show what is there."""
        sandbox = self._sandbox
        return ReadableResponse(
            {
                "account_sid": sandbox.account_sid,
                "conversations": [self._conversation(found) for found in sandbox.world.conversations.values()],
                "flows": {sid: flow.name for sid, flow in sandbox.world.flows.items()},
                "executions": [_execution(found) for found in sandbox.world.executions.values()],
                "requests": [
                    f"{entry.method} {entry.path} -> {entry.status} in {entry.seconds * 1000:.0f} ms"
                    for entry in sandbox.requests[-SHOWN:]
                ],
                "deliveries": [
                    f"{found.event} to {found.url} -> {found.status or found.error}"
                    for found in sandbox.deliveries[-SHOWN:]
                ],
            }
        )

    async def open(self, request: Request) -> Response:
        """Open a conversation with a customer and, where one is named, the agent's webhook."""
        form = await Form.of(request)
        conversation = self._sandbox.open_conversation(
            customer=form.one("customer", CUSTOMER),
            agent_url=form.one("agent_url") or None,
            service_url=form.one("service_url") or None,
        )
        return ReadableResponse(self._conversation(conversation), 201)

    async def say(self, request: Request) -> Response:
        """Speak as the customer, and show the conversation after everybody was told."""
        form = await Form.of(request)
        conversation = self._sandbox.world.conversations.get(request.path_params["conversation"])
        if conversation is None:
            raise HTTPException(404)
        await self._sandbox.customer_says(conversation, form.one("text"))
        return ReadableResponse(self._conversation(conversation))

    async def arm(self, request: Request) -> Response:
        """Let requests go wrong as ``Fault`` says."""
        form = await Form.of(request)
        try:
            fault = Fault(
                kind=form.one("kind"),
                method=form.one("method", "*"),
                path=form.one("path", "*"),
                times=int(form.one("times", "1")),
                skip=int(form.one("skip", "0")),
                retry_after=_seconds(form, "retry_after"),
                delay=_seconds(form, "delay"),
                status=int(form.one("status", "400")),
                code=int(form.one("code", "20001")),
            )
        except ValueError as problem:
            return PlainTextResponse(f"{problem}\n\n{HELP}", 400)
        self._sandbox.faults.add(fault)
        return PlainTextResponse(f"armed: {fault.kind} for {fault.method} {fault.path}\n", 201)

    async def disarm(self, _request: Request) -> Response:
        """Let nothing go wrong any more."""
        self._sandbox.faults.clear()
        return Response(status_code=204)

    def _conversation(self, conversation: Conversation) -> dict[str, Any]:
        return {
            "conversation": conversation.sid,
            "service": conversation.service.sid,
            "state": conversation.state,
            "attributes": conversation.attributes,
            "session": conversation.session,
            "responders": [f"{found.kind} {found.name}" for found in self._sandbox.responders(conversation)],
            "webhooks": [
                {"sid": found.sid, "target": found.spec.target, **configuration(found.spec)}
                for found in conversation.webhooks
            ],
            "messages": [f"{found.author}: {found.body}" for found in conversation.messages],
        }


def _execution(execution: Execution) -> dict[str, Any]:
    return {
        "execution": execution.sid,
        "flow": execution.flow.sid,
        "status": execution.status,
        "conversation": execution.conversation.sid if execution.conversation else None,
        "waiting_at": execution.progress.waiting_at if execution.progress else None,
    }


def _seconds(form: Form, name: str) -> float | None:
    return float(form.one(name)) if form.one(name) else None
