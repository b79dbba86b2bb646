"""The one use case: hand a conversation over, and never leave its customer alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from router.errors import TwilioError
from router.hooks.failure import PluginFailed
from router.model.handover import Decline
from router.model.outcome import Answer, Outcome
from router.model.routes import OnError, Replay
from router.resolution import resolve, told
from router.swap.dry_run import ReadOnly
from router.swap.execute import SwapFailed
from router.swap.refusal import sentence_for
from router.swap.repair import AT_ONCE, LATER, settle
from router.swap.swap import Swap
from router.swap.target import StudioFlow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from router.desk import Desk
    from router.ledger.row import Row
    from router.model.call import ToolCall
    from router.model.handover import Handover
    from router.resolution import Resolved
    from router.swap.swap import Attached


async def hand_over(call: ToolCall, desk: Desk) -> Answer:
    """Hand the conversation of ``call`` to the flow that its route names, and tell the model how that went.

    The answer comes within ``desk.deadline`` and is true when it is told; what is not finished by then goes on. What
    Twilio or a plugin does wrong is told, not raised. Raises KeyError where ``call.path`` is no tool's.
    """
    found = resolve(call, desk.routes, desk.new_id())
    if isinstance(found, Answer):
        return found
    row = desk.ledger.initiate(found.handover.id, found.handover.conversation)
    work = desk.background.start(_perform(found, row, desk))
    await asyncio.wait({work}, timeout=desk.deadline)
    if work.done():
        work.result()
    return row.answer or found.tell(Outcome.PENDING, "pending", "the deadline came first")


async def _perform(found: Resolved, row: Row, desk: Desk) -> None:
    """Ask the guards, attach the flow, let the agent go, and tell the observers."""
    handover, uses = found.handover, found.route.plugins
    try:
        async with desk.ledger.turn(row.conversation):
            handover = _listed(await desk.plugins.before_swap(handover, uses), found, desk)
            swap = await _prepare(handover, found, desk)
            try:
                attached = await swap.attach()
            except SwapFailed as failed:
                _repair_failed(swap, failed, row, desk)
                raise
            row.accept(_success(handover, found, attached))
            owed = await swap.release(attached.plan)
            if owed or attached.doubtful:
                _repair(swap.repair().tidy, LATER, row, desk)
    except Decline as declined:
        row.fail(told(handover, Outcome.DECLINED, declined.sentence, "a plugin declined"))
    except SwapFailed as failed:
        if failed.unknown:
            row.answer = found.tell(Outcome.PENDING, "pending", str(failed))
        else:
            await _tell_failure(failed.cause, handover, found, row, desk)
    except (TwilioError, PluginFailed) as error:
        await _tell_failure(error, handover, found, row, desk)
    else:
        if not found.route.dry_run:
            outcome = Outcome.ALREADY_HANDED_OVER if attached.was_there else Outcome.HANDED_OVER
            await desk.plugins.after_swap(handover, outcome, uses)


def _listed(handover: Handover, found: Resolved, desk: Desk) -> Handover:
    """Hold the guards to the allow-list: they may name a flow by its alias or its SID, but none that is not listed."""
    flow = desk.routes.flow_sid(handover.flow)
    if flow is None:
        guards = " or ".join(use.name for use in found.route.plugins)
        raise PluginFailed("before_swap", f"chose the flow {handover.flow[:40]!r}, which is not in 'flows'", guards)
    return handover if flow == handover.flow else handover.replace(flow=flow)


async def _prepare(handover: Handover, found: Resolved, desk: Desk) -> Swap:
    """Say what is wanted, with the attributes that the plugins give."""
    route, plugins = found.route, desk.plugins
    contributors = [use for use in route.plugins if plugins.contributes((use,))]
    return Swap(
        gateway=ReadOnly(desk.gateway) if route.dry_run else desk.gateway,
        conversation=handover.where,
        target=StudioFlow(handover.flow),
        agents=desk.routes.agent_webhooks,
        identity=found.identity,
        replay=route.replay is Replay.LAST_MESSAGE,
        attributes=await plugins.add_attributes(handover, contributors),
        attributes_required=any(use.on_error is OnError.STOP for use in contributors),
    )


def _success(handover: Handover, found: Resolved, attached: Attached) -> Answer:
    """Tell that the flow is attached; by a dry run, that it could have been."""
    if attached.was_there:
        return found.tell(Outcome.ALREADY_HANDED_OVER, "already")
    if found.route.dry_run:
        return found.tell(Outcome.DRY_RUN, "dry_run")
    return told(handover, Outcome.HANDED_OVER, handover.message)


async def _tell_failure(
    error: TwilioError | PluginFailed,
    handover: Handover,
    found: Resolved,
    row: Row,
    desk: Desk,
    *,
    unknown: bool = False,
) -> None:
    """Tell why it failed; where nobody knows yet whether it did, tell just that."""
    if unknown:
        row.answer = found.tell(Outcome.PENDING, "pending", str(error))
        return
    key = sentence_for(error) if isinstance(error, TwilioError) else "failure"
    row.fail(found.tell(Outcome.FAILED, key, str(error)))
    await desk.plugins.swap_failed(handover, error, found.route.plugins)


def _repair_failed(swap: Swap, failed: SwapFailed, row: Row, desk: Desk) -> None:
    """Start what a failed swap owes: the flow where nobody knows whether it is attached, else the agent's way back."""
    repair = swap.repair(failed.removed)
    if failed.unknown:
        _repair(repair.finish, AT_ONCE, row, desk)
    elif failed.removed:
        _repair(repair.restore, AT_ONCE, row, desk)


def _repair(attempt: Callable[[], Awaitable[bool]], delays: Iterable[float], row: Row, desk: Desk) -> None:
    """Go on in the background, a turn an attempt, so that a new call of the conversation waits for one at the most."""

    async def take_turn() -> bool:
        async with desk.ledger.turn(row.conversation):
            return await attempt()

    async def go_on() -> None:
        settled = await settle(take_turn, delays, desk.clock.sleep)
        log = desk.log.info if settled else desk.log.error
        log("repair", handover=row.id, conversation=row.conversation, settled=settled)

    desk.background.start(go_on())
