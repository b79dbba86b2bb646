"""The turnstile: so many at a time, the rest in turn, and no place is lost by who leaves the queue."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.turnstile import Turnstile


async def test_so_many_pass_and_the_rest_wait_in_turn() -> None:
    """Who waits gets through in the order of coming, and nobody who comes later does before."""
    turnstile, through = Turnstile(2), list[int]()

    async def go(number: int) -> None:
        await turnstile.wait()
        through.append(number)

    going = [asyncio.create_task(go(number)) for number in range(4)]
    await asyncio.sleep(0)
    assert (through, turnstile.inside) == ([0, 1], 2)
    turnstile.leave()
    assert not turnstile.passes()
    await asyncio.sleep(0)
    assert (through, turnstile.inside) == ([0, 1, 2], 2)
    turnstile.leave()
    await asyncio.gather(*going)
    turnstile.leave()
    turnstile.leave()
    assert (through, turnstile.inside) == ([0, 1, 2, 3], 0)


@pytest.mark.parametrize("has_turn", [False, True])
async def test_who_breaks_off_leaves_no_place_behind(*, has_turn: bool) -> None:
    """Whether it still waited or had got its turn in the same breath: the next one gets through."""
    turnstile = Turnstile(1)
    assert turnstile.passes()
    first, second = (asyncio.create_task(turnstile.wait()) for _ in range(2))
    await asyncio.sleep(0)
    if has_turn:
        turnstile.leave()
    first.cancel()
    if not has_turn:
        turnstile.leave()
    with pytest.raises(asyncio.CancelledError):
        await first
    await second
    assert turnstile.inside == 1
    turnstile.leave()
    assert (turnstile.inside, turnstile.passes()) == (0, True)


@given(most=st.integers(1, 3), steps=st.lists(st.sampled_from(["come", "leave", "break", "run"]), max_size=40))
def test_never_more_than_so_many_and_none_in_vain(most: int, steps: list[str]) -> None:
    """Whoever comes, leaves or breaks off when: there are never too many, and nobody waits beside a free place."""

    async def play() -> None:
        turnstile, inside, waiting = Turnstile(most), list[asyncio.Task[None]](), list[asyncio.Task[None]]()
        for step in steps:
            if step == "come":
                waiting.append(asyncio.create_task(turnstile.wait()))
            elif step == "break" and waiting:
                waiting.pop().cancel()
            elif step == "leave" and inside:
                inside.pop()
                turnstile.leave()
            for _ in range(3 if step == "run" else 0):
                await asyncio.sleep(0)
            inside += [task for task in waiting if task.done()]
            waiting = [task for task in waiting if not task.done()]
            assert len(inside) <= most
        for _ in range(5):
            await asyncio.sleep(0)
        inside += [task for task in waiting if task.done()]
        waiting = [task for task in waiting if not task.done()]
        assert turnstile.inside == len(inside) <= most
        assert len(inside) == most or not waiting
        for task in waiting:
            task.cancel()

    asyncio.run(play())
