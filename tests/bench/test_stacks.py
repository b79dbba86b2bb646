"""Stacks of the profiler, folded by room."""

from __future__ import annotations

import pytest

from bench.stacks import fold

SERVE = "main (router/cli/__init__.py);_run (router/cli/serve.py:73);Runner.run (asyncio/runners.py:86)"


def test_a_sample_belongs_to_the_innermost_room() -> None:
    """What a room lets a library do is the room's; what a room calls in another one is the other one's."""
    shares = fold(
        [
            f"{SERVE};hand_over (router/handover.py:44);decide (router/ledger/ledger.py:9);dumps (json/encoder.py:3) 3",
            f"{SERVE};__call__ (router/web/door.py:1) 1",
        ]
    )
    assert shares == {"ledger": pytest.approx(0.75), "web": pytest.approx(0.25)}
    assert list(shares) == ["ledger", "web"]


def test_what_has_no_frame_of_ours_is_its_librarys() -> None:
    """The command that has started the server is below everything, and no room; the compiled loop has a name."""
    shares = fold([f"{SERVE} 2", f"{SERVE};data_received (uvicorn/protocols/http/httptools_impl.py:9) 2"])
    assert shares == {"(asyncio, uvloop)": 0.5, "(uvicorn)": 0.5}


def test_a_thread_that_waits_does_not_count() -> None:
    """The places where threads wait for work are left out of the whole, too."""
    waiting = [
        "run (threading.py:1);_worker (concurrent/futures/thread.py:69) 50",
        "run (threading.py:1);_serve (router/ledger/writer.py:1);Writer._gather (router/ledger/writer.py:118) 50",
    ]
    assert fold([*waiting, f"{SERVE};resolve (router/resolution.py) 1"]) == {"resolution": 1.0}
