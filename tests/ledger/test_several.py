from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import psycopg
from sqlalchemy import create_engine

from router.clock import Clock
from router.ledger.address import Address
from router.ledger.durable import DurableLedger
from router.ledger.ledger import Filter, Holder
from router.ledger.owner import this_process
from router.ledger.queries import settle_news
from router.ledger.row import Duty
from router.ledger.script import Decision, Script
from tests.ledger.kit import NOW, after, an_open_row, fill, keep, see, some_news
from tests.ledger.worker import CONVERSATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from router.ledger.row import Row

Worker = subprocess.Popen[str]


@contextmanager
def workers(verb: str, names: str) -> Iterator[list[Worker]]:
    """Start a process for each letter of ``names``; they are ready, and wait for a URL."""
    command = [sys.executable, "-W", "error", "-m", "tests.ledger.worker", verb]
    pipe = subprocess.PIPE
    running = [subprocess.Popen([*command, name], stdin=pipe, stdout=pipe, text=True) for name in names]
    try:
        assert [stream_of(each).readline() for each in running] == ["ready\n"] * len(names)
        yield running
    finally:
        for each in running:
            each.kill()
            each.communicate()


def stream_of(worker: Worker) -> IO[str]:
    assert worker.stdout is not None
    return worker.stdout


def let_go(running: list[Worker], url: str) -> None:
    for each in running:
        assert each.stdin is not None
        each.stdin.write(f"{url}\n")
        each.stdin.flush()


def told_by(running: list[Worker], url: str) -> list[set[str]]:
    let_go(running, url)
    told = [set(each.communicate(timeout=50)[0].split()) for each in running]
    assert [each.returncode for each in running] == [0] * len(running)
    return told


def clock() -> Clock:
    return Clock(now=lambda: NOW)


async def test_processes_that_start_at_once_make_one_table(tmp_path: Path, postgres_url: str) -> None:
    """Eight processes meet an empty database at the same moment: each comes up, and can write."""
    with workers("start", "abcdefgh") as running:
        for url in (*(str(tmp_path / f"{number}.db") for number in range(5)), postgres_url):
            let_go(running, url)
            assert [stream_of(each).readline() for each in running] == ["started\n"] * 8


async def test_two_processes_open_one_row_a_conversation(url: str) -> None:
    """Both try each conversation at the same time; each gets those that the other has not, and no error."""
    with workers("open", "ab") as running:
        one, other = told_by(running, url)
    async with DurableLedger(url, Holder("us"), clock()) as ledger:
        kept = {row.id for row in await ledger.history(Filter(open=True))}
    assert len(kept) == CONVERSATIONS
    assert one & other == set()
    assert one | other == kept


async def test_two_processes_never_claim_one_row(url: str) -> None:
    """What is due is shared between them: each row is claimed, and once."""
    async with DurableLedger(url, Holder("us"), clock()) as ledger:
        await asyncio.gather(*(fill(ledger, an_open_row(number)) for number in range(CONVERSATIONS)))
    with workers("claim", "ab") as running:
        one, other = told_by(running, url)
    assert one & other == set()
    assert len(one | other) == CONVERSATIONS


async def test_what_was_told_outlives_a_kill(url: str) -> None:
    """A process is killed in the middle of its commits: each row that it told of is there."""
    with workers("write", "a") as (writer,):
        let_go([writer], url)
        told = [stream_of(writer).readline() for _ in range(50)]
        writer.send_signal(signal.SIGKILL)
        told += stream_of(writer).readlines()
    async with DurableLedger(url, Holder("us"), clock()) as ledger:
        kept = {row.id for row in await ledger.history(Filter(limit=10**6))}
    assert {line.strip() for line in told if line.endswith("\n")} <= kept
    assert len(kept) >= 50


async def test_two_ledgers_open_one_row(url: str) -> None:
    """Two instances that decide about one conversation at once: the second sees what the first has kept."""

    def admit(name: str) -> Sequence[Row]:
        return [an_open_row(1).change(id=f"HO-{name}")]

    async with DurableLedger(url, Holder("a"), clock()) as one, DurableLedger(url, Holder("b"), clock()) as other:

        async def attempt(ledger: DurableLedger) -> bool:
            def decision(rows: Sequence[Row]) -> tuple[bool, Sequence[Row]]:
                return (False, ()) if rows else (True, admit(ledger.holder.name))

            return await ledger.decide("CH1", decision)

        assert sorted(await asyncio.gather(attempt(one), attempt(other))) == [False, True]
        assert len(await one.decide("CH1", see)) == 1


