from __future__ import annotations

import asyncio

import pytest

from router.ledger.memory import MemoryLedger
from router.ledger.row import State
from router.model.outcome import Answer, Outcome

ANSWER = Answer(Outcome.HANDED_OVER, "Done.", "HO1", "/tools/support")


async def test_a_conversation_has_one_turn_at_a_time() -> None:
    """Who comes second waits until the first one is done, and turns are given in the order of coming."""
    ledger, told = MemoryLedger(), list[str]()

    async def take(name: str) -> None:
        async with ledger.turn("CH1"):
            told.append(f"{name} begins")
            await asyncio.sleep(0)
            told.append(f"{name} ends")

    await asyncio.gather(*(take(name) for name in "abc"))
    assert told == ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]


async def test_conversations_do_not_wait_for_each_other() -> None:
    """While one conversation's turn is held, another's is free."""
    ledger = MemoryLedger()
    async with ledger.turn("CH1"), asyncio.timeout(1), ledger.turn("CH2"):
        assert len(ledger._locks) == 2


async def test_nothing_is_kept_of_conversations_that_nobody_waits_for() -> None:
    """Also where a turn ends by an error or is given up while it waits, the memory that it took is free again."""
    ledger = MemoryLedger()
    async with ledger.turn("CH1"):
        waiting = asyncio.create_task(ledger.turn("CH1").__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert ledger._locks.keys() == {"CH1"}
    with pytest.raises(RuntimeError, match="broke"):
        async with ledger.turn("CH2"):
            raise RuntimeError("it broke")
    assert ledger._locks == {}
    assert ledger._waiting == {}


def test_a_row_goes_from_initiated_to_its_end() -> None:
    """A row tells nothing before something is certain, and then how far it came and what may be told."""
    ledger = MemoryLedger()
    row = ledger.initiate("HO1", "CH1")
    assert (row.id, row.conversation, row.state, row.answer) == ("HO1", "CH1", State.INITIATED, None)
    row.accept(ANSWER)
    assert (row.state, row.answer) == (State.ACCEPTED, ANSWER)
    row.fail(ANSWER)
    assert row.state is State.FAILED


def test_memory_is_always_there() -> None:
    """The ledger in memory has nothing to be not ready for."""
    assert MemoryLedger().faults() == ()
