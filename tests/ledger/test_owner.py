from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from router.ledger.owner import is_gone, this_process

if TYPE_CHECKING:
    from router.ledger.ledger import Holder


def name_of(pid: int | str, holder: Holder) -> str:
    machine = holder.name.rsplit("/", 2)[0]
    return f"{machine}/{pid}/0000"


def test_each_start_has_a_name_of_its_own() -> None:
    """Two names of one process differ in the nonce alone, and carry the lease."""
    one, other = this_process(3.0), this_process(3.0)
    assert one.name != other.name
    assert one.name.rsplit("/", 1)[0] == other.name.rsplit("/", 1)[0]
    assert one.name.split("/")[-2] == str(os.getpid())
    assert one.lease == 3.0


def test_a_process_that_ended_is_gone() -> None:
    """Its number runs no more, on the same machine since the same boot."""
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    holder = this_process()
    assert is_gone(name_of(ended.pid, holder), holder)


def test_a_process_that_runs_is_not_gone() -> None:
    """Neither our parent, which runs, nor we ourselves."""
    holder = this_process()
    assert not is_gone(name_of(os.getppid(), holder), holder)
    assert not is_gone(holder.name, holder)


def test_an_earlier_one_with_our_number_is_gone() -> None:
    """In a container each start may have the same number; the nonce tells them apart."""
    holder = this_process()
    assert is_gone(name_of(os.getpid(), holder), holder)


def test_of_another_machine_nothing_is_known() -> None:
    """A name of another host, of another boot or space, of no number or of another shape leaves the lease to run."""
    holder = this_process()
    host, boot, pid, nonce = holder.name.split("/")
    for name in (
        f"other/{boot}/999999999/x",
        f"{host}/other/999999999/x",
        name_of("x", holder),
        name_of(2**70, holder),
        f"{host}/{boot}/{pid}/",
        "memory",
        "",
        nonce,
    ):
        assert not is_gone(name, holder), name
