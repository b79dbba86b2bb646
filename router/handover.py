"""The one use case: hand a conversation over, and never leave its customer alone."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from router.case import Case
from router.entry import enter, wish_of
from router.errors import LedgerError, TwilioError
from router.hooks.failure import PluginFailed
from router.line import Withdrawn
from router.model.handover import Decline
from router.model.outcome import Answer, Outcome
from router.model.routes import OnError, Replay
from router.model.tracing import REQUESTS
from router.resolution import refusal, resolve, told
from router.swap.execute import SwapFailed
from router.swap.refusal import sentence_for
from router.swap.swap import Swap
from router.ticket import Ticket
from router.turns import tell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from router.desk import Desk
    from router.ledger.row import Row
    from router.model.call import ToolCall
    from router.model.webhook import ScopedWebhook
    from router.resolution import Resolved
    from router.swap.swap import Attached

LATE: Final = "the deadline came first"
FULL: Final = "too many calls are in flight"


async def hand_over(call: ToolCall, desk: Desk) -> Answer:
    """Hand the conversation of ``call`` to the flow that its route names, and tell the model how that went.

    The answer comes within ``desk.deadline`` and is true when it is told; what is not finished by then goes on. What
    Twilio, a plugin or the ledger does wrong is told, not raised. Raises KeyError where ``call.path`` is no tool's.
    """
    until = desk.clock.monotonic() + desk.deadline
    found = await _find(call, desk)
    if isinstance(found, Answer):
        return found
    if desk.line.is_full:
        return found.tell(Outcome.FAILED, "busy", FULL)
    REQUESTS.set([])
    ticket = Ticket()
    where = desk.rehearsing() if found.route.dry_run else desk
    work = desk.background.start(_perform(wish_of(call, found), found, ticket, where))
    desk.line.join(work)
    await ticket.wait(work, until - desk.clock.monotonic())
    if ticket.answer:
        return ticket.answer
    if ticket.has_begun:
        return found.tell(Outcome.PENDING, "pending", LATE)
    ticket.is_withdrawn = True
    return found.tell(Outcome.FAILED, "busy", LATE)


async def _find(call: ToolCall, desk: Desk) -> Resolved | Answer:
    """Find what the call asks for; where plugins choose the intent, they are asked before anything is touched."""
    tool, handover_id, at = desk.routes.tools[call.path], desk.new_id(), desk.clock.now()
    chosen, uses = "", tool.route.plugins
    may_choose = tool.intents and call.conversation is not None and not tool.out_of_order
    if may_choose and desk.plugins.calls("choose_intent", uses):
        if desk.line.is_full:
            return refusal(call, tool, handover_id, Outcome.FAILED, "busy", FULL)
        try:
            with desk.line.counted():
                async with asyncio.timeout(desk.deadline):
                    chosen = await desk.plugins.choose_intent(call, tool, uses)
        except PluginFailed as failed:
            return refusal(call, tool, handover_id, Outcome.FAILED, "failure", str(failed))
        except TimeoutError:
            return refusal(call, tool, handover_id, Outcome.FAILED, "busy", LATE)
    return resolve(call, desk.routes, handover_id, at, chosen)


async def _perform(wish: Row, found: Resolved, ticket: Ticket, desk: Desk) -> None:
    """Take a row in hand for the call, and see it through; the plugins of the desk stay until that has ended."""
    with desk.plugins.held():
        try:
            row = await enter(wish, found, ticket, desk)
        except LedgerError as error:
            ticket.tell(found.tell(Outcome.FAILED, "unrecorded", str(error)))
            return
        if row is not None:
            async with Case(row, desk) as case:
                await _see_through(case, found.named(row.id), ticket, desk)


async def _see_through(case: Case, found: Resolved, ticket: Ticket, desk: Desk) -> None:
    """Ask the guards, attach the flow, tell; then let the agent go, and tell the observers."""
    try:
        async with desk.line.place(desk.deadline):
            ticket.begin()
            uses, listed = found.route.plugins, desk.routes.flow_sid
            handover = await desk.plugins.before_swap(found.handover, uses, listed, desk.twilio)
            await case.note_wish(handover.flow, handover.message)
            found = found.about(handover)
            swap = await _prepare(case, found, desk)
            attached = await swap.attach(case.note_removed, _around(found, desk))
    except Withdrawn:
        await case.fail(found.tell(Outcome.FAILED, "busy", LATE), ticket)
    except Decline as declined:
        why = f"plugin '{declined.plugin}' declined"
        await case.fail(told(found.handover, Outcome.DECLINED, declined.sentence, why), ticket)
    except SwapFailed as failed:
        if failed.unknown or case.is_in_doubt:
            await case.go_on_later(found.tell(Outcome.PENDING, "pending", str(failed)), failed, ticket)
        else:
            await _fail(failed.cause, case, found, ticket, failed.removed)
    except (TwilioError, PluginFailed, LedgerError) as error:
        if not case.is_ours:  # whoever has taken it over may attach the flow yet
            ticket.tell(found.tell(Outcome.PENDING, "pending", str(error)))
        elif case.is_in_doubt and isinstance(error, TwilioError):
            unknown = SwapFailed(error, unknown=True, removed=())
            await case.go_on_later(found.tell(Outcome.PENDING, "pending", str(error)), unknown, ticket)
        else:
            await _fail(error, case, found, ticket)
    else:
        turns = await case.accept(_success(found, swap, attached), attached, ticket)
        await case.let_go(partial(swap.release, attached.plan))
        desk.line.leave()
        if not found.route.dry_run:
            await tell(turns, desk, found.handover)


async def _prepare(case: Case, found: Resolved, desk: Desk) -> Swap:
    """Say what is wanted, with the attributes that the plugins give."""
    handover, route, plugins = found.handover, found.route, desk.plugins
    gateway = desk.gateway_for(case.row, handover, may_begin=case.may_begin)
    attributes = await plugins.add_attributes(handover, route.plugins)
    contributors = plugins.contributors(route.plugins) if attributes else ()
    return Swap(
        gateway=gateway,
        conversation=handover.where,
        target=desk.target(handover.flow),
        agents=desk.routes.agent_webhooks,
        identity=found.identity,
        replay=route.replay is Replay.LAST_MESSAGE,
        attributes=attributes,
        attributes_required=any(use.on_error is OnError.STOP for use in contributors),
    )


def _around(found: Resolved, desk: Desk) -> AbstractAsyncContextManager[None] | None:
    """Give what the plugins put around the writes, if anything; a dry run writes nothing."""
    if found.route.dry_run or not desk.plugins.calls("around_swap", found.route.plugins):
        return None
    return desk.plugins.around_swap(found.handover, found.route.plugins, desk.twilio)


def _success(found: Resolved, swap: Swap, attached: Attached) -> Answer:
    """Tell that the flow is attached; by a dry run, that it could have been."""
    if attached.was_there:
        return found.tell(Outcome.ALREADY_HANDED_OVER, "already")
    if found.route.dry_run:
        return found.tell(Outcome.DRY_RUN, "dry_run")
    return told(found.handover, Outcome.HANDED_OVER, found.handover.message, _unusual(swap, attached))


def _unusual(swap: Swap, attached: Attached) -> str:
    """Say for the log what a wrong pattern looks like: nothing was removed, and others hear the customer too."""
    if attached.plan.removes:
        return ""
    bystanders = swap.bystanders(attached.present)
    return f"{bystanders} webhooks stay that no pattern of 'assistant_webhooks' matches" if bystanders else ""


async def _fail(
    error: TwilioError | PluginFailed | LedgerError,
    case: Case,
    found: Resolved,
    ticket: Ticket,
    lost: Sequence[ScopedWebhook] = (),
) -> None:
    """Tell why it failed: the model by a sentence, the observers by the error."""
    answer = found.tell(Outcome.FAILED, sentence_for(error), str(error))
    if isinstance(error, LedgerError):
        ticket.tell(answer)  # nothing was changed, and that is true whenever the ledger works again
    turns = await case.fail(answer, ticket, lost, error)
    case.desk.line.leave()
    await tell(turns, case.desk, found.handover)
