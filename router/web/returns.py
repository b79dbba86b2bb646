"""The endpoint by which a flow, or a person, gives a conversation back to the agent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse, PlainTextResponse, Response

from router.callers.flows import read_return
from router.errors import BadRequest, LedgerError
from router.hand_back import going_back, hand_back, is_paved
from router.model.handover import Decline
from router.model.messages import one_sentence
from router.record import handover_of, route_of
from router.web.door import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request as WebRequest

    from router.callers.flows import Return
    from router.desk import Desk
    from router.web.door import Door
    from router.web.reload import Live, Reloader


GUARDS_SHARE: Final = 0.5
"""So much of a hand-back's deadline its guards may take."""

LAST_LOOK: Final = 0.5
"""Seconds beyond the deadline in which the ledger must say whether the agent answers."""

_LATE: Final = "the plugins did not decide within half of the deadline"
_HELD_UP: Final = "A handover of this conversation is under way, or the ledger does not answer; ask again."


class Returns:
    """Answers within the deadline: what must be waited for beyond happens in the background."""

    def __init__(self, reloader: Reloader, door: Door) -> None:
        self._reloader = reloader
        self._door = door

    async def hand_back(self, request: WebRequest) -> Response:
        """Take note: 200, once the agent answers or the deadline comes; 404 where nothing was handed over.

        409 where a plugin declines; 503 where the ledger does not work; and 403, 400 and 413 as for a tool.
        """
        live = self._reloader.live
        with live.desk.plugins.held():
            return await self._hand_back(request, live)

    async def _hand_back(self, request: WebRequest, live: Live) -> Response:
        wire = await read(request.scope, request.receive, live.desk.deadline)
        if isinstance(wire, Response):
            return wire
        if not (self._door.lets_in_operator(wire) or self._door.lets_in(wire, live)):
            return PlainTextResponse("Forbidden", 403)
        try:
            wanted = read_return(wire)
        except BadRequest as error:
            live.desk.log.warning("hand_back refused", reason=str(error))
            return PlainTextResponse(str(error), 400)
        return await _take_note(wanted, live.desk)


async def _take_note(wanted: Return, desk: Desk) -> Response:
    until = desk.clock.monotonic() + desk.deadline

    def left() -> float:
        return until - desk.clock.monotonic()

    try:
        declined = await _ask_guards(wanted, desk, left)
        if declined is not None:
            return declined
        async with asyncio.timeout(left()):
            row = await hand_back(wanted.conversation, desk.ledger, desk.clock, wanted.execution)
        if row is None:
            reason = "no handover of it is known"
            desk.log.warning("hand_back refused", conversation=wanted.conversation, reason=reason)
            return _told("not_handed_over", "No handover of this conversation is known.", status=404)
        desk.log.info("hand_back", handover=row.id, conversation=row.conversation, execution=wanted.execution)
        desk.owed.set()
        async with asyncio.timeout(left() + LAST_LOOK):
            is_back = await is_paved(row, desk.ledger, desk.clock, left())
    except LedgerError as error:
        desk.log.error("unrecorded", conversation=wanted.conversation, reason=str(error))
        return _told("failed", "The ledger cannot be written now; the flow goes on answering.", status=503)
    except TimeoutError:
        return _told("failed", _HELD_UP, status=503)
    if is_back:
        return _told("handed_back", "The agent answers again; this flow should end now.", row.id)
    return _told("handing_back", "The agent answers again soon; this flow should end now.", row.id)


async def _ask_guards(wanted: Return, desk: Desk, left: Callable[[], float]) -> Response | None:
    """Ask the plugins of the handover's route, once for each way back: a refusal, or None where none declines.

    They get half of the seconds that are ``left``: the rest is for the hand-back, which their silence must not stop.
    """
    if not desk.plugins.implements("before_hand_back"):
        return None
    async with asyncio.timeout(left()):
        row = await going_back(wanted.conversation, desk.ledger, desk.clock, wanted.execution)
    if row is None:
        return None
    try:
        async with asyncio.timeout(left() * GUARDS_SHARE):
            await desk.plugins.before_hand_back(handover_of(row), route_of(row, desk.routes).plugins, desk.twilio)
    except TimeoutError:
        desk.log.warning("hand_back unguarded", handover=row.id, conversation=row.conversation, reason=_LATE)
    except Decline as declined:
        desk.log.info("hand_back declined", handover=row.id, conversation=row.conversation, plugin=declined.plugin)
        return _told("declined", one_sentence(declined.sentence), row.id, status=409)
    return None


def _told(outcome: str, message: str, handover_id: str = "", status: int = 200) -> Response:
    """Answer a flow: it reads an answer's fields only where it is JSON (docs/twilio.md, MAKE-REQUEST)."""
    return JSONResponse({"outcome": outcome, "message": message, "handover_id": handover_id}, status)
