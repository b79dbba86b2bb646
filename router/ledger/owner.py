"""Who holds a row: a process by a name that tells whoever runs on the same machine whether it still lives."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path
from typing import Final

from router.ledger.ledger import Holder

BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
PROCESSES: Final = Path("/proc/self/ns/pid")


def this_process(lease: float = 10.0) -> Holder:
    """Name this process: ``host/boot/pid/nonce``; rows that it holds are safe from others for ``lease`` seconds."""
    return Holder(f"{_machine()}/{os.getpid()}/{secrets.token_hex(4)}", lease)


def is_gone(owner: str, holder: Holder) -> bool:
    """Say whether ``owner`` has certainly ended, as ``holder``, this process, can see: nobody need await its lease.

    It ran on this machine, since its last boot and in this space of process ids, and its id is free or ours.
    """
    machine, _, rest = owner.rpartition("/")
    machine, _, pid = machine.rpartition("/")
    if machine != _machine() or not pid.isdecimal() or not rest or owner == holder.name:
        return False
    return int(pid) == os.getpid() or not _runs(int(pid))


def _machine() -> str:
    """Name the host, its boot and the space of process ids: two containers may share the first two."""
    boot = BOOT.read_text().strip() if BOOT.exists() else ""
    space = PROCESSES.readlink().name.strip("pid:[]") if PROCESSES.exists() else ""
    return f"{socket.gethostname()}/{boot[:8]}-{space}"


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
