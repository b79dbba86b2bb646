"""The server killed with -9 at every point of a handover and of the way back, and started again."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from router.ledger.ledger import Filter
from router.ledger.row import Duty, Row, State
from router.sandbox.faults import Fault, Kind
from router.swap.target import StudioFlow
from tests.kit import (
    BILLING,
    CREATE,
    DELETE,
    FETCH,
    LIST,
    NEWEST,
    REDIRECT,
    REFUNDS,
    WRITE,
    flows,
    make_round,
    open_desk,
    settled,
)
from tests.promise.processes import (
    OTHER,
    PATIENCE,
    REPLAYING,
    SECONDS,
    SUCCESS,
    TOOL,
    Guest,
    Server,
    environ_of,
    eventually,
    furnish,
    history,
    served,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from router.sandbox.faults import ArmedFault
    from router.sandbox.sandbox import Sandbox
    from router.sandbox.world import Conversation
    from tests.promise.processes import Told

POLL: Final = ("GET", "/Executions/*")


@dataclass(frozen=True, slots=True)
class Point:
    """Where the process dies: at a request of a call to ``tool``, or of the way back."""

    name: str
    request: tuple[str, str]
    tool: str = TOOL
    is_full: bool = False
    was_elsewhere: bool = False


HANDING_OVER: Final = (
    Point("look", LIST),
    Point("read attributes", FETCH),
    Point("write attributes", WRITE),
    Point("create", CREATE),
    Point("remove", DELETE),
    Point("read the last message", NEWEST, tool=REPLAYING),
    Point("redirect", REDIRECT, was_elsewhere=True),
    Point("make room", DELETE, is_full=True),
    Point("create where there was no room", CREATE, is_full=True),
)
HANDING_BACK: Final = (
    Point("look", LIST),
    Point("pave", CREATE),
    Point("poll", POLL),
    Point("remove", DELETE),
    Point("make room", DELETE, is_full=True),
    Point("put back where there was no room", CREATE, is_full=True),
)


@dataclass(frozen=True, slots=True)
class Death:
    """How a request ends whose client dies: its work is done never, before the kill, or after the restart."""

    name: str
    kind: Kind = Kind.SLOW
    drops: bool = False


NEVER: Final = Death("never done", drops=True)
DONE: Final = Death("done, unheard", Kind.SLOW_AFTER, drops=True)
LATE: Final = Death("done after the restart")
LATEST: Final = Death("done when all seemed well")
DEATHS: Final = (NEVER, DONE, LATE, LATEST)


@dataclass(slots=True)
class Case:
    """A conversation at one point and one way to die there; ``told`` is what its caller heard in time."""

    point: Point
    death: Death
    guest: Guest
    token: str
    armed: ArmedFault | None = None
    execution: str = ""
    told: list[Told] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.point.name}, {self.death.name}: {self.guest.state}"

    def arm(self, sandbox: Sandbox) -> None:
        """Let the request be held at which the process is to die."""
        method, rest = self.point.request
        where = f"*{rest.replace('*', self.execution)}"
        if self.point.request != POLL:
            where = f"*/Conversations/{self.guest.conversation.sid}{rest}"
        self.armed = sandbox.faults.add(Fault(self.death.kind, method=method, path=where))

    @property
    def is_reached(self) -> bool:
        return self.armed is not None and self.armed.reached.is_set()

    async def call(self, server: Server) -> Told:
        told = await server.call(self.guest.conversation, self.point.tool, self.token)
        self.told.append(told)
        return told


def cases(sandbox: Sandbox, points: Sequence[Point]) -> list[Case]:
    """Give each point each death, in a conversation of its own; every other one has an idempotency token."""
    found = [(point, death) for point in points for death in DEATHS]
    numbers = range(100, 100 + len(found))
    return [
        Case(point, death, guest_at(sandbox, point, number), f"token-{number}" if number % 2 else "")
        for number, (point, death) in zip(numbers, found, strict=True)
    ]


def guest_at(sandbox: Sandbox, point: Point, number: int) -> Guest:
    # The ends of the address differ: of a row's customer no more is kept, by which executions are told apart.
    return Guest.at(sandbox, is_full=point.is_full, customer=f"whatsapp:+{number}555010{number}")


async def heard(calls: Iterable[asyncio.Task[object]]) -> None:
    """Let calls end whose server is dead."""
    for ended in await asyncio.gather(*calls, return_exceptions=True):
        assert not isinstance(ended, BaseException) or isinstance(ended, aiohttp.ClientError)


async def die(server: Server, all_cases: Sequence[Case], calls: Sequence[asyncio.Task[object]]) -> None:
    """Kill the server once every case is where it is to die."""
    assert await eventually(lambda: all(case.is_reached for case in all_cases), PATIENCE), [
        case.name for case in all_cases if not case.is_reached
    ]
    await server.kill()
    await heard(calls)
    for case in all_cases:
        if case.death.drops and case.armed:
            case.armed.release(drop=True)


async def let_go(all_cases: Sequence[Case], death: Death) -> None:
    """Let the work be done now that is still under way."""
    of_it = [case.armed for case in all_cases if case.death is death and case.armed]
    for armed in of_it:
        armed.release()
    assert await eventually(lambda: not any(armed.held for armed in of_it))


async def test_a_kill_at_every_step_of_a_handover_leaves_one_responder(tmp_path: Path, sandbox: Sandbox) -> None:
    """Within seconds of the restart one answers, and the same call again makes one handover of it, in one row."""
    directory, environ = furnish(tmp_path / "here"), environ_of(sandbox)
    everyone = cases(sandbox, HANDING_OVER)
    for case in everyone:
        await sandbox.customer_says(case.guest.conversation, "My lamp is broken")
    elsewhere = [case for case in everyone if case.point.was_elsewhere]
    guarded = Guest.at(sandbox)
    async with served(directory, environ) as server:
        await asyncio.gather(*(server.call(case.guest.conversation, OTHER) for case in elsewhere))
        assert await eventually(lambda: all(case.guest.answers_alone(BILLING) for case in elsewhere))
        for case in everyone:
            case.arm(sandbox)
        calls = [asyncio.create_task(case.call(server)) for case in everyone]
        calls.append(asyncio.create_task(server.call(guarded.conversation, stop="here")))
        assert await eventually((directory / f"stopped-{guarded.conversation.sid}").exists)
        await die(server, everyone, calls)
    heard_of = [case for case in everyone if case.told]
    assert {case.point.name for case in heard_of} == {"remove"}  # there the answer left before the agent went
    async with served(directory, environ) as server:
        begun = time.monotonic()
        await let_go(everyone, LATE)
        assert await eventually(lambda: guarded.has_one and all(case.guest.has_one for case in everyone)), [
            case.name for case in everyone if not case.guest.has_one
        ]
        assert time.monotonic() - begun < SECONDS
        for case in heard_of:
            assert case.told[0].message == SUCCESS
            assert case.guest.answers_alone(REFUNDS), case.name
        again = await asyncio.gather(*(case.call(server) for case in everyone))
        for case, told in zip(everyone, again, strict=True):
            assert told.outcome in ("handed_over", "already_handed_over"), (case.name, told)
            assert flows(case.guest.conversation) == [REFUNDS], case.name
            assert told.message == case.told[0].message
            assert told.handover_id == case.told[0].handover_id
        untold = await asyncio.gather(*(server.call(case.guest.conversation, case.point.tool) for case in everyone))
        assert [told.message for told in untold] == [told.message for told in again]
        await let_go(everyone, LATEST)
        assert await eventually(lambda: all(case.guest.answers_alone(REFUNDS) for case in everyone)), [
            case.name for case in everyone if not case.guest.answers_alone(REFUNDS)
        ]
        await show_history(directory, environ, everyone, "accepted")


async def test_another_call_after_a_kill_is_not_crossed_by_the_first(tmp_path: Path, sandbox: Sandbox) -> None:
    """The restarted server is asked for another flow at once: that one answers, alone, whatever comes late."""
    directory, environ = furnish(tmp_path / "here"), environ_of(sandbox)
    everyone = cases(sandbox, [point for point in HANDING_OVER if point.tool == TOOL and not point.was_elsewhere])
    async with served(directory, environ) as server:
        for case in everyone:
            case.arm(sandbox)
        await die(server, everyone, [asyncio.create_task(case.call(server)) for case in everyone])
    async with served(directory, environ) as server:
        late = asyncio.create_task(let_go(everyone, LATE))
        told = await asyncio.gather(*(server.call(case.guest.conversation, OTHER) for case in everyone))
        assert {each.outcome for each in told} == {"handed_over"}
        await late
        await let_go(everyone, LATEST)
        assert await eventually(lambda: all(case.guest.answers_alone(BILLING) for case in everyone)), [
            case.name for case in everyone if not case.guest.answers_alone(BILLING)
        ]
        rows = await history(directory, environ)
        assert [row["state"] for row in rows if row["tool"] == OTHER] == ["accepted"] * len(everyone)
        assert not [row for row in rows if row["state"] == "initiated"]


async def test_a_flow_found_after_a_crash_is_looked_at_again(tmp_path: Path, sandbox: Sandbox) -> None:
    """The dead process may have asked twice: a second webhook that comes late goes again."""
    guest = Guest.at(sandbox)
    where = guest.conversation
    sandbox.world.add_webhook(where, StudioFlow(REFUNDS).spec)
    async with open_desk(sandbox, tmp_path) as desk:
        now = desk.clock.now()
        left = Row("HO1", where.sid, where.service.sid, now, flow=REFUNDS, success=SUCCESS, duty=Duty.SETTLE, due=now)
        await desk.ledger.decide(where.sid, lambda _rows: (None, (left,)))
        while not guest.answers_alone(REFUNDS):
            assert await make_round(desk)
        sandbox.world.add_webhook(where, StudioFlow(REFUNDS).spec)
        await settled(desk)
        assert guest.answers_alone(REFUNDS), guest.state
        assert [row.state for row in await desk.ledger.history(Filter())] == [State.ACCEPTED]


async def show_history(directory: Path, environ: dict[str, str], everyone: Sequence[Case], state: str) -> None:
    """See that ``handover history`` tells of one row a call, and within seconds how it ended.

    A late request may put the conversation right before the row is looked at again.
    """
    until = time.monotonic() + SECONDS
    while wrong := not_in(state, await history(directory, environ), everyone):
        assert time.monotonic() < until, wrong


def not_in(state: str, rows: Sequence[dict[str, Any]], everyone: Sequence[Case]) -> dict[str, list[dict[str, Any]]]:
    """Give the rows of those calls that have not one row, in ``state``."""
    own = {
        case.name: [
            row for row in rows if case.guest.conversation.sid == row["conversation"] and case.point.tool == row["tool"]
        ]
        for case in everyone
    }
    return {name: each for name, each in own.items() if [row["state"] for row in each] != [state]}


async def test_a_kill_at_every_step_of_the_way_back_brings_the_agent_back(tmp_path: Path, sandbox: Sandbox) -> None:
    """Within seconds of the restart the agent answers again, once, and no flow."""
    everyone = cases(sandbox, HANDING_BACK)
    half = len(everyone) // 2  # a server does so much at once, and no more
    await asyncio.gather(
        die_on_the_way_back(furnish(tmp_path / "one"), sandbox, everyone[:half]),
        die_on_the_way_back(furnish(tmp_path / "other"), sandbox, everyone[half:]),
    )


async def die_on_the_way_back(directory: Path, sandbox: Sandbox, everyone: Sequence[Case]) -> None:
    environ = environ_of(sandbox)
    async with served(directory, environ) as server:
        await asyncio.gather(*(case.call(server) for case in everyone))
        assert await eventually(lambda: all(case.guest.answers_alone(REFUNDS) for case in everyone))
        for case in everyone:
            if case.point.request == POLL:
                case.execution = await begin_execution(sandbox, case.guest.conversation)
            case.arm(sandbox)
        asked = [asyncio.create_task(server.hand_back(case.guest.conversation, case.execution)) for case in everyone]
        await die(server, everyone, asked)
    for case in everyone:
        if case.execution:
            sandbox.end(sandbox.world.executions[case.execution])
    async with served(directory, environ):
        begun = time.monotonic()
        await let_go(everyone, LATE)
        await asyncio.gather(*(see_the_agent_back(case) for case in everyone))
        assert time.monotonic() - begun < SECONDS
        await show_history(directory, environ, everyone, "completed")


async def see_the_agent_back(case: Case) -> None:
    """See it answer alone, and again once a request was done that came when all seemed well."""
    for _ in ("at first", "after the last late request"):
        assert await eventually(case.guest.answers_alone), case.name
        await let_go([case], LATEST)


async def begin_execution(sandbox: Sandbox, conversation: Conversation) -> str:
    """Let the customer's next message start the flow, and give the execution."""
    await sandbox.customer_says(conversation, "Hello?")
    return next(found.sid for found in sandbox.world.executions.values() if found.conversation is conversation)


