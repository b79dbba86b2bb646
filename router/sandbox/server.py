"""The sandbox on its own, for people who write routes and plugins: it serves, and says how to use it."""

from __future__ import annotations

import asyncio
import shlex
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from router.sandbox.flows import ROUTER
from router.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from router.model.routes import Tool
    from router.sandbox.world import Conversation

AGENT_URL: Final = "https://support-agent.twil.io/channels/conversations/messageAdded"
"""An agent that nobody plays: what is sent to it stays on this machine."""

ROUTER_HERE: Final = "http://127.0.0.1:8000"
"""Where ``handover serve`` starts the router, which stands for the one that the shipped flows call."""

SECRET: Final = "try-it"
"""What the introduction has the router take for ``HANDOVER_SECRET``."""


async def run(
    port: int,
    echo: Callable[[str], None],
    *,
    host: str = "127.0.0.1",
    flows: Mapping[str, Mapping[str, Any]] | None = None,
    tool: Tool | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve a sandbox until ``stop`` is set or the task is cancelled, and ``echo`` how to use it.

    It shows a call of ``tool``. Its account stays the same from run to run, so that a ``.env`` keeps working.
    Raises OSError where the port is taken, ValueError for a flow that cannot be played.
    """
    sandbox = Sandbox(flows=flows, hosts={urlsplit(ROUTER).netloc: ROUTER_HERE}, tell=echo)
    conversation = sandbox.open_conversation(agent_url=AGENT_URL)
    async with sandbox.served(host=host, port=port):
        echo(introduction(sandbox, conversation, tool))
        await (stop or asyncio.Event()).wait()


def introduction(sandbox: Sandbox, conversation: Conversation, tool: Tool | None = None) -> str:
    """Write what to set for the router, and the lines to try: they call ``tool``, or that of the shipped routes.

    The secrets in it are made up and open nothing.
    """
    path, given = ("/tools/support", "-d intent=refund") if tool is None else (tool.path, _given(tool))
    url, said = sandbox.url, f"{sandbox.url}/sandbox/conversations/{conversation.sid}/says"
    account = f"{sandbox.account_sid}:{sandbox.auth_token}"
    return f"""\
A stand-in for Twilio listens on {url}

Let the router use it:
  export HANDOVER_TWILIO_URL={url}
  export TWILIO_ACCOUNT_SID={sandbox.account_sid}
  export TWILIO_AUTH_TOKEN={sandbox.auth_token}
  export HANDOVER_PUBLIC_URL={ROUTER}
  export HANDOVER_SECRET={SECRET}
  handover serve

Then hand over the conversation that is open here, and speak as its customer:
  curl {ROUTER_HERE}{path} -H 'X-Handover-Secret: {SECRET}' \\
    -H 'X-Session-Id: {conversation.session}' {given}
  curl {said} -d text='My lamp is broken'

Look at what is there, as Twilio shows it and in short:
  curl -u {account} {url}/v1/Conversations/{conversation.sid}/Webhooks
  curl {url}/sandbox

Let the next request go wrong; {url}/ tells how else:
  curl {url}/sandbox/faults -d kind=rate_limited -d 'path=*/Webhooks'
"""


def _given(tool: Tool) -> str:
    """Write what makes a call a POST: the tool's first intent, or nothing but that."""
    name = next(iter(tool.intents), "")
    return f"-d {shlex.quote(f'{tool.intent_input}={name}')}" if name else "-X POST"
