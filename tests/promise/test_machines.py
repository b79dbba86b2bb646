"""Several servers on one ledger: one handover of one call, whoever gets it, and nobody waits for the dead for long."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
import uuid
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from router.ledger.ledger import Holder
from router.sandbox.faults import Fault, Kind
from tests import postgres
from tests.fixtures import running_sandbox
from tests.kit import BILLING, CREATE, DELETE, LIST, REFUNDS, flows
from tests.promise.processes import (
    OTHER,
    SECONDS,
    SUCCESS,
    TOOL,
    Guest,
    Server,
    Told,
    environ_of,
    eventually,
    furnish,
    history,
    served,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from router.sandbox.faults import ArmedFault
    from router.sandbox.sandbox import Sandbox

MACHINES = 8
TIMES = 100
LEASE = Holder("").lease


@dataclass(frozen=True, slots=True)
class Caught:
    """Calls to a server that was stopped in the middle of them, when, and where each was."""

    server: Server
    guests: Sequence[Guest]
    armed: Sequence[ArmedFault]
    calls: Sequence[asyncio.Task[Any]]
    since: float

    def release(self) -> None:
        """Let every other request be done now, and the rest never."""
        for armed, drops in zip(self.armed, cycle((False, True)), strict=False):
            armed.release(drop=drops)


@dataclass(slots=True)
class Cluster:
    """Machines that started at once on one empty database; ``asleep`` is what one of them had in hand when it froze."""

    sandbox: Sandbox
    directory: Path
    environ: dict[str, str]
    servers: list[Server]
    asleep: Caught

    async def rows(self, *guests: Guest) -> list[dict[str, Any]]:
        sids = {guest.conversation.sid for guest in guests}
        return [row for row in await history(self.directory, self.environ) if row["conversation"] in sids]


async def caught(sandbox: Sandbox, server: Server, number: signal.Signals) -> Caught:
    """Send a signal to a server that is at several points of several calls."""
    points = (CREATE, DELETE, LIST, CREATE, DELETE)
    kinds = (Kind.SLOW, Kind.SLOW_AFTER)
    guests = [Guest.at(sandbox, is_full=place % 2 == 0) for place in range(len(points) * len(kinds))]
    armed = [
        sandbox.faults.add(Fault(kind, method=method, path=f"*/Conversations/{guest.conversation.sid}{rest}"))
        for guest, (method, rest), kind in zip(guests, points * len(kinds), sorted(kinds * len(points)), strict=True)
    ]
    calls = [asyncio.create_task(server.call(guest.conversation)) for guest in guests]
    assert await eventually(lambda: all(each.reached.is_set() for each in armed))
    os.killpg(server.process.pid, number)
    return Caught(server, guests, armed, calls, time.monotonic())


@contextlib.asynccontextmanager
async def machines(directory: Path, environ: dict[str, str]) -> AsyncIterator[list[Server]]:
    """Start them all at once; each has a directory of its own."""
    async with contextlib.AsyncExitStack() as stack:
        places = [furnish(directory / f"machine-{number}") for number in range(MACHINES)]
        yield await asyncio.gather(*(stack.enter_async_context(served(place, environ)) for place in places))


@pytest.fixture(scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """Eight machines on one PostgreSQL; the last of them freezes in the middle of calls, as a paused container does."""
    name = f"test_{uuid.uuid4().hex}"
    url = postgres.server().get_uri(database=name)
    postgres.execute(f"CREATE DATABASE {name}")
    directory = tmp_path_factory.mktemp("cluster")
    async with running_sandbox() as sandbox:
        environ = environ_of(sandbox, HANDOVER_DATABASE_URL=url)
        async with machines(directory, environ) as servers:
            asleep = await caught(sandbox, servers.pop(), signal.SIGSTOP)
            asleep.release()
            yield Cluster(sandbox, directory, environ, servers, asleep)
            for call in asleep.calls:
                call.cancel()
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def test_machines_that_start_at_once_come_up(cluster: Cluster) -> None:
    """On an empty database each of them makes itself at home, and none is in another's way."""
    ready = await asyncio.gather(*(server.readiness() for server in cluster.servers))
    assert [status for status, _ in ready] == [200] * len(cluster.servers)


@pytest.mark.parametrize("token", ["", "the-same"])
async def test_one_call_on_all_machines_is_one_handover(cluster: Cluster, token: str) -> None:
    """A hundred times at once, with an idempotency token and without: one studio webhook, one row, one sentence."""
    guest = Guest.at(cluster.sandbox)
    await show_one_handover(guest, cluster.servers, token)
    assert [row["state"] for row in await cluster.rows(guest)] == ["accepted"]


async def show_one_handover(guest: Guest, servers: Sequence[Server], token: str = "") -> None:
    turns = zip(range(TIMES), cycle(servers), strict=False)
    told = await asyncio.gather(*(server.call(guest.conversation, token=token) for _, server in turns))
    assert {each.message for each in told} == {SUCCESS}
    assert len({each.handover_id for each in told}) == 1
    assert await eventually(lambda: guest.answers_alone(REFUNDS)), guest.state


