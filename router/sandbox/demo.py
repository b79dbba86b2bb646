"""The demo: a customer, an agent and a flow, over real HTTP, against the sandbox and with the shipped routes."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from router import bundled
from router.config import load
from router.log import new_log
from router.sandbox.agent import AUTHOR, ScriptedAgent
from router.sandbox.choosing import ToolOffer
from router.sandbox.sandbox import Sandbox
from router.serving import listen, serving
from router.settings import Settings
from router.web.app import create_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from router.model.routes import Routes
    from router.sandbox.journal import Entry
    from router.sandbox.world import Conversation

SECRET: Final = "demo-secret"  # noqa: S105 - it opens nothing but the demo
AGENT_HOST: Final = "support-agent.twil.io"
"""The agent's host as Twilio knows it; the sandbox reaches it on this machine."""

SCRIPT: Final = (
    "Hello, are you there?",
    "The lamp that I ordered came broken. I want my money back.",
    "Yes, please. It is the blue one.",
)


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that plays together, each on its own port."""

    sandbox: Sandbox
    agent: ScriptedAgent
    router_url: str
    routes: Routes


@contextlib.asynccontextmanager
async def set_up(port: int = 0) -> AsyncIterator[Stage]:
    """Start the sandbox, the router on ``port`` and the agent; raises OSError where the port is taken."""
    listener, router_url = listen(port=port)
    sandbox = Sandbox()
    async with contextlib.AsyncExitStack() as stack:
        environ = {
            "TWILIO_ACCOUNT_SID": sandbox.account_sid,
            "TWILIO_AUTH_TOKEN": sandbox.auth_token,
            "HANDOVER_TWILIO_URL": await stack.enter_async_context(sandbox.served()),
            "HANDOVER_PUBLIC_URL": router_url,
            "HANDOVER_CONFIG": str(bundled.ROUTES),
            "HANDOVER_SECRET": SECRET,
            "HANDOVER_STATE": "none",
            "HANDOVER_POLL": "0",
        }
        app = create_app(Settings.read(environ), environ, new_log(io.StringIO()))
        await stack.enter_async_context(serving(app, listener=listener))
        routes = load(bundled.ROUTES, environ=environ).routes
        agent = ScriptedAgent(
            tools=offers(routes, router_url),
            twilio_url=sandbox.url,
            account_sid=sandbox.account_sid,
            auth_token=sandbox.auth_token,
            public_url=f"https://{AGENT_HOST}",
        )
        sandbox.hosts[AGENT_HOST] = await stack.enter_async_context(serving(agent.app))
        yield Stage(sandbox, agent, router_url, routes)


def offers(routes: Routes, router_url: str) -> list[ToolOffer]:
    """Set the tools up in the agent, as its builder would: from their descriptions and their intents."""
    return [
        ToolOffer(
            tool.name,
            tool.description,
            router_url + path,
            intents={intent.name: (*intent.aliases, intent.description) for intent in tool.intents.values()},
            intent_input=tool.intent_input,
        )
        for path, tool in routes.tools.items()
    ]


async def play(stage: Stage, echo: Callable[[str], None]) -> list[str]:
    """Play the script and ``echo`` who said what; gives what went wrong, nothing where all went right."""
    sandbox = stage.sandbox
    conversation = sandbox.open_conversation(agent_url=stage.agent.webhook_url)
    echo(f"conversation {conversation.sid}\n")
    echo("webhooks before:")
    _show_webhooks(conversation, stage, echo)
    for text in SCRIPT:
        said, asked = len(conversation.messages), len(sandbox.requests)
        await sandbox.customer_says(conversation, text)
        await stage.agent.settled()
        await sandbox.settled()
        echo("")
        for message in conversation.messages[said:]:
            echo(f"  {_speaker(message.author, conversation):>8}  {message.body}")
        for line in _steps(stage, sandbox.requests[asked:]):
            echo(f"            {line}")
        stage.agent.uses.clear()
    echo("\nwebhooks after:")
    _show_webhooks(conversation, stage, echo)
    return _faults(conversation, stage)


def invitation(stage: Stage) -> str:
    """Write the lines with which to try it oneself, on a conversation that still has its agent."""
    conversation = stage.sandbox.open_conversation(agent_url=stage.agent.webhook_url)
    here = f"{stage.sandbox.url}/sandbox/conversations/{conversation.sid}/says"
    return f"""
The router stays on {stage.router_url}, the sandbox on {stage.sandbox.url}. Try it yourself:

  curl {stage.router_url}/tools/support -H 'X-Handover-Secret: {SECRET}' \\
    -H 'X-Session-Id: {conversation.session}' \\
    -H 'X-Identity: {conversation.customer.address}' -d intent=billing
  curl {here} -d text='I do not understand my bill'
  curl {stage.sandbox.url}/sandbox

Ctrl-C ends it."""


def _speaker(author: str, conversation: Conversation) -> str:
    if conversation.customer.wrote(author):
        return "customer"
    return "agent" if author == AUTHOR else "flow"


def _show_webhooks(conversation: Conversation, stage: Stage, echo: Callable[[str], None]) -> None:
    for webhook in conversation.webhooks:
        spec = webhook.spec
        reaches = f"flow {stage.routes.flow_alias(spec.flow)} ({spec.flow})" if spec.flow else f"the agent ({spec.url})"
        echo(f"  {webhook.sid}  {spec.target:<8} {reaches}")


def _steps(stage: Stage, requests: Sequence[Entry]) -> Iterator[str]:
    """Say what the agent's tool call took, and each of the router's requests to Twilio in it."""
    for use in stage.agent.uses:
        yield f'[tool] POST {use.url.partition("?")[0]} {{"intent": "{use.intent}"}}'
        for entry in requests:
            if "handover-router" in entry.headers.get("user-agent", ""):
                what = entry.path.rpartition("/Conversations/")[2].partition("/")[2] or "(the conversation itself)"
                yield f"[tool]   {entry.method:<6} {what:<45} {entry.status}  {entry.seconds * 1000:5.1f} ms"
        yield f"[tool] {use.status} {use.answer!r} in {use.seconds * 1000:.1f} ms"


def _faults(conversation: Conversation, stage: Stage) -> list[str]:
    flow = stage.routes.flow_sid("refunds")
    answering = [(responder.kind, responder.name) for responder in stage.sandbox.responders(conversation)]
    last = conversation.messages[-1]
    checks = {
        f"expected the flow {flow} alone to answer, found {answering}": answering == [("studio", flow)],
        f"expected the flow to speak last, found {_speaker(last.author, conversation)}": (
            _speaker(last.author, conversation) == "flow"
        ),
        f"the agent met {stage.agent.problems}": not stage.agent.problems,
    }
    return [fault for fault, right in checks.items() if not right]
