"""What is counted of each hook of each plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from router.clock import Clock
from router.hooks.discovery import discover
from router.hooks.figures import RECENT, Figures, Tally
from router.hooks.host import CallRecord, PluginHost
from router.hooks.overview import overview
from tests.hooks.kit import CONTINUE, HANDOVER, LISTED, TWILIO, bench, use, write

if TYPE_CHECKING:
    from pathlib import Path

PAIR = """
@hookimpl
def plugin_info():
    return {"name": "A plugin", "version": "1.2", "blocking": True, "background": ["after_swap"]}

@hookimpl(tryfirst=True)
def before_swap(): ...

@hookimpl
async def after_swap(): ...
"""


@pytest.mark.parametrize(
    ("seconds", "p95"), [([], 0.0), ([3.0], 3.0), ([float(n) for n in range(1, 21)], 19.0), ([9.0] * 5 + [1.0] * 95, 1)]
)
def test_p95_is_what_nearly_all_kept_within(seconds: list[float], p95: float) -> None:
    """Of the calls so far, by nearest rank."""
    tally = Tally()
    for each in seconds:
        tally.count(each, blocked=False)
    assert tally.figures.p95 == p95


def test_p95_forgets() -> None:
    """It is over the last hundred calls, while the sums are over all."""
    tally = Tally()
    for each in [100.0] * 50 + [1.0] * RECENT:
        tally.count(each, blocked=each > 1)
    tally.fail("once")
    tally.fail("twice")
    assert tally.figures == Figures(150, 2, 5100.0, 1.0, 50, "twice")


async def test_every_call_is_told(tmp_path: Path) -> None:
    """Also one that went well; who holds the event loop for more than 50 ms is told with the seconds."""
    ahead = [0.0]
    for name in ("quick", "slow"):
        write(tmp_path, name, "@hookimpl\ndef before_swap(): late()\n")
    found = discover([tmp_path]).plugins
    vars(found["quick"].plugin)["late"] = lambda: ahead.append(0.05)
    vars(found["slow"].plugin)["late"] = lambda: ahead.append(0.25)
    told: list[CallRecord] = []
    host = PluginHost.of(found.values(), Clock(monotonic=lambda: sum(ahead)), on_call=told.append)
    await host.before_swap(HANDOVER, [use("quick"), use("slow")], LISTED.get, TWILIO)
    assert told == [CallRecord("quick", "before_swap", 0.05, 0.0), CallRecord("slow", "before_swap", 0.25, 0.25)]


async def test_all_of_a_hook_have_a_time_together(tmp_path: Path) -> None:
    """Where the first ones took all of it, the next fails for want of time, by its own on_error, and is not called."""
    ahead = [0.0]
    for name in "abc":
        write(tmp_path, name, "@hookimpl\ndef before_swap(): late()\n")
    found = discover([tmp_path]).plugins
    for plugin in found.values():
        vars(plugin.plugin)["late"] = lambda: ahead.append(1.0)
    reasons: list[str] = []
    clock = Clock(monotonic=lambda: sum(ahead))
    host = PluginHost.of(found.values(), clock, report=lambda report: reasons.append(report.reason))
    await host.before_swap(HANDOVER, [use("a"), use("b"), use("c", CONTINUE)], LISTED.get, TWILIO)
    assert reasons == ["not called: those before it took the 2 s that this hook has in all"]
    assert sum(ahead) == 2.0


async def test_the_overview_shows_what_is_called_in_which_order(tmp_path: Path) -> None:
    """Who the plugins are, where they come from, and each hook with its turn, how it is called and its figures."""
    made = bench(tmp_path, a=PAIR, b="@hookimpl\nasync def before_swap(): raise ValueError('+15550100')\n")
    uses = (use("b", CONTINUE), use("a"))
    await made.host.before_swap(HANDOVER, uses, LISTED.get, TWILIO)
    second, first = overview(made.host, uses)
    about = {"name": "a", "version": "1.2", "title": "A plugin", "source": str(tmp_path / "a.py")}
    assert {key: first[key] for key in about} == about
    assert [hook["hook"] for hook in first["hooks"]] == ["plugin_info", "before_swap", "after_swap"]

    def hook(plugin: dict[str, Any], name: str) -> dict[str, Any]:
        return next(hook for hook in plugin["hooks"] if hook["hook"] == name)

    assert (hook(first, "before_swap")["place"], hook(second, "before_swap")["place"]) == (1, 2)
    assert hook(first, "before_swap")["tryfirst"]
    assert (hook(first, "before_swap")["blocking"], hook(first, "after_swap")["blocking"]) == (True, False)
    assert hook(first, "after_swap")["background"]
    failed = hook(second, "before_swap")
    assert (failed["kind"], failed["on_error"], failed["calls"], failed["failures"]) == ("guard", "continue", 1, 1)
    assert failed["last_error"] == "ValueError: +… (line 4)"
    assert hook(first, "after_swap")["calls"] == 0
