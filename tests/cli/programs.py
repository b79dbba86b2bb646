"""The console script as a user starts it: a process of its own, in a directory of its own, with a bare environment."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HANDOVER = str(Path(sys.executable).parent / "handover")
PATIENCE = 30.0
URL = re.compile(r"http://[^\s,;]+:\d+")


@dataclass(slots=True)
class Program:
    """A running ``handover``; ``seen`` is what it printed so far, both streams in one."""

    process: asyncio.subprocess.Process
    seen: list[str] = field(default_factory=list)

    async def until(self, text: str) -> str:
        """Read until a line holds ``text``, and give that line."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while line := (await self.process.stdout.readline()).decode():
                self.seen.append(line)
                if text in line:
                    return line
        raise AssertionError(f"it ended before it printed {text!r}:\n{self.output}")

    async def end(self) -> int:
        """Read the rest and wait for the exit code."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            self.seen.append((await self.process.stdout.read()).decode())
            return await self.process.wait()

    async def stop(self, number: int) -> int:
        """Send a signal and wait for the exit code."""
        self.process.send_signal(number)
        return await self.end()

    @property
    def output(self) -> str:
        return "".join(self.seen)


@contextlib.asynccontextmanager
async def started(directory: Path, *arguments: str, **environ: str) -> AsyncIterator[Program]:
    """Start ``handover`` in ``directory``; of our environment it sees nothing that is a setting of its own."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("TWILIO_", "HANDOVER_"))}
    process = await asyncio.create_subprocess_exec(
        HANDOVER,
        *arguments,
        cwd=directory,
        env={**bare, **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ended(directory: Path, *arguments: str, **environ: str) -> tuple[int, str]:
    """Run ``handover`` to its end; gives exit code and output."""
    async with started(directory, *arguments, **environ) as program:
        return await program.end(), program.output


def url_in(line: str) -> str:
    """Find the URL that a line of output names."""
    found = URL.search(line)
    assert found is not None
    return found[0]
