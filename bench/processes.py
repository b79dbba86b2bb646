"""Processes of our own for the benchmarks: started, waited for, measured, ended."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def cpu_seconds(pid: int) -> float:
    """Read how much CPU a process has used, by the clock that Linux keeps for each (man 3 clock_getcpuclockid)."""
    return time.clock_gettime((~pid << 3) | 2)


def memory(pid: int, name: str = "VmRSS") -> float:
    """Read a process's memory in MiB: ``VmRSS`` now, ``VmHWM`` the most so far."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) / 1024


def raise_limits() -> None:
    """Let this process, and what it starts, open as many files and connections as the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextlib.contextmanager
def process(command: Sequence[str], environ: dict[str, str], log: Path) -> Iterator[int]:
    """Run a command while the block runs."""
    with log.open("wb") as output:
        running = subprocess.Popen([sys.executable, *command], env=environ, stdout=output, stderr=output)
        try:
            yield running.pid
        finally:
            running.terminate()
            running.wait(20)


async def answers(session: aiohttp.ClientSession, url: str) -> None:
    """Wait until something answers at ``url``; raises TimeoutError after 30 seconds."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                await session.get(url)
                return
            await asyncio.sleep(0.05)
