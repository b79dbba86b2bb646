"""The desk that a handover is made at: all that it needs, given as values and never looked up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from router.clock import Clock
from router.errors import TwilioBusy
from router.ledger.memory import MemoryLedger
from router.line import Line
from router.model.sids import is_sid
from router.names import Names
from router.swap.dry_run import Idle, ReadOnly
from router.swap.responders import Responders
from router.swap.target import BegunByPlugin, StudioFlow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from structlog.typing import FilteringBoundLogger

    from router.hooks.host import PluginHost
    from router.ledger.ledger import Ledger
    from router.ledger.row import Row
    from router.model.gateway import Gateway
    from router.model.handover import Handover
    from router.model.routes import Routes
    from router.model.target import Target
    from router.model.twilio import Twilio
    from router.swap.background import Background
    from router.swap.target import Target as Wanted


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
    new_id: Callable[[], str] = field(default_factory=Names)
    is_rehearsing: bool = False
    _flows: dict[str, StudioFlow] = field(default_factory=dict, init=False, repr=False)
    """Those that were asked for: they are few."""

    @property
    def twilio(self) -> Twilio:
        """What plugins ask Twilio by."""
        return self.gateway

    def rehearsing(self) -> Desk:
        """Give a desk at which a handover takes the same steps and changes nothing, in Twilio or in the ledger."""
        return replace(self, gateway=ReadOnly(self.gateway), ledger=MemoryLedger(self.clock), is_rehearsing=True)

    @property
    def targets(self) -> Mapping[str, Target]:
        """What can be handed over to besides flows, by name; where this ``is_rehearsing`` nothing of it is begun."""
        known = self.plugins.registered
        return {name: Idle(known.get(name)) for name in self.routes.targets} if self.is_rehearsing else known

    def target(self, flow: str) -> Wanted:
        """Say what a conversation is handed over to: a Studio Flow by its SID, or a plugin's target by its name."""
        studio = self._flows.get(flow)
        if studio is not None:
            return studio
        if is_sid("FW", flow):
            return self._flows.setdefault(flow, StudioFlow(flow))
        known = self.targets.get(flow)
        return BegunByPlugin(flow, known.flow if known else "")

    def gateway_for(self, row: Row, handover: Handover, *, may_begin: bool = False) -> Gateway:
        """Give the gateway to the conversation of ``row``, with the targets that answer, or may turn up, there.

        What a plugin began that is not there any more is left to itself, and the log says so. Raises TwilioBusy where
        it is the row's own target.
        """
        journal = row.journal
        begun = {name: reference for name, _, reference in (sid.partition(":") for sid in journal.begun)}
        names = [name for name in {row.flow, *journal.replaced, *journal.doubts, *begun} if not is_sid("FW", name)]
        if not names:
            return self.gateway
        targets = self.targets
        for name in names:
            if name not in targets:
                gone = f"no plugin registers the target '{name}' any more: switch its plugin on again"
                if name == row.flow:
                    raise TwilioBusy("target", gone)
                self.log.warning("target gone", handover=row.id, reason=gone)
        known = {name: targets[name] for name in names if name in targets}
        return Responders(self.gateway, handover, known, begun, may_begin) if known else self.gateway
