"""What the tests of the hooks share: a handover, plugins written to files, and a host made of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from router.hooks.discovery import discover
from router.hooks.host import PluginHost, PluginReport
from router.model.handover import Handover
from router.model.routes import OnError, PluginUse
from router.rehearsal.stage import CONVERSATION, Stage

if TYPE_CHECKING:
    from pathlib import Path

FLOW = "FW" + "0" * 31 + "1"
NIGHT = "FW" + "0" * 31 + "2"
LISTED = {FLOW: FLOW, NIGHT: NIGHT, "night": NIGHT, "german": NIGHT}
"""What a guard may name as a flow, and the Flow SID that it means."""

HANDOVER = Handover(
    id="HO" + "0" * 32,
    tool="/tools/support",
    intent="refund",
    flow=FLOW,
    message="Our refunds desk takes over now.",
    conversation="CH" + "0" * 32,
    service="IS" + "0" * 32,
    identity="whatsapp:+15550100",
    inputs={"intent": "refund", "order_id": "A-17"},
    caller="ai_assistants",
)
TWILIO = Stage(CONVERSATION)
STOP = OnError.STOP
CONTINUE = OnError.CONTINUE
DEADLINE = 0.2
DESK = """
import router

class Desk(router.Target):
    async def start(self, handover, twilio): return "R1"
    async def find(self, reference, handover, twilio): return None
    async def stop(self, reference, handover, twilio): return None

"""
"""A target, for a plugin's source."""

HEADER = "import asyncio, sys, time\nfrom router import Decline, Handover, Outcome, hookimpl\n"


def write(directory: Path, name: str, source: str) -> Path:
    """Write a plugin's file, with the usual imports on its first two lines."""
    path = directory / f"{name}.py"
    path.write_text(HEADER + dedent(source), encoding="utf-8")
    return path


def use(name: str, on_error: OnError = STOP, **config: Any) -> PluginUse:
    return PluginUse(name=name, config=config, on_error=on_error)


@dataclass
class Bench:
    """A host of plugins written to ``directory``, and what it reported."""

    host: PluginHost
    reports: list[PluginReport] = field(default_factory=list)

    @property
    def reasons(self) -> list[str]:
        return [f"{report.plugin}.{report.hook}: {report.reason}" for report in self.reports]


def bench(directory: Path, deadline: float = DEADLINE, /, **sources: str) -> Bench:
    """Write the plugins, find them, and host them all."""
    for name, source in sources.items():
        write(directory, name, source)
    found = discover([directory])
    assert not found.faults, found.faults
    made = Bench(PluginHost.of(()))
    made.host = PluginHost.of(found.plugins.values(), deadline=deadline, report=made.reports.append)
    return made
