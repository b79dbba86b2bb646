"""What plugins cost: the calls of one hook by themselves, and all calls within a handover, as ratios to none.

The plugins do nothing in the hooks of a handover, so that what is measured is the host. What counts is the CPU of this
process, its threads included; the sandbox is a process of its own. All variants take turns, and each figure is the
median over the rounds; a ratio is taken within its round, which other work on the machine then slows as a whole.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import os
import statistics
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aiohttp
from prometheus_client import CollectorRegistry

from bench.processes import answers, free_port, process
from bench.stand_in import AGENT
from router.clock import Clock
from router.config import load
from router.desk import Desk
from router.handover import hand_over
from router.hooks.host import PluginHost
from router.ledger.durable import DurableLedger
from router.ledger.owner import this_process
from router.log import new_log
from router.model.call import ConversationRef, ToolCall
from router.model.handover import Handover
from router.model.outcome import Outcome
from router.rehearsal.stage import CONVERSATION, Stage
from router.sandbox.sandbox import Sandbox
from router.swap.background import Background
from router.twilio.credentials import Credentials
from router.twilio.gateway import TwilioGateway
from router.web.plugin_metrics import PluginMetrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from router.hooks.failure import PluginReport
    from router.model.routes import PluginUse

    Work = Callable[[PluginHost, Sequence[PluginUse]], Awaitable[object]]

COUNTS: Final = (0, 1, 5, 20)
"""So many plugins a route uses; the last are all that are switched on."""

STYLES: Final = {"def": ("def", False), "async def": ("async def", False), "blocking": ("def", True)}
"""How the hooks are written, and whether they run in threads."""

FLOW: Final = "FW00000000000000000000000000000001"
ROUTES: Final = f"""\
version: 1
flows: {{refunds: {FLOW}}}
auth: [secret: bench-secret]
assistant_webhooks: ["{AGENT}"]
"""
PLUGIN: Final = """\
from contextlib import asynccontextmanager
from router import hookimpl

@asynccontextmanager
async def around():
    yield

@hookimpl
def plugin_info():
    return {{"blocking": {blocking}}}

@hookimpl
{define} before_swap(handover, config):
    return None

@hookimpl
{define} add_attributes(handover, config):
    return None

@hookimpl
{define} around_swap(handover, config):
    return around()

@hookimpl
{define} after_swap(handover, outcome, config):
    return None
"""
HANDOVER: Final = Handover(
    id="HO" + "0" * 32,
    tool="/tools/1",
    intent="",
    flow=FLOW,
    message="Conversation handed over",
    conversation=CONVERSATION.sid,
    service=CONVERSATION.service,
)


async def _around(host: PluginHost, uses: Sequence[PluginUse]) -> None:
    async with host.around_swap(HANDOVER, uses, Stage(CONVERSATION)):
        pass


HOOKS: Final[Mapping[str, Work]] = {
    "before_swap": lambda host, uses: host.before_swap(HANDOVER, uses, str, Stage(CONVERSATION)),
    "add_attributes": lambda host, uses: host.add_attributes(HANDOVER, uses),
    "around_swap": _around,
    "after_swap": lambda host, uses: host.after_swap(HANDOVER, Outcome.HANDED_OVER, uses, Stage(CONVERSATION)),
}


@dataclass(frozen=True, slots=True)
class Variant:
    """A desk and one of its tools, whose route uses ``count`` plugins."""

    title: str
    desk: Desk
    count: int = 0

    @property
    def tool(self) -> str:
        """The tool's path."""
        return f"/tools/{self.count}"

    @property
    def uses(self) -> tuple[PluginUse, ...]:
        """What the route uses."""
        return self.desk.routes.tools[self.tool].route.plugins


def titled(count: int, style: str) -> str:
    """Name the variant that uses so many of the plugins in a style."""
    return f"{count} of {COUNTS[-1]} {style}"


def written(folder: Path, style: str) -> Path:
    """Write plugins in a style, none for an empty one, and routes with a tool for each count; gives their path."""
    (folder / "plugins").mkdir(parents=True)
    names = [f"p{number:02}" for number in range(COUNTS[-1] if style else 0)]
    for name in names:
        define, blocking = STYLES[style]
        (folder / "plugins" / f"{name}.py").write_text(PLUGIN.format(define=define, blocking=blocking))
    lines = ["plugins:" if names else "plugins: []", *(f"  - use: {name}" for name in names), "tools:"]
    for count in COUNTS if names else COUNTS[:1]:
        off = ", ".join(f"{name}: false" for name in names[count:])
        lines.append(f"  /tools/{count}: {{flow: refunds, plugins: {{{off}}}}}")
    path = folder / "routes.yaml"
    path.write_text(ROUTES + "\n".join(lines) + "\n")
    return path


