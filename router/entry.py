"""The way in: a call has a row of its own before anything is changed, or is told why it needs none."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from router.errors import TwilioError
from router.ledger.decisions import Admitted, Held, Recalled, admit
from router.ledger.ledger import PAUSE
from router.ledger.row import Row
from router.model.handover import EPOCH
from router.model.masking import veiled
from router.model.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.desk import Desk
    from router.ledger.decisions import Admission
    from router.model.call import ToolCall
    from router.resolution import Resolved
    from router.ticket import Ticket

_BLANK: Final = Row("", "", "", EPOCH)
"""A row to be filled in: to copy it takes less than to make one field by field."""


def wish_of(call: ToolCall, found: Resolved) -> Row:
    """Write the row that a call would have; what makes another call the same one is digested, which bounds it."""
    handover = found.handover
    return _BLANK.change(
        id=handover.id,
        conversation=handover.conversation,
        service=handover.service,
        created=handover.at,
        tool=handover.tool,
        intent=handover.intent,
        flow=handover.flow,
        caller=handover.caller,
        identity=found.identity.masked if found.identity else "",
        key=_key(handover.tool, handover.intent, handover.flow),
        token=_digest(handover.tool, call.token) if call.token else "",
        success=veiled(handover.message),
    )


async def enter(wish: Row, found: Resolved, ticket: Ticket, desk: Desk) -> Row | None:
    """Take a row in hand for a call, once nobody else has its conversation; None where its ticket says why not."""
    doubted = ""
    while True:
        match await _ask(wish, found, desk, doubted):
            case Admitted(row):
                return row
            case Held():
                ticket.has_begun = True
                await desk.ledger.wait(wish.conversation, PAUSE)
            case Recalled(row, certain):
                if certain or await _is_still_true(row, found, desk):
                    ticket.tell(row.answer if certain else replace(row.answer, outcome=Outcome.ALREADY_HANDED_OVER))
                    return None
                doubted = row.id
            case _:
                most = found.route.limits.handovers_per_hour
                answer = found.tell(Outcome.DECLINED, "limit", f"limits.handovers_per_hour is {most}")
                await _keep_refusal(wish.fail(answer, desk.clock.now()), desk)
                ticket.tell(answer)
                return None


async def _ask(wish: Row, found: Resolved, desk: Desk, doubted: str) -> Admission:
    limits, holder, now = found.route.limits, desk.ledger.holder, desk.clock.now()
    return await desk.ledger.decide(
        wish.conversation, lambda rows: admit(rows, wish, limits, holder, now, doubted=doubted)
    )


async def _is_still_true(row: Row, found: Resolved, desk: Desk) -> bool:
    """Ask Twilio whether the flow of a handover is still attached."""
    try:
        present = await desk.gateway_for(row, found.handover).list_webhooks(row.where)
    except TwilioError:
        return False
    return any(desk.target(row.flow).is_met_by(webhook) for webhook in present)


async def _keep_refusal(row: Row, desk: Desk) -> None:
    def decision(_rows: Sequence[Row]) -> tuple[None, Sequence[Row]]:
        return None, (row,)

    await desk.ledger.decide(row.conversation, decision)


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


_key: Final = lru_cache(maxsize=1024)(_digest)
"""Tools, intents and flows are few, and the same again and again."""
