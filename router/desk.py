"""The desk that a handover is made at: all that it needs, given as values and never looked up."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from router.clock import Clock
from router.ledger.memory import MemoryLedger
from router.line import Line
from router.swap.dry_run import ReadOnly

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from structlog.typing import FilteringBoundLogger

    from router.hooks.host import PluginHost
    from router.ledger.ledger import Ledger
    from router.model.gateway import Gateway
    from router.model.routes import Routes
    from router.model.twilio import Twilio
    from router.swap.background import Background


def new_handover_id() -> str:
    """Name a handover as Twilio names things: two capitals and 32 hex digits."""
    return f"HO{uuid.uuid4().hex}"


@dataclass(frozen=True, slots=True)
class Desk:
    """One loaded configuration and the services around it. A reload makes a new desk; a call ends at its own.

    ``deadline`` is the time in seconds in which a call is answered, whatever happens. ``owed`` is set when something is
    left to do in the background.
    """

    routes: Routes
    plugins: PluginHost
    gateway: Gateway
    ledger: Ledger
    background: Background
    log: FilteringBoundLogger
    deadline: float = 4.5
    clock: Clock = field(default_factory=Clock)
    line: Line = field(default_factory=Line)
    owed: asyncio.Event = field(default_factory=asyncio.Event)
    new_id: Callable[[], str] = new_handover_id

    @property
    def twilio(self) -> Twilio:
        """What plugins ask Twilio by."""
        return self.gateway

    def rehearsing(self) -> Desk:
        """Give a desk at which a handover takes the same steps and changes nothing, in Twilio or in the ledger."""
        return replace(self, gateway=ReadOnly(self.gateway), ledger=MemoryLedger(self.clock))

    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start work that may outlive its call; the plugins of this desk stay until it has ended."""
        return self.background.start(self._hold_plugins(work))

    async def _hold_plugins(self, work: Coroutine[Any, Any, None]) -> None:
        with self.plugins.held():
            await work
