"""The sandbox on its own, for people who write routes and plugins: it serves, and says how to use it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from router.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


async def run(
    port: int,
    echo: Callable[[str], None],
    *,
    host: str = "127.0.0.1",
    flows: Mapping[str, Mapping[str, Any]] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve a sandbox until ``stop`` is set or the task is cancelled, and ``echo`` how to use it.

    Its account stays the same from run to run, so that a ``.env`` keeps working. Raises OSError where the port is
    taken, ValueError for a flow that cannot be played.
    """
    sandbox = Sandbox(flows=flows)
    conversation = sandbox.open_conversation()
    async with sandbox.served(host=host, port=port):
        echo(introduction(sandbox, conversation.sid))
        await (stop or asyncio.Event()).wait()


def introduction(sandbox: Sandbox, conversation: str) -> str:
    """Write what to set for the router, and the lines to try; the secrets in it are made up and open nothing."""
    url = sandbox.url
    account = f"{sandbox.account_sid}:{sandbox.auth_token}"
    flow = next(iter(sandbox.world.flows), "FW" + "0" * 32)
    webhooks = f"{url}/v1/Conversations/{conversation}/Webhooks"
    return f"""\
A stand-in for Twilio listens on {url}

Let the router use it:
  export HANDOVER_TWILIO_URL={url}
  export TWILIO_ACCOUNT_SID={sandbox.account_sid}
  export TWILIO_AUTH_TOKEN={sandbox.auth_token}

Try it; a conversation is open:
  curl {url}/
  curl -u {account} {webhooks}
  curl -u {account} {webhooks} -d Target=studio -d Configuration.FlowSid={flow}
  curl {url}/sandbox/conversations/{conversation}/says -d text='My order is broken'
  curl {url}/sandbox/faults -d kind=rate_limited -d 'path=*/Webhooks'
  curl {url}/sandbox
"""
