"""The demo: a customer, an agent and a flow, over real HTTP, against the sandbox and with the shipped routes."""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from router import bundled
from router.config import load
from router.log import new_log
from router.sandbox.agent import AUTHOR, ScriptedAgent
from router.sandbox.choosing import ToolOffer
from router.sandbox.flows import shipped_flows
from router.sandbox.sandbox import Sandbox
from router.serving import listen, serving
from router.settings import Settings
from router.web.app import create_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from router.model.routes import Routes
    from router.sandbox.journal import Entry
    from router.sandbox.world import Conversation

SECRET: Final = "demo-secret"
AGENT_HOST: Final = "support-agent.twil.io"
"""The agent's host as Twilio knows it; the sandbox reaches it on this machine."""

SCRIPT: Final = (
    ("Hello, are you there?", "agent"),
    ("The lamp that I ordered came broken. I want my money back.", "studio"),
    ("Yes, please. It is the blue one.", "studio"),
    ("4711", "agent"),
    ("Thank you. Is the lamp still sold?", "agent"),
)
"""What the customer says, and who answers from then on."""

PATIENCE: Final = 10.0
"""Seconds until that must be so."""


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
    sandbox = Sandbox(flows=shipped_flows(router_url))
    async with contextlib.AsyncExitStack() as stack:
        directory = stack.enter_context(TemporaryDirectory(prefix="handover-demo-"))
        environ = {
            "TWILIO_ACCOUNT_SID": sandbox.account_sid,
            "TWILIO_AUTH_TOKEN": sandbox.auth_token,
            "HANDOVER_TWILIO_URL": await stack.enter_async_context(sandbox.served()),
            "HANDOVER_PUBLIC_URL": router_url,
            "HANDOVER_CONFIG": str(bundled.ROUTES),
            "HANDOVER_SECRET": SECRET,
            "HANDOVER_DATABASE_URL": f"{directory}/handovers.db",
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


async def play(stage: Stage, echo: Callable[[str], None], patience: float = PATIENCE) -> list[str]:
    """Play the script and ``echo`` who said what; gives what went wrong, nothing where all went right.

    What the router promised must be so within ``patience`` seconds.
    """
    sandbox = stage.sandbox
    conversation = sandbox.open_conversation(agent_url=stage.agent.webhook_url)
    echo(f"conversation {conversation.sid}\n")
    faults: list[str] = []
    echo("webhooks before:")
    _show_webhooks(conversation, stage, echo)
    for text, responder in SCRIPT:
        said, asked = len(conversation.messages), len(sandbox.requests)
        await sandbox.customer_says(conversation, text)
        await stage.agent.settled()
        await sandbox.settled()
        await _until_answers(responder, conversation, sandbox, patience)
        echo("")
        for message in conversation.messages[said:]:
            echo(f"  {_speaker(message.author, conversation):>8}  {message.body}")
        for line in _steps(stage, sandbox.requests[asked:]):
            echo(f"            {line}")
        stage.agent.uses.clear()
        if faults := _faults(responder, conversation, stage):
            break
    echo("\nwebhooks after:")
    _show_webhooks(conversation, stage, echo)
    return faults + [f"the agent met {problem}" for problem in stage.agent.problems]


async def _until_answers(responder: str, conversation: Conversation, sandbox: Sandbox, patience: float) -> None:
    """Wait until ``responder`` alone answers: what the router has told, or promised, it may still be doing."""
    until = time.monotonic() + patience
    while [found.kind for found in sandbox.responders(conversation)] != [responder] and time.monotonic() < until:  # noqa: ASYNC110 - no event for it
        await asyncio.sleep(0.02)


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
    """Say what the agent's tool call took, or the way back, and each of the router's requests to Twilio in it."""
    ours = [entry for entry in requests if "handover-router" in entry.headers.get("user-agent", "")]
    what = "tool" if stage.agent.uses else "back"
    for use in stage.agent.uses:
        yield f'[tool] POST {use.url.partition("?")[0]} {{"intent": "{use.intent}"}}'
    if ours and not stage.agent.uses:
        yield f"[back] POST {stage.router_url}/-/hand-back, by the flow"
    for entry in ours:
        resource = entry.path.rpartition("/Conversations/")[2].partition("/")[2] or "(the conversation itself)"
        resource = "Executions/" + resource.rpartition("/")[2] if "/Executions" in entry.path else resource
        yield f"[{what}]   {entry.method:<6} {resource:<45} {entry.status}  {entry.seconds * 1000:5.1f} ms"
    for use in stage.agent.uses:
        yield f"[tool] {use.status} {use.answer!r} in {use.seconds * 1000:.1f} ms"


def _faults(responder: str, conversation: Conversation, stage: Stage) -> list[str]:
    """Say what is not as the script has it: who answers, and who spoke last."""
    names = {"agent": stage.agent.webhook_url, "studio": stage.routes.flow_sid("refunds")}
    answering = [(found.kind, found.name) for found in stage.sandbox.responders(conversation)]
    last = _speaker(conversation.messages[-1].author, conversation)
    checks = {
        f"expected the {responder} alone to answer, found {answering}": answering == [(responder, names[responder])],
        f"expected the customer to be answered, found that the {last} spoke last": last != "customer",
    }
    return [fault for fault, right in checks.items() if not right]
