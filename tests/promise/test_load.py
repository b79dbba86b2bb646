"""More calls than Twilio takes: each is answered in time, none piles up, and every customer has one responder after."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final

from router.model.messages import Messages
from router.sandbox.faults import Fault, Kind
from tests.kit import REFUNDS
from tests.promise.processes import SUCCESS, Guest, Server, environ_of, eventually, furnish, served

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from router.sandbox.sandbox import Sandbox
    from tests.promise.processes import Told

CALLS: Final = 150
PLACES: Final = 20
QUEUE: Final = 100
DEADLINE: Final = 1.0
LITTLE: Final = 3.0
"""Seconds beyond the deadline that a busy machine may need to tell it to all."""

SPARE: Final = 16 * 1024 * 1024
"""Bytes by which memory may grow from the first burst to the last."""


async def burst(server: Server, guests: Sequence[Guest]) -> list[Told]:
    """Make all calls at once; each is answered within the deadline, or the test fails."""
    told = await asyncio.gather(*(server.call(guest.conversation) for guest in guests))
    assert max(each.seconds for each in told) < DEADLINE + LITTLE
    return told


async def test_a_twilio_that_is_slow_or_silent_makes_no_pile(tmp_path: Path, sandbox: Sandbox) -> None:
    """Calls beyond the queue are answered at once, the others by the deadline; and what was told holds at the end."""
    directory = furnish(tmp_path / "here")
    environ = environ_of(
        sandbox, HANDOVER_DEADLINE=str(DEADLINE), HANDOVER_CONCURRENCY=str(PLACES), HANDOVER_QUEUE=str(QUEUE)
    )
    bursts = [[Guest.at(sandbox, is_full=number % 3 == 0) for number in range(CALLS)] for _ in range(3)]
    everyone = [guest for guests in bursts for guest in guests]
    told: list[Told] = []
    memory: list[int] = []
    async with served(directory, environ) as server:
        for guests, silence in zip(bursts, ("*/Webhooks", "*", "*"), strict=True):
            sandbox.faults.add(Fault(Kind.SLOW, method="POST", path=silence, times=PLACES // 2))
            sandbox.faults.add(Fault(Kind.SLOW, path=silence, times=0, delay=0.1 if guests is bursts[0] else None))
            told += await burst(server, guests)
            memory.append(server.rss)
        beyond = sorted(each.seconds for each in told[:CALLS] if each.message == Messages().busy)[: CALLS - QUEUE]
        assert len(beyond) == CALLS - QUEUE
        assert max(beyond) < DEADLINE
        assert memory[-1] < memory[0] + SPARE
        sandbox.faults.clear()
        assert await eventually(lambda: all(guest.has_one for guest in everyone), 15), Counter(
            guest.state for guest in everyone
        )
        assert (await server.readiness())[0] == 200
        for guest, each in zip(everyone, told, strict=True):
            if each.outcome == "handed_over":
                assert guest.answers_alone(REFUNDS), each
            elif each.outcome == "failed":
                assert guest.answers_alone(), each
            else:
                assert each.outcome == "pending"
        words = {each.message for each in told}
        assert {Messages().busy, Messages().pending} <= words <= {SUCCESS, Messages().busy, Messages().pending}
        later = Guest.at(sandbox)
        assert (await server.call(later.conversation)).message == SUCCESS
