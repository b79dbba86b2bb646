"""A thousand calls at once against a Twilio that is slow, and then against one that never answers.

Sandbox and router are processes of their own. A burst is many calls at the same moment, each about a conversation of
its own; told are how many were answered with what, after how long, and how much memory the router takes. At the end
Twilio answers again, and each conversation must have one responder.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from bench.processes import answers, free_port, memory, process, raise_limits
from bench.stand_in import AGENT
from router.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Sequence

SECRET = "of-the-benchmark"
ROUTES = f"""
version: 1
flows: {{refunds: FW00000000000000000000000000000001}}
auth: [secret: {SECRET}]
assistant_webhooks: ["{AGENT}"]
tools: {{/tools/support: {{flow: refunds}}}}
"""
SETTLING = 180.0


@dataclass(frozen=True, slots=True)
class Load:
    """The two processes, and how they are asked."""

    session: aiohttp.ClientSession
    sandbox: str
    router: str
    pid: int

    async def open(self, count: int) -> list[str]:
        """Open conversations, and give their sessions."""
        return [str((await self._post("/sandbox/conversations", agent_url=AGENT))["session"]) for _ in range(count)]

    async def arm(self, **fault: str) -> None:
        """Let Twilio be as ``fault`` says, until it is cleared."""
        await self._post("/sandbox/faults", **fault)

    async def clear(self) -> None:
        """Let Twilio answer again."""
        async with self.session.delete(f"{self.sandbox}/sandbox/faults"):
            pass

    async def call(self, session: str) -> tuple[str, float]:
        """Make one call; gives the outcome and how many seconds it took."""
        headers = {"X-Session-Id": session, "X-Handover-Secret": SECRET, "Accept": "application/json"}
        begun = time.perf_counter()
        async with self.session.post(f"{self.router}/tools/support", headers=headers) as answer:
            told = await answer.json()
        return str(told["outcome"]), time.perf_counter() - begun

    async def responders(self) -> Counter[str]:
        """Count the conversations by who answers in them."""
        async with self.session.get(f"{self.sandbox}/sandbox") as answer:
            seen = await answer.json()
        return Counter(" + ".join(each.split()[0] for each in found["responders"]) for found in seen["conversations"])

    async def _post(self, path: str, **form: str) -> Any:
        async with self.session.post(self.sandbox + path, data=form) as answer:
            return await answer.json()


def written(routes: Path) -> str:
    """Write the routes to measure with."""
    routes.write_text(ROUTES)
    return str(routes)


async def burst(load: Load, name: str, calls: int) -> None:
    """Make the calls, and print what came of them."""
    told = await asyncio.gather(*map(load.call, await load.open(calls)))
    took = sorted(seconds for _, seconds in told)
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in sorted(Counter(each for each, _ in told).items()))
    at_once = sum(seconds < 1 for outcome, seconds in told if outcome == "failed")
    print(
        f"  {name:<18} {statistics.median(took):7.2f} {took[int(len(took) * 0.99)]:7.2f} {took[-1]:7.2f}"
        f" {memory(load.pid):8.0f} {memory(load.pid, 'VmHWM'):8.0f}   {outcomes}; {at_once} refused within a second"
    )


async def settle(load: Load) -> None:
    """Let Twilio answer again, and wait until one responder is in each conversation."""
    begun = time.perf_counter()
    await load.clear()
    while set(found := await load.responders()) - {"studio", "agent", "agent + studio"} or found["agent + studio"]:
        if time.perf_counter() - begun > SETTLING:
            raise RuntimeError(f"not settled after {SETTLING:g} seconds: {found}")
        await asyncio.sleep(0.5)
    print(f"  settled {time.perf_counter() - begun:.1f} s after Twilio answers again: {dict(found)}")


async def measure(calls: int, queue: int, bursts: int, seconds: float) -> None:
    """Start sandbox and router, and load them."""
    account, ports = Sandbox(), (free_port(), free_port())
    sandbox, router = (f"http://127.0.0.1:{port}" for port in ports)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        environ = os.environ | {
            "TWILIO_ACCOUNT_SID": account.account_sid,
            "TWILIO_AUTH_TOKEN": account.auth_token,
            "HANDOVER_TWILIO_URL": sandbox,
            "HANDOVER_PUBLIC_URL": router,
            "HANDOVER_CONFIG": written(Path(folder, "routes.yaml")),
            "HANDOVER_DATABASE_URL": str(Path(folder, "handovers.db")),
            "HANDOVER_STATE": "none",
            "HANDOVER_QUEUE": str(queue),
        }
        commands = (["-m", "router.cli", "sandbox", f"--port={ports[0]}"], ["-m", "router.cli", "serve"])
        commands[1].append(f"--port={ports[1]}")
        _, pid = (
            stack.enter_context(process(command, environ, Path(folder, f"{number}.log")))
            for number, command in enumerate(commands)
        )
        # The server closes what is idle for five seconds, and a burst takes nearly as long.
        connector, patience = aiohttp.TCPConnector(limit=0, keepalive_timeout=2), aiohttp.ClientTimeout(120)
        async with aiohttp.ClientSession(connector=connector, timeout=patience) as session:
            load = Load(session, sandbox, router, pid)
            for url in (sandbox, router):
                await answers(session, url)
            print(f"{calls} calls at once, {queue} may be in flight; memory at rest {memory(load.pid):.0f} MB")
            print("                         p50     p99   worst   RSS MB  peak MB")
            await load.arm(kind="slow", times="0", delay=str(seconds))
            for number in range(bursts):
                await burst(load, f"slow, burst {number + 1}", calls)
            await settle(load)
            await load.arm(kind="slow", times="0")
            for number in range(bursts):
                await burst(load, f"silent, burst {number + 1}", calls)
            await settle(load)


def main(arguments: Sequence[str]) -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(prog="make bench ARGS='load ...'", description=__doc__)
    parser.add_argument("--calls", type=int, default=1200, help="calls at once")
    parser.add_argument("--queue", type=int, default=1000, help="so many may be in flight")
    parser.add_argument("--bursts", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="that a slow Twilio takes for a request")
    given = parser.parse_args(arguments)
    raise_limits()  # each call has a connection of its own
    asyncio.run(measure(given.calls, given.queue, given.bursts, given.seconds))
