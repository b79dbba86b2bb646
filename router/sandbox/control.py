"""The sandbox's own paths, for people with curl: speak as the customer, look at what is there, let things go wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from router.sandbox import fault_control
from router.sandbox.fault_control import FaultControl
from router.sandbox.readable import ReadableResponse
from router.sandbox.requests import Form
from router.sandbox.shapes import configuration

if TYPE_CHECKING:
    from starlette.requests import Request

    from router.sandbox.sandbox import Sandbox
    from router.sandbox.world import Conversation, Execution

HELP: Final = f"""\
This is a stand-in for Twilio. Nothing here leaves your machine.

Twilio's own paths, with Basic authentication (account SID and auth token):
  /v1/Conversations, /v1/Services/IS.../Conversations      and below: Messages, Participants, Webhooks
  /v2/Flows                                                and below: Executions
  /v1/Interactions                                         and below: Channels
  /v1/Workspaces/WS.../Tasks                               the tasks of interactions

The sandbox's own paths, without authentication:
  GET    /sandbox                                          everything that is there, and the last requests
  POST   /sandbox/conversations                            open one: customer=..., agent_url=... or service_url=...
  POST   /sandbox/conversations/CH.../says                 speak as the customer: text=...
  GET    /sandbox/conversations/CH...                      what is there: webhooks, responders, executions, messages
  POST   /sandbox/executions/FN.../end                     end a run of a flow
  POST   /sandbox/hosts                                    let a server here stand for a host: host=..., url=...
{fault_control.HELP}"""

CUSTOMER: Final = "whatsapp:+15550100"
"""Who speaks where nobody else is named."""

SHOWN: Final = 50
"""So many of the last requests and deliveries are shown."""


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
            Route("/sandbox/conversations/{conversation}", self.look, methods=["GET"]),
            Route("/sandbox/executions/{execution}/end", self.end, methods=["POST"]),
            Route("/sandbox/hosts", self.place, methods=["POST"]),
            *FaultControl(self._sandbox.faults).routes(),
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
        if strange := form.strange("customer", "agent_url", "service_url"):
            return _explained(strange)
        conversation = self._sandbox.open_conversation(
            customer=form.one("customer", CUSTOMER),
            agent_url=form.one("agent_url") or None,
            service_url=form.one("service_url") or None,
        )
        return ReadableResponse(self._conversation(conversation), 201)

    async def say(self, request: Request) -> Response:
        """Speak as the customer, and show the conversation after everybody was told."""
        form, conversation = await Form.of(request), self._named(request)
        if strange := form.strange("text"):
            return _explained(strange)
        if not form.one("text"):
            return _explained("expected text=..., and it may not be empty")
        await self._sandbox.customer_says(conversation, form.one("text"))
        return ReadableResponse(self._conversation(conversation))

    async def look(self, request: Request) -> Response:
        """Show one conversation."""
        return ReadableResponse(self._conversation(self._named(request)))

    async def end(self, request: Request) -> Response:
        """End a run of a flow, as its owner can in the Console."""
        execution = self._sandbox.world.executions.get(request.path_params["execution"])
        if execution is None:
            raise HTTPException(404)
        self._sandbox.end(execution)
        return ReadableResponse(_execution(execution))

    async def place(self, request: Request) -> Response:
        """Let a server on this machine stand for a host that webhooks or flows call."""
        form = await Form.of(request)
        if strange := form.strange("host", "url"):
            return _explained(strange)
        if not form.one("host") or not form.one("url"):
            return _explained("expected host=... and url=...")
        self._sandbox.hosts[form.one("host")] = form.one("url")
        return ReadableResponse(self._sandbox.hosts)

    def _named(self, request: Request) -> Conversation:
        found = self._sandbox.world.conversations.get(request.path_params["conversation"])
        if found is None:
            raise HTTPException(404)
        return found

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
            "executions": [
                _execution(found)
                for found in self._sandbox.world.executions.values()
                if found.conversation is conversation
            ],
            "messages": [f"{found.author}: {found.body}" for found in conversation.messages],
        }


def _explained(fault: str) -> Response:
    return PlainTextResponse(f"{fault}\n\n{HELP}", 400)


def _execution(execution: Execution) -> dict[str, Any]:
    return {
        "execution": execution.sid,
        "flow": execution.flow.sid,
        "status": execution.status,
        "conversation": execution.conversation.sid if execution.conversation else None,
        "waiting_at": execution.progress.waiting_at if execution.progress else None,
    }
