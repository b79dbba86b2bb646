"""Handovers a second, latency and CPU of the router, as ratios to the floor.

Sandbox, floor and router are processes of their own; floor and router take turns in one run, and what counts is the
median over the rounds. Absolute times say nothing on a shared machine. The router is measured as it ships: signature
checked, intents looked up, the lock held, webhooks listed, planned, created and removed, counted and logged, but
without a plugin, since the floor writes no attributes either.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from bench.processes import answers, cpu_seconds, free_port, process
from router.sandbox.sandbox import Sandbox
from router.twilio.signatures import sign

if TYPE_CHECKING:
    from collections.abc import Sequence

AGENT = "https://bench.twil.io/channels/conversations/messageAdded"
ROUTES = f"""
version: 1
flows: {{refunds: FW00000000000000000000000000000001}}
auth: [twilio_signature]
assistant_webhooks: ["{AGENT}"]
tools:
  /tools/support: {{name: Support, description: Refunds., intents: {{refund: {{flow: refunds}}}}}}
"""
BODY = b'{"intent": "refund"}'


@dataclass(frozen=True, slots=True)
class Round:
    """One round: handovers a second, the median and the 99th percentile of the latency, CPU seconds a handover."""

    rate: float
    median: float
    p99: float
    cpu: float


def written(routes: Path) -> str:
    """Write the routes to measure with."""
    routes.write_text(ROUTES)
    return str(routes)


async def measure(
    session: aiohttp.ClientSession, sandbox_url: str, token: str, url: str, pid: int, count: int, width: int
) -> Round:
    """Hand ``count`` fresh conversations over, ``width`` at a time."""
    sessions = []
    for _ in range(count):
        async with session.post(f"{sandbox_url}/sandbox/conversations", data={"agent_url": AGENT}) as made:
            sessions.append((await made.json())["session"])
    target = f"{url}/tools/support?bodySHA256={hashlib.sha256(BODY).hexdigest()}"
    headers = {"X-Twilio-Signature": sign(token, target, {}), "Content-Type": "application/json"}
    took: list[float] = []

    async def work() -> None:
        while sessions:
            named = headers | {"X-Session-Id": sessions.pop()}
            begun = time.perf_counter()
            async with session.post(target, data=BODY, headers=named) as answer:
                text = await answer.text()
            took.append(time.perf_counter() - begun)
            if answer.status != 200 or text != "Conversation handed over":  # noqa: PLR2004 - tools answer 200
                raise RuntimeError(f"{url}: {answer.status} {text}")

    cpu, begun = cpu_seconds(pid), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(width)))
    passed = time.perf_counter() - begun
    took.sort()
    p99 = took[min(len(took) - 1, int(len(took) * 0.99))]
    return Round(count / passed, statistics.median(took), p99, (cpu_seconds(pid) - cpu) / count)


async def compare(rounds: int, count: int, widths: Sequence[int]) -> None:
    """Start the three processes, let floor and router take turns, and print the ratios."""
    account = Sandbox()
    ports = free_port(), free_port(), free_port()
    sandbox, floor, router = (f"http://127.0.0.1:{port}" for port in ports)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        environ = os.environ | {
            "TWILIO_ACCOUNT_SID": account.account_sid,
            "TWILIO_AUTH_TOKEN": account.auth_token,
            "HANDOVER_TWILIO_URL": sandbox,
            "HANDOVER_PUBLIC_URL": router,
            "HANDOVER_CONFIG": written(Path(folder, "routes.yaml")),
            "HANDOVER_STATE": "none",
            "HANDOVER_DATABASE_URL": str(Path(folder, "handovers.db")),
        }
        served = ["-m", "uvicorn", "--factory", "bench.floor:make", "--log-level=warning", f"--port={ports[1]}"]
        served += ["--no-access-log"]
        commands = (
            ["-m", "router.cli", "sandbox", f"--port={ports[0]}"],
            served,
            ["-m", "router.cli", "serve", f"--port={ports[2]}"],
        )
        _, floor_pid, router_pid = (
            stack.enter_context(process(command, environ, Path(folder, f"{number}.log")))
            for number, command in enumerate(commands)
        )
        async with aiohttp.ClientSession() as session:
            for url in (sandbox, floor, router):
                await answers(session, url)
            for url, pid in ((floor, floor_pid), (router, router_pid)):
                await measure(session, sandbox, account.auth_token, url, pid, count, max(widths))
            for width in widths:
                of_floor, of_router = [], []
                for _ in range(rounds):
                    of_floor.append(await measure(session, sandbox, account.auth_token, floor, floor_pid, count, width))
                    of_router.append(
                        await measure(session, sandbox, account.auth_token, router, router_pid, count, width)
                    )
                report(width, of_floor, of_router)


def report(width: int, of_floor: Sequence[Round], of_router: Sequence[Round]) -> None:
    """Print one width: what was measured, and the ratio that counts."""
    print(f"{width} in flight, median of {len(of_floor)} rounds       floor    router     ratio")
    for name, unit, scale in (("rate", "1/s", 1), ("median", "ms", 1e3), ("p99", "ms", 1e3), ("cpu", "ms", 1e3)):
        low, high = (statistics.median(getattr(each, name) for each in found) for found in (of_floor, of_router))
        ratio = f"{high / low:9.2f}" if low else "        -"
        print(f"  {name + ', ' + unit:<32} {low * scale:9.2f} {high * scale:9.2f} {ratio}")


def main(arguments: Sequence[str]) -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(prog="make bench ARGS='handovers ...'", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=300, help="handovers a round")
    parser.add_argument("--widths", type=int, nargs="+", default=[1, 32])
    given = parser.parse_args(arguments)
    asyncio.run(compare(given.rounds, given.count, given.widths))
