"""What the caller of a handover may be told by now, between the call that waits and the work that goes on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.line import Withdrawn

if TYPE_CHECKING:
    from router.model.outcome import Answer


@dataclass(slots=True)
class Ticket:
    """What the caller of a handover may be told by now: None while nothing is certain.

    ``has_begun`` says that it goes on whatever happens; ``is_withdrawn`` that nobody waits for it to begin any more.
    """

    answer: Answer | None = None
    has_begun: bool = False
    is_withdrawn: bool = False
    _given: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def begin(self) -> None:
        """Say that it goes on from here whatever happens; raises Withdrawn where it is too late for that."""
        if self.is_withdrawn:
            raise Withdrawn
        self.has_begun = True

    def tell(self, answer: Answer) -> None:
        """Give the answer."""
        self.answer = answer
        self._wake()

    async def wait(self, work: asyncio.Task[None], patience: float) -> None:
        """Wait for the answer, ``patience`` seconds at the most; raises what ``work`` broke with before it.

        Where ``work`` alone was cancelled it has left its row to others, so that nothing is certain yet.
        """
        timer = asyncio.get_running_loop().call_later(patience, self._wake)
        work.add_done_callback(self._wake)
        try:
            await self._given
        finally:
            timer.cancel()
        if self.answer is None and work.done() and not work.cancelled():
            work.result()

    def _wake(self, _work: object = None) -> None:
        if not self._given.done():
            self._given.set_result(None)