async def test_different_calls_of_one_conversation_leave_one_flow(cluster: Cluster) -> None:
    """Two tools are asked of two machines at once: the flow answers that was attached last, and it alone."""
    guests = [Guest.at(cluster.sandbox, is_full=number % 2 == 0) for number in range(20)]
    one, other, *_ = cluster.servers
    asked = ((one, TOOL), (other, OTHER), (other, TOOL), (one, OTHER))
    told = await asyncio.gather(*(server.call(guest.conversation, tool) for guest in guests for server, tool in asked))
    assert {each.outcome for each in told} <= {"handed_over", "already_handed_over"}
    assert await eventually(lambda: all(guest.has_one for guest in guests))
    rows = await cluster.rows(*guests)
    for guest in guests:
        own = [row for row in rows if row["conversation"] == guest.conversation.sid]
        assert {row["flow"] for row in own} == {REFUNDS, BILLING}
        last = max(own, key=lambda row: str(row["accepted"]))
        assert flows(guest.conversation) == [last["flow"]]


async def test_what_a_killed_machine_had_in_hand_is_finished_by_another(cluster: Cluster) -> None:
    """Within seconds one answers in each conversation, and the same call on another machine goes on with its row."""
    killed = await caught(cluster.sandbox, cluster.servers.pop(), signal.SIGKILL)
    killed.release()
    await asyncio.gather(*killed.calls, return_exceptions=True)
    assert await eventually(lambda: all(guest.has_one for guest in killed.guests)), [
        guest.state for guest in killed.guests
    ]
    assert time.monotonic() - killed.since < SECONDS
    await show_all_handed_over(cluster, killed.guests)


async def show_all_handed_over(cluster: Cluster, guests: Sequence[Guest]) -> None:
    """Make the same calls again on a machine that lives: the row of each is gone on with."""
    told = await asyncio.gather(*(cluster.servers[0].call(guest.conversation) for guest in guests))
    assert {each.message for each in told} == {SUCCESS}
    assert await eventually(lambda: all(guest.answers_alone(REFUNDS) for guest in guests)), [
        guest.state for guest in guests
    ]
    assert len(await cluster.rows(*guests)) == len(guests)


async def test_what_a_frozen_machine_had_in_hand_is_taken_over_when_its_lease_ends(cluster: Cluster) -> None:
    """Nobody can see that it does not run; when it wakes up, it finds that others went on, and does no harm."""
    asleep = cluster.asleep
    taken = LEASE - (time.monotonic() - asleep.since) + SECONDS
    assert await eventually(lambda: all(guest.has_one for guest in asleep.guests), taken), [
        guest.state for guest in asleep.guests
    ]
    told = await asyncio.gather(*(cluster.servers[0].call(guest.conversation) for guest in asleep.guests))
    os.killpg(asleep.server.process.pid, signal.SIGCONT)
    await asyncio.gather(*asleep.calls)
    assert {each.message for each in told} == {SUCCESS}
    await show_all_handed_over(cluster, asleep.guests)
    assert (await asleep.server.readiness())[0] == 200


async def test_two_workers_share_one_call(tmp_path: Path, sandbox: Sandbox) -> None:
    """The same for the processes of one server, whose ledger is a file; and one that is killed is no loss."""
    directory, environ = furnish(tmp_path / "here"), environ_of(sandbox)
    async with served(directory, environ, "--workers", "2") as server:
        await show_one_handover(Guest.at(sandbox), [server])
        guest = Guest.at(sandbox)
        path = f"*/Conversations/{guest.conversation.sid}/Webhooks"
        armed = sandbox.faults.add(Fault(Kind.SLOW, method=CREATE[0], path=path))
        call = asyncio.create_task(server.call(guest.conversation))
        assert await eventually(armed.reached.is_set)
        for worker in workers_of(server):
            os.kill(worker, signal.SIGKILL)
        armed.release(drop=True)
        assert isinstance((await asyncio.gather(call, return_exceptions=True))[0], aiohttp.ClientError)
        assert (await persisted(server, guest)).message == SUCCESS
        assert await eventually(lambda: guest.answers_alone(REFUNDS))
        assert [row["state"] for row in await history(directory, environ)] == ["accepted"] * 2


async def persisted(server: Server, guest: Guest) -> Told:
    """Call until somebody answers: what was on its way to a worker that died gets none."""
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                return await server.call(guest.conversation)
            await asyncio.sleep(0.05)


async def test_workers_end_with_the_process_that_started_them(tmp_path: Path, sandbox: Sandbox) -> None:
    """It alone is killed: what its workers have in flight ends, and the port is free for the next server."""
    directory, environ = furnish(tmp_path / "here"), environ_of(sandbox)
    guest = Guest.at(sandbox)
    path = f"*/Conversations/{guest.conversation.sid}/Webhooks"
    armed = sandbox.faults.add(Fault(Kind.SLOW, method=CREATE[0], path=path))
    async with served(directory, environ, "--workers", "2") as server:
        workers = workers_of(server)
        call = asyncio.create_task(server.call(guest.conversation))
        assert await eventually(armed.reached.is_set)
        server.process.kill()
        armed.release()
        assert (await call).message == SUCCESS
        assert await eventually(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
        assert guest.answers_alone(REFUNDS)


def workers_of(server: Server) -> list[int]:
    """Find the processes that serve."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return [pid for pid in map(int, children) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
