"""A process that shares a ledger with others: ``python -m tests.ledger.worker VERB NAME``."""

from __future__ import annotations

import asyncio
import itertools
import sys
from typing import TYPE_CHECKING

from router.clock import Clock
from router.ledger.durable import DurableLedger
from router.ledger.ledger import Holder
from tests.ledger.kit import NOW, a_row, an_open_row, keep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.ledger.row import Row

CONVERSATIONS = 60


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def run(verb: str, name: str) -> None:
    """Take up each URL that stands on a line of the input, when it comes."""
    tell("ready")
    for url in map(str.strip, sys.stdin):
        async with DurableLedger(url, Holder(name), Clock(now=lambda: NOW)) as ledger:
            await {"start": start, "open": open_all, "claim": claim_all, "write": write}[verb](ledger)


async def start(ledger: DurableLedger) -> None:
    """Tell that the ledger is open, and works."""
    await ledger.probe()
    tell("started")


async def open_all(ledger: DurableLedger) -> None:
    """Open a row in each conversation that has none, a few at once; tells which ones."""

    async def open_one(number: int) -> str:
        mine = an_open_row(number).change(id=f"HO{number}-{ledger.holder.name}")

        def decision(rows: Sequence[Row]) -> tuple[str, Sequence[Row]]:
            return ("", ()) if any(row.is_open for row in rows) else (mine.id, [mine])

        return await ledger.decide(mine.conversation, decision)

    for first in range(0, CONVERSATIONS, 6):
        for told in await asyncio.gather(*map(open_one, range(first, first + 6))):
            tell(told)


async def claim_all(ledger: DurableLedger) -> None:
    """Claim until nothing is left; tells what was claimed."""
    while rows := await ledger.claim(NOW, 3):
        for row in rows:
            tell(row.id)


async def write(ledger: DurableLedger) -> None:
    """Keep rows for ever; tells each that is kept."""
    for number in itertools.count():
        await ledger.decide("CH1", keep(a_row(number, conversation="CH1")))
        tell(f"HO{number}")


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:]))
