"""The desk that a handover is made at: all that it needs, given as values and never looked up."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from router.clock import Clock

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

    from structlog.typing import FilteringBoundLogger

    from router.hooks.host import PluginHost
    from router.ledger.memory import MemoryLedger
    from router.model.gateway import Gateway
    from router.model.routes import Routes
    from router.swap.background import Background


def new_handover_id() -> str:
    """Name a handover as Twilio names things: two capitals and 32 hex digits."""
    return f"HO{uuid.uuid4().hex}"


@dataclass(frozen=True, slots=True)
class Desk:
    """One loaded configuration and the services around it. A reload makes a new desk; a call ends at its own.

    ``deadline`` is the time in seconds in which a call is answered, whatever happens.
    """

    routes: Routes
    plugins: PluginHost
    gateway: Gateway
    ledger: MemoryLedger
    background: Background
    log: FilteringBoundLogger
    deadline: float = 4.5
    clock: Clock = field(default_factory=Clock)
    new_id: Callable[[], str] = new_handover_id

    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start work that may outlive its call; the plugins of this desk stay until it has ended."""
        return self.background.start(self._hold_plugins(work))

    async def _hold_plugins(self, work: Coroutine[Any, Any, None]) -> None:
        with self.plugins.held():
            await work