async def test_news_that_are_settled_and_decisions_never_wait_in_a_circle(postgres_url: str) -> None:
    """One process settles news and then decides, another decides about the same conversations: neither is a victim."""
    row = an_open_row(1, news=(some_news(),))
    engine = create_engine(Address.parse(postgres_url).url)
    async with DurableLedger(postgres_url, Holder("a"), clock()) as one:
        await fill(one, row)
        with engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL deadlock_timeout = '10ms'")  # it would be the victim
            settle_news(connection, "CH1", row.id, dict.fromkeys(row.news))
            deciding = asyncio.gather(one.decide("CH1", see), one.decide("CH2", see))
            await asyncio.to_thread(wait_for_one_who_waits, postgres_url)
            Script(engine.dialect).decide(connection, [Decision("CH2", see)])
        (seen,), nothing = await deciding
        assert (seen.news, nothing) == ((), ())
    engine.dispose()


def wait_for_one_who_waits(url: str) -> None:
    """Come back as soon as a transaction waits for another's lock."""
    with psycopg.connect(url, autocommit=True) as asking:
        while not asking.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall():
            time.sleep(0.01)


async def test_a_row_is_taken_over_when_the_lease_ends(url: str) -> None:
    """What a silent process has in hand is another's at the end of the lease, and not before."""
    async with DurableLedger(url, Holder("a"), clock()) as one, DurableLedger(url, Holder("b"), clock()) as other:
        await fill(one, an_open_row(owner="a", lease=after(10)))
        assert await other.next_due() == after(10)
        assert list(await other.claim(after(9), 10)) == []
        assert list(await one.claim(after(10), 10)) == []  # it lives, and has it in hand: nothing of it is free here
        (row,) = await other.claim(after(10), 10)
        assert (row.owner, row.lease) == ("b", after(20))


async def test_a_row_that_bears_our_name_unknown_to_us_is_left_to_its_lease(url: str) -> None:
    """A commit whose answer was lost wrote it: nobody here goes on with it, so nobody here may keep it from others."""
    async with DurableLedger(url, Holder("a"), clock()) as one, DurableLedger(url, Holder("b"), clock()) as other:
        stray = an_open_row(owner="a", lease=after(10))
        await fill(other, stray)
        changed = stray.change(reason="told")
        await one.decide(stray.conversation, keep(changed))
        assert one._held == set()
        assert [row.reason for row in await other.claim(after(10), 10)] == ["told"]


async def test_a_row_is_held_while_the_heart_beats(url: str) -> None:
    """The lease of what is in our hand is extended; of a row that another has taken, or that was closed, it is not."""
    beat, resting = asyncio.Event(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        assert seconds == 10 / 3
        resting.set()
        await beat.wait()
        beat.clear()

    time = [NOW]
    ticking = Clock(now=lambda: time[0], sleep=sleep)
    async with DurableLedger(url, Holder("a"), ticking) as one, DurableLedger(url, Holder("b"), clock()) as other:
        await resting.wait()
        await fill(one, *(an_open_row(number, owner="a", lease=after(10)) for number in (1, 2, 3)))
        await other.decide("CH2", keep(an_open_row(2, owner="b", lease=after(12))))
        await one.decide("CH3", lambda rows: (None, [rows[0].change(duty=Duty.NONE)]))
        for seconds in (5, 6):
            time[0] = after(seconds)
            resting.clear()
            beat.set()
            await resting.wait()
        leases = {row.id: row.lease for row in await other.history(Filter())}
        assert leases == {"HO1": after(16), "HO2": after(12), "HO3": after(10)}
        assert one._held == {"HO1"}


async def test_a_restart_takes_over_at_once(url: str) -> None:
    """Rows of a process of this machine that has ended are claimed without waiting for its lease."""
    earlier, now = this_process(), this_process()
    async with DurableLedger(url, now, clock()) as ledger:
        await fill(ledger, an_open_row(owner=earlier.name, lease=after(10)))
        assert await ledger.next_due() == NOW
        assert [row.owner for row in await ledger.claim(NOW, 10)] == [now.name]
