"""The configuration at scale: how long it takes to load, what a lookup costs, what a reload does to calls.

The file is made up: tools with ten intents each, over fragments of twenty tools. Load and lookup are measured in this
process, one size after the other; the reload in a server of its own, under calls at a steady rate that nobody holds
back (an open loop: a call that waits delays no other), with and without reloads in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import tempfile
import time
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aiohttp

from bench.processes import answers, free_port, process
from bench.stand_in import AGENT
from router.config import load
from router.model.call import ConversationRef, ToolCall
from router.resolution import resolve
from router.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW: Final = datetime(2026, 1, 31, 17, 30, tzinfo=UTC)
INTENTS: Final = 10
TOOLS: Final = 20
"""Intents a tool, tools a fragment."""

SECRET: Final = "bench-secret"
ADMIN: Final = "bench-admin"
ROOT: Final = f"""\
version: 1
include: [routes.d/*.yaml]
auth: [secret: {SECRET}]
assistant_webhooks: ["{AGENT}"]
defaults: {{messages: {{success: "Handed over by {{tool}}"}}}}
plugins: [{{use: conversation-attributes, config: {{key: handover}}}}]
"""


def write(folder: Path, intents: int, head: str = ROOT) -> Path:
    """Write a configuration with so many intents, its root beginning with ``head``; gives the path of that."""
    (folder / "routes.d").mkdir(parents=True)
    tools = intents // INTENTS
    for first in range(0, tools, TOOLS):
        fragment(folder, first // TOOLS, range(first, min(tools, first + TOOLS)), "takes over")
    root = folder / "routes.yaml"
    root.write_text(head)
    return root


def fragment(folder: Path, number: int, tools: range, words: str) -> None:
    """Write one fragment; ``words`` stand in its sentences."""
    lines = ["flows:", *(f"  f{number}_{i}: FW{number * 10 + i:032x}" for i in range(5)), "tools:"]
    for tool in tools:
        lines += [f"  /tools/{tool}:", f"    name: Tool {tool}", "    description: You MUST use this.", "    intents:"]
        for intent in range(INTENTS):
            lines += [
                f"      intent {intent}:",
                f"        description: the customer wants {intent}",
                f"        aliases: [wish {intent}, desire {intent}]",
                f"        flow: f{number}_{intent % 5}",
                f"        messages: {{success: Number {intent} {words}.}}",
            ]
    (folder / "routes.d" / f"{number:03}.yaml").write_text("\n".join(lines) + "\n")


def measure_load(sizes: Sequence[int], rounds: int) -> None:
    """Print how long each size takes to load, and what a lookup in it costs."""
    print(f"intents     load, s   lookup, us     (median of {rounds})")
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            path = write(Path(name, "config"), size)
            took = []
            for _ in range(rounds):
                begun = time.perf_counter()
                loaded = load(path, environ={})
                took.append(time.perf_counter() - begun)
            calls = [
                ToolCall(tool, "bench", ConversationRef("IS" + "0" * 32, "CH" + "0" * 32), None, {"intent": "Desire-7"})
                for tool in loaded.routes.tools
            ]
            lookups = []
            for _ in range(max(rounds, 3)):
                begun = time.perf_counter()
                for number in range(5000):
                    resolve(calls[number * 7919 % len(calls)], loaded.routes, "HO", NOW)
                lookups.append((time.perf_counter() - begun) / 5000)
            print(f"{size:7} {statistics.median(took):11.3f} {statistics.median(lookups) * 1e6:12.1f}")


async def measure_reload(size: int, rounds: int, rate: int, seconds: float) -> None:
    """Print the latency of calls with and without reloads beside them, and how many were lost."""
    account = Sandbox()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name, "config")
        ports = free_port(), free_port()
        sandbox, router = (f"http://127.0.0.1:{port}" for port in ports)
        environ = os.environ | {
            "TWILIO_ACCOUNT_SID": account.account_sid,
            "TWILIO_AUTH_TOKEN": account.auth_token,
            "HANDOVER_TWILIO_URL": sandbox,
            "HANDOVER_PUBLIC_URL": router,
            "HANDOVER_CONFIG": str(write(folder, size)),
            "HANDOVER_ADMIN_TOKEN": ADMIN,
            "HANDOVER_STATE": str(Path(name, "state")),
            "HANDOVER_DATABASE_URL": str(Path(name, "handovers.db")),
            "HANDOVER_POLL": "0",
        }
        for command, port in zip(("sandbox", "serve"), ports, strict=True):
            started = ["-m", "router.cli", command, f"--port={port}"]
            stack.enter_context(process(started, environ, Path(name, f"{command}.log")))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            for url in (sandbox, router):
                await answers(session, url)
            alone: list[float] = []
            beside: list[float] = []
            reloads: list[float] = []
            await calls(session, sandbox, router, rate, 1.0, size)
            for turn in range(rounds):
                alone += await calls(session, sandbox, router, rate, seconds, size)
                task = asyncio.create_task(reload(session, router, folder, turn, reloads))
                beside += await calls(session, sandbox, router, rate, seconds, size)
                await task
    print(f"\n{size} intents, {rate} handovers a second, {rounds} reloads of {statistics.median(reloads):.2f} s")
    print("                 p50, ms   p99, ms   worst, ms   calls")
    for title, took in (("without reload", alone), ("with a reload", beside)):
        took.sort()
        p99 = took[int(len(took) * 0.99)]
        print(f"{title:15} {statistics.median(took) * 1e3:8.1f} {p99 * 1e3:9.1f} {took[-1] * 1e3:11.1f} {len(took):7}")


async def calls(
    session: aiohttp.ClientSession, sandbox: str, router: str, rate: int, seconds: float, size: int
) -> list[float]:
    """Hand over at a steady rate and give the seconds that each call took; raises RuntimeError for one that is lost."""
    took: list[float] = []
    sessions = []
    for _ in range(int(rate * seconds)):
        async with session.post(f"{sandbox}/sandbox/conversations", data={"agent_url": AGENT}) as made:
            sessions.append((await made.json())["session"])

    async def one(number: int, conversation: str) -> None:
        headers = {"X-Handover-Secret": SECRET, "X-Session-Id": conversation}
        begun = time.perf_counter()
        url = f"{router}/tools/{number * 31 % (size // INTENTS)}"
        async with session.post(url, json={"intent": "wish 3"}, headers=headers) as answer:
            text = await answer.text()
        took.append(time.perf_counter() - begun)
        if not text.startswith("Number 3 "):
            raise RuntimeError(f"a call was lost: {answer.status} {text}")

    async with asyncio.TaskGroup() as group:
        begun = time.perf_counter()
        for number, conversation in enumerate(sessions):
            await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
            group.create_task(one(number, conversation))
    return took


async def reload(session: aiohttp.ClientSession, router: str, folder: Path, turn: int, reloads: list[float]) -> None:
    """Change one fragment, and have it taken."""
    await asyncio.sleep(0.5)
    fragment(folder, 0, range(TOOLS), f"takes over since {turn}")
    begun = time.perf_counter()
    async with session.post(f"{router}/-/reload", headers={"Authorization": f"Bearer {ADMIN}"}) as answer:
        if answer.status != HTTPStatus.OK:
            raise RuntimeError(f"the reload was answered with {answer.status}: {await answer.text()}")
    reloads.append(time.perf_counter() - begun)


def main(arguments: Sequence[str]) -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(prog="make bench ARGS='configuration ...'", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--rate", type=int, default=40, help="handovers a second during a reload")
    parser.add_argument("--seconds", type=float, default=6.0, help="seconds of each turn")
    given = parser.parse_args(arguments)
    measure_load(given.sizes, given.rounds)
    asyncio.run(measure_reload(max(given.sizes), given.rounds, given.rate, given.seconds))