async def test_what_was_told_before_a_kill_stays_true(tmp_path: Path, sandbox: Sandbox) -> None:
    """The process dies as soon as one of many answers is there: who was told of a flow has it, and nobody has two."""
    directory, environ = furnish(tmp_path / "here"), environ_of(sandbox)
    guests = [Guest.at(sandbox, is_full=number % 3 == 0) for number in range(24)]
    async with served(directory, environ) as server:
        calls = [asyncio.create_task(server.call(guest.conversation)) for guest in guests]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        await server.kill()
        await asyncio.wait(calls)
    told = [guest for guest, call in zip(guests, calls, strict=True) if call.exception() is None]
    assert told
    async with served(directory, environ) as server:
        assert await eventually(lambda: all(guest.has_one for guest in guests)), [guest.state for guest in guests]
        assert [guest.state for guest in told if not guest.answers_alone(REFUNDS)] == []
        await asyncio.gather(*(server.call(guest.conversation) for guest in guests))
        assert await eventually(lambda: all(guest.answers_alone(REFUNDS) for guest in guests))
        rows = await history(directory, environ)
        assert len(rows) == len(guests)
        asked = [asyncio.create_task(server.hand_back(guest.conversation)) for guest in guests]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        await server.kill()
        await asyncio.wait(asked)
    back = [guest for guest, call in zip(guests, asked, strict=True) if call.exception() is None]
    assert back
    async with served(directory, environ):
        assert await eventually(lambda: all(guest.answers_alone() for guest in back)), [
            guest.state for guest in back if not guest.answers_alone()
        ]
        assert await eventually(lambda: all(guest.has_one for guest in guests))
