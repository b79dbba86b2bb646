"""Asking Twilio about many flows: side by side within bounds, within a time, and no further once it says no."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Final

from router.errors import TwilioBusy, TwilioError
from router.model.flow import DENIED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from router.model.flow import FlowAnswer, FlowReader, FlowRevision

AT_ONCE: Final = 8
"""So many flows are asked about side by side."""

PATIENCE: Final = 120.0
"""Seconds that the whole may take."""


async def ask(
    reader: FlowReader, flows: Collection[str], *, tell: Callable[[int], None], patience: float = PATIENCE
) -> dict[str, FlowAnswer]:
    """Ask about each of ``flows``, by SID, once; ``tell`` is called with the number of answers after each of them.

    A flow that was not reached within ``patience`` seconds has a TwilioBusy for an answer, like one that was not asked
    about after Twilio had refused the credentials.
    """
    left = deque(dict.fromkeys(flows))
    answers: dict[str, FlowAnswer] = {}

    async def work() -> None:
        while left:
            flow = left.popleft()
            try:
                answers[flow] = await _as_it_runs(reader, flow)
            except TwilioError as error:
                answers[flow] = error
                if error.status in DENIED:
                    left.clear()
            tell(len(answers))

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience), asyncio.TaskGroup() as group:
            for _ in range(min(AT_ONCE, len(left))):
                group.create_task(work())
    late = TwilioBusy("ask", f"there was no answer within {patience:g} s")
    return {flow: answers.get(flow, late) for flow in flows}


async def _as_it_runs(reader: FlowReader, flow: str) -> FlowRevision | None:
    """Give the revision that customers meet; where none was ever published, the newest; None where there is no flow.

    A draft over a published revision changes nothing for customers (docs/twilio.md, PUBLISHED).
    """
    newest = await reader.newest_revision(flow)
    if newest is None or newest.is_published:
        return newest
    return await reader.published_revision(flow) or newest
