"""``handover hand-back``: a person gives a conversation back to the agent."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from router.ledger.row import State
from router.model.sids import is_sid

if TYPE_CHECKING:
    from router.ledger.ledger import Ledger
    from router.ledger.row import Row

_POLL: Final = 0.25


class ConversationSid(click.ParamType[str]):
    """The SID of a conversation: ``CH`` and 32 hex digits."""

    name = "conversation"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Give it back if it is one; anything else is wrong usage."""
        if not is_sid("CH", value):
            self.fail(f"expected CH and 32 hex digits, found {value!r}", param, ctx)
        return str(value)


@click.command("hand-back", short_help="Give a conversation back to the agent.")
@click.argument("conversation", type=ConversationSid(), metavar="CH…")
@click.option(
    "--wait", default=60.0, show_default=True, type=click.FloatRange(0, 86400), help="Seconds to wait for it."
)
def command(conversation: str, wait: float) -> None:
    """Let the agent answer in conversation CH… again, and the flow no more.

    It is noted in the ledger (HANDOVER_DATABASE_URL, or handovers.db in this directory), and a running `handover serve`
    with that ledger does it: as soon as the flow's execution has ended, or after the time that the route's
    `hand_back:` gives it. The command waits until that is done; what it noted stays noted if you end it sooner.
    """
    row = asyncio.run(_hand_back(conversation, wait))
    if row is None:
        click.echo(f"handover: no handover of {conversation} is known to this ledger", err=True)
    elif row.state is State.COMPLETED:
        click.echo(f"{row.id} is handed back: the agent answers in {conversation} again.")
        return
    else:
        click.echo(
            f"handover: {row.id} is noted and not done yet ({row.reason or 'waiting'});"
            f" see `handover history --conversation {conversation}`, and that `handover serve` runs",
            err=True,
        )
    sys.exit(1)


async def _hand_back(conversation: str, wait: float) -> Row | None:
    from router.cli.ledger import opened_ledger
    from router.clock import Clock
    from router.hand_back import hand_back

    async with opened_ledger() as ledger:
        row = await hand_back(conversation, ledger, Clock())
        if row is not None and row.state is not State.COMPLETED:
            click.echo(f"{row.id}: noted; waiting until the flow has let go ...", err=True)
        try:
            async with asyncio.timeout(wait):
                while row is not None and row.state is not State.COMPLETED:
                    await asyncio.sleep(_POLL)
                    row = await _again(row, ledger)
        except TimeoutError:
            pass
        return row


async def _again(row: Row, ledger: Ledger) -> Row | None:
    from router.ledger.ledger import Filter

    rows = await ledger.history(Filter(conversation=row.conversation))
    return next((each for each in rows if each.id == row.id), None)
