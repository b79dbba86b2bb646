"""The one use case: hand a conversation over, and never leave its customer alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from router import aftercare
from router.errors import TwilioError
from router.hooks.failure import PluginFailed
from router.model.handover import Decline
from router.model.outcome import Answer, Outcome
from router.model.routes import OnError, Replay
from router.resolution import resolve, told
from router.swap.dry_run import ReadOnly
from router.swap.execute import SwapFailed
from router.swap.refusal import sentence_for
from router.swap.swap import Swap
from router.swap.target import StudioFlow

if TYPE_CHECKING:
    from router.desk import Desk
    from router.ledger.row import Row
    from router.model.call import ToolCall
    from router.resolution import Resolved
    from router.swap.swap import Attached


async def hand_over(call: ToolCall, desk: Desk) -> Answer:
    """Hand the conversation of ``call`` to the flow that its route names, and tell the model how that went.

    The answer comes within ``desk.deadline`` and is true when it is told; what is not finished by then goes on. What
    Twilio or a plugin does wrong is told, not raised. Raises KeyError where ``call.path`` is no tool's.
    """
    found = resolve(call, desk.routes, desk.new_id(), desk.clock.now())
    if isinstance(found, Answer):
        return found
    row = desk.ledger.initiate(found.handover.id, found.handover.conversation)
    work = desk.begin(_perform(found, row, desk))
    await asyncio.wait({work}, timeout=desk.deadline)
    if work.done() and row.answer is None:
        work.result()
    return row.answer or found.tell(Outcome.PENDING, "pending", "the deadline came first")


async def _perform(found: Resolved, row: Row, desk: Desk) -> None:
    """Ask the guards, attach the flow, let the agent go, and tell the observers."""
    try:
        async with desk.ledger.turn(row.conversation):
            handover = await desk.plugins.before_swap(found.handover, found.route.plugins, desk.routes.flow_sid)
            found = replace(found, handover=handover)
            swap = await _prepare(found, desk)
            try:
                attached = await swap.attach()
            except SwapFailed as failed:
                aftercare.of_failure(swap, failed, row, desk)
                raise
            row.accept(_success(found, attached))
            owed = await swap.release(attached.plan)
            if owed or attached.doubtful:
                aftercare.of_success(swap, row, desk, doubtful=attached.doubtful)
    except Decline as declined:
        row.fail(told(found.handover, Outcome.DECLINED, declined.sentence, "a plugin declined"))
    except SwapFailed as failed:
        if failed.unknown:
            row.answer = found.tell(Outcome.PENDING, "pending", str(failed))
        else:
            await _tell_failure(failed.cause, found, row, desk)
    except (TwilioError, PluginFailed) as error:
        await _tell_failure(error, found, row, desk)
    else:
        if not found.route.dry_run:
            outcome = Outcome.ALREADY_HANDED_OVER if attached.was_there else Outcome.HANDED_OVER
            await desk.plugins.after_swap(found.handover, outcome, found.route.plugins)


async def _prepare(found: Resolved, desk: Desk) -> Swap:
    """Say what is wanted, with the attributes that the plugins give."""
    handover, route, plugins = found.handover, found.route, desk.plugins
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


def _success(found: Resolved, attached: Attached) -> Answer:
    """Tell that the flow is attached; by a dry run, that it could have been."""
    if attached.was_there:
        return found.tell(Outcome.ALREADY_HANDED_OVER, "already")
    if found.route.dry_run:
        return found.tell(Outcome.DRY_RUN, "dry_run")
    return told(found.handover, Outcome.HANDED_OVER, found.handover.message, _unusual(attached))


def _unusual(attached: Attached) -> str:
    """Say for the log what a wrong pattern looks like: nothing was removed, and others hear the customer too."""
    if attached.plan.lets_go or not attached.bystanders:
        return ""
    return f"{attached.bystanders} webhooks stay that no pattern of 'assistant_webhooks' matches"


async def _tell_failure(error: TwilioError | PluginFailed, found: Resolved, row: Row, desk: Desk) -> None:
    """Tell why it failed: the model by a sentence, the observers by the error."""
    key = sentence_for(error) if isinstance(error, TwilioError) else "failure"
    row.fail(found.tell(Outcome.FAILED, key, str(error)))
    await desk.plugins.swap_failed(found.handover, error, found.route.plugins)
