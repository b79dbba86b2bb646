"""The executions of flows that a conversation must know of before, and after, it goes back to the agent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from router.errors import TwilioError, TwilioRefused
from router.model.call import Identity
from router.model.execution import Execution
from router.model.sids import is_sid

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Mapping, Sequence
    from datetime import datetime

    from router.ledger.row import Row, Way
    from router.model.execution import Executions
    from router.model.target import Target

Answer = TypeVar("Answer")

MOST: Final = 20
"""So many executions of a flow are waited for, and watched, on behalf of one conversation."""


@dataclass(frozen=True, slots=True)
class OfTargets:
    """``studio``, where a plugin's target stands for the flow that it starts; without one it has no executions."""

    studio: Executions
    targets: Mapping[str, Target]

    async def fetch_execution(self, flow: str, sid: str) -> Execution | None:
        """Fetch a run of ``flow``, a Flow SID or a target's name; None where there is none."""
        known = self._flow(flow)
        return await self.studio.fetch_execution(known, sid) if known else None

    async def active_executions(self, flow: str, since: datetime) -> Sequence[Execution]:
        """List the runs that go on of ``flow``, a Flow SID or a target's name."""
        known = self._flow(flow)
        return await self.studio.active_executions(known, since) if known else ()

    async def end_execution(self, flow: str, sid: str) -> None:
        """End a run, by its Flow SID."""
        await self.studio.end_execution(flow, sid)

    def _flow(self, flow: str) -> str:
        target = self.targets.get(flow)
        return flow if is_sid("FW", flow) else target.flow if target else ""


async def running(row: Row, way: Way, studio: Executions) -> Sequence[Execution]:
    """List the executions of the row's flow that still run and may be this conversation's."""
    if way.execution:
        return await _alive(row.asking, studio)
    return await _listed(row, (row.flow,), studio)


async def older(row: Row, studio: Executions) -> Sequence[Execution]:
    """List those from before that still run: of flows that were redirected, and those known since they were asked back.

    When one ends, Studio may remove the webhook that we go by, or put its own back (docs/twilio.md, PUT-BACK), so one
    that we may not ask about counts as running. Where it is not known which one asked, or the flow has returned, those
    of the row's own flow are listed, once: later ones would be its own.
    """
    journal = row.journal
    known = await asyncio.gather(*(_answered(studio.fetch_execution(*run), _hidden(run)) for run in journal.runs))
    is_unnamed = (journal.is_asked_back or journal.has_returned) and not (journal.runs or row.looks)
    listed = await _listed(row, (*journal.replaced, *([row.flow] if is_unnamed else [])), studio)
    found = (*(run for run in known if run and run.is_active), *listed)
    return tuple({run.sid: run for run in found}.values())[:MOST]


async def watched(way: Way, studio: Executions) -> Sequence[Execution]:
    """List those that ran when the agent answered again, and still run."""
    return await _alive(way.runs, studio)


async def end(runs: Sequence[Execution], row: Row, way: Way, studio: Executions) -> Sequence[Execution]:
    """End those that are surely this conversation's; gives the rest, and those of which that failed."""
    is_over = await asyncio.gather(*(_ends(run, row, way, studio) for run in runs))
    return [run for run, over in zip(runs, is_over, strict=True) if not over]


def is_surely_of(row: Row, way: Way, run: Execution) -> bool:
    """Say whether an execution is this conversation's beyond doubt: by its name, or since its address is that."""
    return run.sid == way.execution or run.address == row.conversation


async def _ends(run: Execution, row: Row, way: Way, studio: Executions) -> bool:
    if not is_surely_of(row, way, run):
        return False
    try:
        await studio.end_execution(run.flow, run.sid)
    except TwilioError:
        return False
    return True


async def _alive(runs: Iterable[tuple[str, str]], studio: Executions) -> Sequence[Execution]:
    """Fetch executions; one that we may not ask about, or whose flow is gone, keeps nobody from going back."""
    found = await asyncio.gather(*(_answered(studio.fetch_execution(flow, sid), None) for flow, sid in runs))
    return [run for run in found if run and run.is_active]


def _hidden(run: tuple[str, str]) -> Execution:
    flow, sid = run
    return Execution(sid, flow, address="", is_active=True)


async def _listed(row: Row, flows: Iterable[str], studio: Executions) -> Sequence[Execution]:
    since = row.journal.since or row.created
    found = await asyncio.gather(*(_answered(studio.active_executions(flow, since), ()) for flow in flows))
    return [run for runs in found for run in runs if _may_be_of(row, run)][:MOST]


async def _answered(asking: Awaitable[Answer], otherwise: Answer) -> Answer:
    try:
        return await asking
    except TwilioRefused:
        return otherwise


def _may_be_of(row: Row, run: Execution) -> bool:
    """Say whether an execution may be this conversation's.

    Of its customer we keep only the two ends of an address; without those, each that ran since may be.
    """
    if not row.identity:
        return True
    customer = Identity("", run.address.rpartition(":")[2]).masked
    return run.address == row.conversation or customer.partition(":")[2] == row.identity.partition(":")[2]
