"""The desk that a handover is made at: all that it needs, given as values and never looked up."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

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
