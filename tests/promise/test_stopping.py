"""SIGTERM: what is in flight ends, nothing new begins, and nothing is left in the dead process's hand."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import aiohttp
import pytest

from router.sandbox.faults import Fault, Kind
from tests.kit import CREATE, DELETE, REFUNDS
from tests.promise.processes import SUCCESS, Guest, Server, environ_of, eventually, furnish, served

if TYPE_CHECKING:
    from pathlib import Path

    from router.sandbox.sandbox import Sandbox


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_stop_ends_the_calls_in_flight_and_refuses_new_ones(
    tmp_path: Path, sandbox: Sandbox, workers: str
) -> None:
    """A call whose create is held is answered after the signal, the agent goes, and the exit code is 0."""
    directory, environ = furnish(tmp_path / "here"), environ_of(sandbox)
    guests = [Guest.at(sandbox) for _ in range(6)]
    where = [f"*/Conversations/{guest.conversation.sid}/Webhooks*" for guest in guests]
    held = [sandbox.faults.add(Fault(Kind.SLOW, method=CREATE[0], path=path)) for path in where[:3]]
    told = [sandbox.faults.add(Fault(Kind.SLOW, method=DELETE[0], path=path)) for path in where[3:]]
    async with served(directory, environ, "--workers", workers) as server:
        calls = [asyncio.create_task(server.call(guest.conversation)) for guest in guests]
        assert await eventually(lambda: all(armed.reached.is_set() for armed in (*held, *told)))
        stopping = asyncio.create_task(server.stop())
        assert await refuses(server)
        assert not any(call.done() for call in calls[:3])
        for armed in (*held, *told):
            armed.release()
        assert [answer.message for answer in await asyncio.gather(*calls)] == [SUCCESS] * 6
        assert await stopping == 0
        assert [guest.state for guest in guests if not guest.answers_alone(REFUNDS)] == []
    with closing(sqlite3.connect(directory / "handovers.db")) as ledger:
        rows = ledger.execute("SELECT state, duty, owner FROM handovers").fetchall()
    assert rows == [("accepted", "", "")] * 6
    assert "Traceback" not in "".join(server.output)


async def refuses(server: Server) -> bool:
    """Wait until the server takes no new connection."""
    async with asyncio.timeout(2), aiohttp.ClientSession() as newcomer:
        while True:
            try:
                async with newcomer.get(f"{server.url}/healthz"):
                    await asyncio.sleep(0.01)
            except aiohttp.ClientConnectorError:
                return True
