"""A run of a Studio Flow, as far as one must know it before a conversation can be given back to the agent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Execution:
    """One run (``FN…``) of a flow (``FW…``). ``address`` is the customer's, or the conversation's SID.

    Which of the two it is depends on what started the run (docs/twilio.md, EXECUTION-ADDRESS).
    """

    sid: str
    flow: str
    address: str = field(repr=False)
    is_active: bool


class Executions(Protocol):
    """What the way back asks of Studio. Each verb may raise TwilioRefused, TwilioBusy or TwilioUncertain.

    A SID that is none raises ValueError, and nothing is asked.
    """

    async def fetch_execution(self, flow: str, sid: str) -> Execution | None:
        """Fetch a run of ``flow``; None where Twilio knows none of this SID."""
        ...

    async def active_executions(self, flow: str, since: datetime) -> Sequence[Execution]:
        """List the runs of ``flow`` that began at ``since`` or later and have not ended."""
        ...

    async def end_execution(self, flow: str, sid: str) -> None:
        """End a run; that it has ended already, or is unknown, is success."""
        ...
