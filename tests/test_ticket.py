"""A ticket: who waits is told the truth, and never that nothing happened where it goes on."""

from __future__ import annotations

import asyncio

import pytest

from router.line import Withdrawn
from router.model.outcome import Answer, Outcome
from router.ticket import Ticket


async def test_a_ticket_is_told_once_and_waited_for() -> None:
    """The first answer wakes who waits; the last one is what they are told."""
    ticket = Ticket()
    first, second = (Answer(Outcome.FAILED, text, "HO1", "/t") for text in ("one", "two"))
    work = asyncio.create_task(asyncio.sleep(30))
    ticket.tell(first)
    ticket.tell(second)
    async with asyncio.timeout(1):
        await ticket.wait(work, 20)
    assert ticket.answer == second
    work.cancel()


async def test_who_waits_meets_what_the_work_broke_with() -> None:
    """Unless the answer was there before: then nothing is taken back."""

    async def broken() -> None:
        raise KeyError

    ticket = Ticket()
    with pytest.raises(KeyError):
        await ticket.wait(asyncio.create_task(broken()), 1)
    answer = Answer(Outcome.FAILED, "one", "HO1", "/t")
    ticket.tell(answer)
    work = asyncio.create_task(broken())
    await asyncio.wait([work])
    await ticket.wait(work, 1)
    assert ticket.answer == answer
    assert work.exception() is not None


async def test_who_waits_is_not_cancelled_with_the_work() -> None:
    """A plugin can cancel any task that it finds: the caller is told what is certain by then, and is not cut off."""
    ticket, work = Ticket(), asyncio.create_task(asyncio.sleep(30))
    work.cancel()
    await ticket.wait(work, 1)
    assert work.cancelled()
    assert ticket.answer is None


async def test_what_was_withdrawn_does_not_begin() -> None:
    """Its caller was told that nothing happened."""
    ticket = Ticket(is_withdrawn=True)
    with pytest.raises(Withdrawn):
        ticket.begin()
    assert not ticket.has_begun
