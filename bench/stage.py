"""The stage of the benchmarks: stand-in for Twilio and the servers that are compared, each a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench import stand_in
from bench.drive import drive
from bench.processes import cpu_seconds, free_port, process
from router.twilio.signatures import sign

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bench.drive import Driven

READY: Final = 60.0
"""Seconds within which a server must answer."""

SETTLED: Final = 60.0
"""Seconds within which the agent's webhooks must be gone after the last answer."""

PATH: Final = "/tools/support"
PLUGIN: Final = """\
from router import hookimpl

@hookimpl
def before_swap(handover, config):
    return None

@hookimpl
def after_swap(handover, outcome, config):
    return None
"""
HEAD: Final = f"""\
version: 1
flows: {{refunds: FW00000000000000000000000000000001}}
auth: [twilio_signature]
assistant_webhooks: ["{stand_in.AGENT}"]
"""
ROUTES: Final = f"""\
{HEAD}
plugins: [{{use: bystander}}]
tools:
  {PATH}: {{name: Support, description: Refunds., intents: {{refund: {{flow: refunds}}}}}}
"""


@dataclass(frozen=True, slots=True)
class Question:
    """What a server is asked, ``tools`` in turns, and the sentence that it must answer."""

    tools: tuple[str, ...] = (PATH,)
    body: bytes = b'{"intent": "refund"}'
    answer: bytes = b"Conversation handed over"


@dataclass(frozen=True, slots=True)
class StandIn:
    """A stand-in for Twilio, which answers after ``delay`` seconds."""

    url: str
    delay: float


@dataclass(frozen=True, slots=True)
class Server:
    """A server that hands over; ``twilio`` is its stand-in, ``started`` how many seconds it took to be ready."""

    name: str
    twilio: StandIn
    url: str
    pid: int
    started: float
    log: Path
    question: Question = field(default_factory=Question)

    @property
    def cpu(self) -> float:
        """Seconds of CPU that it has used."""
        return cpu_seconds(self.pid)

    def figures(self) -> Mapping[str, int]:
        """Ask its stand-in what it has seen."""
        return dict(_get(self.twilio.url + "/figures"))

    async def drive(self, numbers: Sequence[int], width: int) -> Driven:
        """Hand conversations over, ``width`` at a time; raises RuntimeError where an answer is not the expected."""
        return await drive(self.url, self._calls(numbers), width, self.question.answer, self.twilio.delay)

    async def settle(self, deletes: int) -> None:
        """Wait until its stand-in has seen so many webhooks removed; raises TimeoutError where it does not."""
        until = time.monotonic() + SETTLED
        while (found := self.figures()["DELETE"]) < deletes:
            if time.monotonic() > until:
                raise TimeoutError(f"{self.name}: {found} of {deletes} webhooks of agents were removed")
            await asyncio.sleep(0.01)

    def _calls(self, numbers: Iterable[int]) -> Iterator[bytes]:
        """Give whole requests, one about each conversation."""
        heads, body = tuple(map(self._head, self.question.tools)), self.question.body
        for number in numbers:
            yield b"%b%032x\r\n\r\n%b" % (heads[number % len(heads)], number, body)

    def _head(self, tool: str) -> bytes:
        """Write what all calls of a tool begin with: the signature covers the URL alone."""
        body = self.question.body
        target = f"{tool}?bodySHA256={hashlib.sha256(body).hexdigest()}"
        return (
            f"POST {target} HTTP/1.1\r\nHost: {self.url.removeprefix('http://')}\r\n"
            f"X-Twilio-Signature: {sign(stand_in.TOKEN, self.url + target, {})}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"X-Identity: phone:+15550100\r\nX-Session-Id: webhook:conversations__{stand_in.SERVICE}/CH"
        ).encode()


@dataclass(slots=True)
class Stage:
    """A folder, and the processes that run while the stage is open."""

    folder: Path
    twilio: StandIn = field(default_factory=lambda: StandIn("", 0))
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _numbers: int = 0

    def numbers(self, count: int) -> range:
        """Give numbers of conversations that nobody has used yet."""
        first, self._numbers = self._numbers, self._numbers + count
        return range(first, self._numbers)

    def stand_in(self, delay: float) -> None:
        """Start a stand-in, which answers after ``delay`` seconds; what is started next talks with it."""
        url, *_ = self._start(["-m", "bench.stand_in", f"--delay={delay}"], {}, "/figures")
        self.twilio = StandIn(url, delay)

    def floor(self) -> Server:
        """Start the floor."""
        command = ["-m", "uvicorn", "--factory", "bench.floor:make", "--log-level=warning", "--no-access-log"]
        return Server("floor", self.twilio, *self._start(command, self._environ("", self.folder), "/"))

    def router(
        self,
        name: str,
        database: str = "",
        routes: str = ROUTES,
        plugins: Sequence[str] = ("bystander",),
        **settings: str,
    ) -> Server:
        """Start the router as it ships, with a guard and an observer; ``database`` is a file of its own by default."""
        folder = self.folder / name
        (folder / "plugins").mkdir(parents=True)
        for plugin in plugins:
            (folder / "plugins" / f"{plugin}.py").write_text(PLUGIN)
        (folder / "routes.yaml").write_text(routes)
        environ = self._environ(database or str(folder / "handovers.db"), folder) | settings
        return Server(name, self.twilio, *self._start(["-m", "router.cli", "serve"], environ, "/readyz"))

    def _environ(self, database: str, folder: Path) -> dict[str, str]:
        return {
            "TWILIO_ACCOUNT_SID": stand_in.ACCOUNT,
            "TWILIO_AUTH_TOKEN": stand_in.TOKEN,
            "HANDOVER_TWILIO_URL": self.twilio.url,
            "HANDOVER_CONFIG": str(folder / "routes.yaml"),
            "HANDOVER_STATE": "none",
            "HANDOVER_DATABASE_URL": database,
        }

    def _start(self, command: list[str], environ: dict[str, str], path: str) -> tuple[str, int, float, Path]:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        environ = os.environ | {"HANDOVER_PUBLIC_URL": url} | environ
        log = self.folder / f"{port}.log"
        began = time.monotonic()
        pid = self._stack.enter_context(process([*command, f"--port={port}"], environ, log))
        while time.monotonic() < began + READY:
            try:
                _get(url + path)
            except ConnectionError:
                time.sleep(0.005)
            else:
                return url, pid, time.monotonic() - began, log
        raise TimeoutError(f"{' '.join(command)} did not answer within {READY:g} s:\n{log.read_text()[-2000:]}")


@contextlib.contextmanager
def stage() -> Iterator[Stage]:
    """Open a stage."""
    with tempfile.TemporaryDirectory(prefix="handover-bench-") as folder, contextlib.ExitStack() as stack:
        yield Stage(Path(folder), _stack=stack)


def _get(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own servers
            return json.loads(answer.read()) if url.endswith("/figures") else None
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.SERVICE_UNAVAILABLE:
            raise ConnectionError("it is not ready") from error
        return None
    except urllib.error.URLError as error:
        raise ConnectionError(str(error.reason)) from error
