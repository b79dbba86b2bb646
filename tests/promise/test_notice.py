"""Real servers, killed between a handover and the word of it: the word arrives, at least once."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from tests.kit import REFUNDS
from tests.promise.processes import ROUTES, Guest, environ_of, eventually, furnish, history, served
from tests.receiver import Receiver, receiving

if TYPE_CHECKING:
    from pathlib import Path

    from router.sandbox.sandbox import Sandbox

SECRET: Final = "whsec_" + base64.b64encode(b"a secret of the tests, as long as it must be").decode()
LONG: Final = 30.0
"""Seconds in which what a killed process had in hand is told again: its time, and some for a busy machine."""


def notified(directory: Path, receiver: Receiver) -> Path:
    entry = json.dumps({"use": "notify", "config": {"url": receiver.url, "secret": SECRET}})
    return furnish(directory, ROUTES.replace("plugins: [", f"plugins: [{entry}, "))


async def untold(directory: Path, environ: dict[str, str]) -> list[dict[str, Any]]:
    return [news for row in await history(directory, environ) for news in row["news"]]


async def test_what_was_not_heard_is_told_by_the_next_process(tmp_path: Path, sandbox: Sandbox) -> None:
    """The receiver was away and the server is killed; the next one tells, under the same id, and then never again."""
    environ, guest = environ_of(sandbox), Guest.at(sandbox)
    async with receiving() as receiver:
        directory = notified(tmp_path / "here", receiver)
        receiver.statuses = [503]
        async with served(directory, environ) as server:
            told = await server.call(guest.conversation)
            assert await eventually(lambda: receiver.got)
            while (await untold(directory, environ))[0]["reason"] == "":
                await asyncio.sleep(0.05)
            await server.kill()
        ((news,), (before,)) = await untold(directory, environ), receiver.got
        assert (news["plugin"], news["hook"], news["attempts"]) == ("notify", "after_swap", 1)
        assert "answered 503" in news["reason"]
        receiver.statuses = [204]
        async with served(directory, environ) as server:
            assert await eventually(lambda: len(receiver.got) > 1, LONG)
            assert before.name == receiver.got[1].name == f"{told.handover_id}-accepted"
            assert (await server.hand_back(guest.conversation)).status == 200
            assert await eventually(lambda: len(receiver.got) > 2, LONG)
            assert await server.stop() == 0
        assert [got.name for got in receiver.got[2:]] == [f"{told.handover_id}-completed"]
        assert await untold(directory, environ) == []


async def test_a_kill_at_any_moment_loses_no_word(tmp_path: Path, sandbox: Sandbox) -> None:
    """The process dies while many handovers turn and are told: each is told at least once, and none that was not."""
    environ, guests = environ_of(sandbox), [Guest.at(sandbox) for _ in range(24)]
    async with receiving() as receiver:
        directory = notified(tmp_path / "here", receiver)
        async with served(directory, environ) as server:
            calls = [asyncio.create_task(server.call(guest.conversation)) for guest in guests]
            await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
            await server.kill()
            await asyncio.gather(*calls, return_exceptions=True)
        async with served(directory, environ) as server:
            assert await eventually(lambda: all(guest.has_one for guest in guests))
            await asyncio.gather(*(server.call(guest.conversation) for guest in guests))
            assert await eventually(lambda: all(guest.answers_alone(REFUNDS) for guest in guests))
            rows = await history(directory, environ)
            states = {f"{row['id']}-{row['state']}" for row in rows}
            async with asyncio.timeout(LONG):
                # What died in the telling is told when its time is over.
                while await untold(directory, environ):
                    await asyncio.sleep(0.2)
            assert await server.stop() == 0
        assert {row["state"] for row in rows} <= {"accepted", "failed"}
        counts = Counter(got.name for got in receiver.got)
        assert set(counts) == states
        assert max(counts.values()) <= 2  # one process told, and died before it kept that