@contextlib.asynccontextmanager
async def variants(folder: Path, sandbox: str, account: Sandbox) -> AsyncIterator[Sequence[Variant]]:
    """Open a desk for each style and one without plugins, all with one gateway and one ledger.

    Raises RuntimeError at the end where a plugin failed or work broke: then the figures are not those of a handover.
    """
    failures: list[PluginReport | BaseException] = []
    metrics, clock = PluginMetrics(CollectorRegistry()), Clock()
    make_host = partial(PluginHost.of, report=failures.append, on_call=metrics.called)
    credentials = Credentials(account.account_sid, account.auth_token)
    async with (
        TwilioGateway(credentials, base_url=sandbox) as gateway,
        DurableLedger(f"sqlite:///{folder / 'handovers.db'}", this_process(), clock) as ledger,
    ):
        made = []
        for style in ("", *STYLES):
            loaded = load(written(folder / (style or "none"), style), environ={}, make_host=make_host)
            desk = Desk(
                routes=loaded.routes,
                plugins=loaded.plugins,
                gateway=gateway,
                ledger=ledger,
                background=Background(failures.append),
                log=new_log(io.StringIO()),
            )
            if style:
                made += [Variant(titled(count, style), desk, count) for count in COUNTS]
            else:
                made.append(Variant("none", desk))
        yield made
    if failures:
        raise RuntimeError(f"{len(failures)} failures, the first: {failures[0]}")


async def alone(variant: Variant, work: Work, calls: int) -> float:
    """Measure a hook by itself; gives seconds of CPU a handover."""
    host, uses = variant.desk.plugins, variant.uses
    begun = time.process_time()
    for _ in range(calls):
        await work(host, uses)
    return (time.process_time() - begun) / calls


async def within(variant: Variant, session: aiohttp.ClientSession, sandbox: str, handovers: int) -> tuple[float, float]:
    """Measure whole handovers, one after the other; gives seconds of CPU, and the median of those until the answer.

    Raises RuntimeError for one that does not work.
    """
    conversations = []
    for _ in range(handovers):
        async with session.post(f"{sandbox}/sandbox/conversations", data={"agent_url": AGENT}) as opened:
            found = await opened.json()
            conversations.append(ConversationRef(found["service"], found["conversation"]))
    took: list[float] = []
    cpu = time.process_time()
    for conversation in conversations:
        begun = time.perf_counter()
        answer = await hand_over(ToolCall(variant.tool, "bench", conversation), variant.desk)
        took.append(time.perf_counter() - begun)
        await variant.desk.background.drain(20)
        if answer.outcome is not Outcome.HANDED_OVER:
            raise RuntimeError(f"{variant.title}: {answer}")
    return (time.process_time() - cpu) / handovers, statistics.median(took)


async def measure(rounds: int, calls: int, handovers: int) -> None:
    """Start the sandbox, let all variants take turns, and print both tables."""
    account, port = Sandbox(), free_port()
    sandbox = f"http://127.0.0.1:{port}"
    by_hook: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    by_variant: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        command = ["-m", "router.cli", "sandbox", f"--port={port}"]
        stack.enter_context(process(command, dict(os.environ), folder / "sandbox.log"))
        async with aiohttp.ClientSession() as session, variants(folder, sandbox, account) as all_variants:
            await answers(session, sandbox)
            for number in range(rounds + 1):
                for variant in all_variants if number % 2 else reversed(all_variants):
                    of_hooks = {
                        hook: await alone(variant, work, max(1, calls // max(1, variant.count)))
                        for hook, work in HOOKS.items()
                    }
                    of_variant = await within(variant, session, sandbox, handovers)
                    if number:  # the first round warms up
                        by_variant[variant.title].append(of_variant)
                        for hook, seconds in of_hooks.items():
                            by_hook[hook, variant.title].append(seconds)
    report_hooks(by_hook, rounds)
    report_handovers(by_variant)


def report_hooks(by_hook: Mapping[tuple[str, str], Sequence[float]], rounds: int) -> None:
    """Print what each hook costs by itself."""
    print(f"a hook by itself: us of CPU a handover, median of {rounds} rounds")
    print(f"{'plugins on the route':<26}{''.join(f'{count:>9}' for count in COUNTS)}")
    for style in STYLES:
        for hook in HOOKS:
            found = (statistics.median(by_hook[hook, titled(count, style)]) * 1e6 for count in COUNTS)
            print(f"  {style:<10}{hook:<14}{''.join(f'{each:9.1f}' for each in found)}")


def report_handovers(by_variant: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """Print what a handover costs with its plugins, as ratio to one without."""
    title, none = next(iter(by_variant.items()))
    cpu, took = (statistics.median(each) * 1e3 for each in zip(*none, strict=True))
    print(f"\na handover with all four hooks of each plugin, as ratio to {title}: {cpu:.2f} ms of CPU, {took:.1f} ms")
    print(f"{'plugins on the route':<26}{'CPU':>9}{'time':>9}")
    for each, found in by_variant.items():
        ratios = (
            statistics.median(one[place] / base[place] for one, base in zip(found, none, strict=True))
            for place in (0, 1)
        )
        print(f"  {each:<24}{''.join(f'{ratio:9.2f}' for ratio in ratios)}")


def main(arguments: Sequence[str]) -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(prog="make bench ARGS='hooks ...'", description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--calls", type=int, default=200, help="calls of plugins that a hook is measured over")
    parser.add_argument("--handovers", type=int, default=15, help="handovers a variant in each round")
    given = parser.parse_args(arguments)
    asyncio.run(measure(given.rounds, given.calls, given.handovers))
