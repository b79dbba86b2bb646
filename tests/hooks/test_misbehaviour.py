"""Every hook, called in every way, with everything that a plugin can do wrong: who feels it, and who does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from textwrap import indent
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from router import Outcome
from router.clock import Clock
from router.errors import TwilioBusy
from router.hooks import life
from router.hooks.discovery import discover
from router.hooks.host import PluginFailed, PluginHost, PluginReport
from router.hooks.specs import ARGUMENTS, KINDS, Kind
from router.model.call import ToolCall
from router.model.routes import Intent, OnError, PluginUse, Route, Routes, Tool
from tests.hooks.kit import CONTINUE, HANDOVER, LISTED, STOP, TWILIO, write

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

DEADLINE = 0.05
LONG = 30.0
LATE = 0.075
"""Seconds that one blocks: more than it may, and less than all of a hook may together."""

HELPERS = """
import router
import threading
from contextlib import asynccontextmanager, nullcontext

GATE = threading.Event()

class Odd(BaseException):
    pass

class Unreadable(Exception):
    def __str__(self):
        raise Odd

class Nameless(type):
    @property
    def __name__(self):
        sys.exit(7)

class Words(str):
    def __format__(self, form):
        sys.exit(7)
    __len__ = __format__

class Indescribable(Exception, metaclass=Nameless):
    def __str__(self):
        return Words("Oh.")
    @property
    def __class__(self):
        sys.exit(7)
    @property
    def __traceback__(self):
        sys.exit(7)

class Mute(Decline):
    def __init__(self):
        Exception.__init__(self)

class Secretive(Mute):
    @property
    def sentence(self):
        sys.exit(7)

class Page:
    def __init__(self, handle=print):
        self.handle = handle
    def matches(self, scope):
        pass

class Desk(router.Target):
    start = find = stop = None
"""
CRASHES = {
    "an exception": ("raise ValueError('no such thing')", "ValueError: no such thing"),
    "a base exception": ("raise Odd", "Odd"),
    "SystemExit": ("sys.exit(7)", "SystemExit: 7"),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "a cancellation of its own": ("raise asyncio.CancelledError", "CancelledError"),
    "GeneratorExit": ("raise GeneratorExit", "GeneratorExit"),
    "an exception without a text": ("raise Unreadable", "Unreadable: its text cannot be read"),
    "an exception that cannot be described": ("raise Indescribable", "an exception without a name: Oh."),
}
HANGS = {
    "hanging": ("await asyncio.Event().wait()", "no answer within 0.05 s"),
    "hanging on": (
        "try:\n    await asyncio.Event().wait()\nexcept BaseException:\n    await asyncio.sleep(0.1)",
        "no answer within 0.05 s",
    ),
}
BLOCKS = {"hanging in a thread": ("GATE.wait()", "no answer within 0.05 s")}
TARDY = {
    "blocking beyond the deadline": ("late()\n{}", "it held the event loop for 0.075 s, and 0.05 s is the deadline"),
}
BLANK = {"a blank message": ("return handover.replace(message=' ')", "gave a message without a word for the model")}
MEDDLES = {
    "cancelling its caller": ("asyncio.current_task().cancel()\n{}", "it cancelled the task that called it"),
}
NO = {"a decline": ("raise Decline('No.')", "Decline: No.")}
WRONG = {"a wrong type": ("return 7", "returned int")}
MANY = "return [Page() for _ in range(101)]"
HUGE = {
    "choose_intent": ("return 'x' * 1_000_000", "chose the intent 'xxxx"),
    "before_swap": ("return handover.replace(message='x' * 65537)", "gave a message of 65537 characters, expected at"),
    "add_attributes": ("return {'a': ['x'] * 1_000_000}", "returned more than 16384 characters of JSON"),
    "register_endpoints": (MANY, "returned 101 endpoints, expected at most 100"),
    "register_targets": ("return {str(n): n for n in range(101)}", "returned 101 targets, expected at most 100"),
}
DECLINES = {
    "a huge sentence": ("raise Decline('x' * 65537)", "gave a sentence of 65537 characters, expected at most 65536"),
    "no sentence": ("raise Mute", "declined without a sentence for the model"),
    "a secret sentence": ("raise Secretive", "declined without a sentence for the model"),
}
REFUND = Tool("/tools/support", Route(), intents={"refund": Intent("refund", Route())})
CALL = ToolCall(REFUND.path, "ai_assistants")
NO_ROUTES = Routes({}, {}, ())
GOOD = {
    "around_swap": "return nullcontext()",
    "register_targets": "return {'desk': Desk()}",
    "register_endpoints": "return [Page()]",
    "choose_intent": "return 'refund'",
    "before_swap": "return handover.replace(message='checked')",
    "add_attributes": "return {'good': 1}",
}
RESULTS = {
    "choose_intent": "refund",
    "before_swap": HANDOVER.replace(message="checked"),
    "add_attributes": {"good": 1},
}
"""What comes of asking the good plugin alone."""

LOADED = ("plugin_info", "register_targets")
CALLED = [hook for hook in KINDS if hook not in LOADED]
PLAIN = [hook for hook in CALLED if hook != "around_swap"]
STOPPABLE = ("choose_intent", "before_swap", "add_attributes", "around_swap")


@dataclass(frozen=True)
class Cell:
    """One hook that one plugin gets wrong in one way; ``define`` says how it is written."""

    hook: str
    what: str
    define: str
    body: str
    reason: str
    on_error: OnError = STOP

    @property
    def name(self) -> str:
        return f"{self.hook}-{self.what}-{self.define}-{self.on_error}"

    @property
    def source(self) -> str:
        arguments = ", ".join(ARGUMENTS[self.hook])
        lines = indent(self.body, "    ")
        if self.define == "entering":
            lines, mark, define = f"{lines}\n    yield", "@hookimpl\n@asynccontextmanager", "async def"
        elif self.define == "leaving":
            lines = f"    try:\n        yield\n    finally:\n{indent(lines, '    ')}"
            mark, define = "@hookimpl\n@asynccontextmanager", "async def"
        else:
            mark, define = "@hookimpl", self.define.removesuffix(" in a thread")
        blocking = "\n@hookimpl\ndef plugin_info(): return {'blocking': True}\n" if "thread" in self.define else ""
        return f"{HELPERS}{blocking}\n{mark}\n{define} {self.hook}({arguments}):\n{lines}\n"


def cells_of(hook: str) -> Iterator[Cell]:
    huge = {"a huge answer": HUGE[hook]} if hook in HUGE else {}
    declines = DECLINES if KINDS[hook] is Kind.GUARD else {}
    blank = BLANK if hook == "before_swap" else {}
    shared = {**CRASHES, **WRONG, **huge, **blank, **declines}
    tardy = {what: (body.format(GOOD.get(hook, "pass")), reason) for what, (body, reason) in TARDY.items()}
    meddles = {what: (body.format(GOOD.get(hook, "pass")), reason) for what, (body, reason) in MEDDLES.items()}
    ways = {
        "def": {**shared, **tardy, **meddles},
        "async def": {**shared, **tardy, **HANGS},
        "def in a thread": {**shared, **BLOCKS},
    }
    if hook == "around_swap":
        within = {**CRASHES, **HANGS}
        ways |= {"entering": {**within, **declines}, "leaving": {**within, **NO}}
    for define, wrongs in ways.items():
        for what, (body, reason) in wrongs.items():
            yield Cell(hook, what, define, body, reason)
            if hook in STOPPABLE and what not in DECLINES:
                yield Cell(hook, what, define, body, reason, CONTINUE)


CELLS = [cell for hook in CALLED for cell in cells_of(hook)]
INFO = [
    Cell("plugin_info", what, define, body, reason)
    for define in ("def", "async def")
    for what, (body, reason) in (CRASHES | {"a wrong type": ("return 7", "plugin_info returned int")}).items()
]
TARGETS = [
    Cell("register_targets", what, define, body, reason)
    for define in ("def", "async def")
    for what, (body, reason) in (CRASHES | WRONG | {"a huge answer": HUGE["register_targets"]}).items()
]
BACKGROUND = [cell for hook in ("after_swap", "swap_failed", "after_hand_back") for cell in cells_of(hook)]
ENDPOINTS = [
    Cell("register_endpoints", what, "async def", body, reason) for what, (body, reason) in (CRASHES | WRONG).items()
]


@dataclass
class Scene:
    """A bad plugin and a good one with the same hook, and what their host reports."""

    host: PluginHost
    uses: tuple[PluginUse, ...]
    reports: list[PluginReport] = field(default_factory=list)

    async def ask(self, hook: str) -> Any:
        """Call a hook of both, the bad one first."""
        host, uses = self.host, self.uses
        asked: dict[str, Callable[[], Awaitable[Any]]] = {
            "started": lambda: host.start(uses, TWILIO),
            "register_endpoints": lambda: host.start(uses, TWILIO),
            "choose_intent": lambda: host.choose_intent(CALL, REFUND, uses),
            "before_swap": lambda: host.before_swap(HANDOVER, uses, LISTED.get, TWILIO),
            "add_attributes": lambda: host.add_attributes(HANDOVER, uses),
            "around_swap": self._swap,
            "after_swap": lambda: host.after_swap(HANDOVER, Outcome.HANDED_OVER, uses, TWILIO),
            "swap_failed": lambda: host.swap_failed(HANDOVER, TwilioBusy("create", "busy"), uses, TWILIO),
            "before_hand_back": lambda: host.before_hand_back(HANDOVER, uses, TWILIO),
            "after_hand_back": lambda: host.after_hand_back(HANDOVER, uses, TWILIO),
            "routes_reloaded": self._reload,
            "stopped": self._stop,
        }
        return await asked[hook]()

    def check(self, cell: Cell) -> None:
        """Hold that the failure is counted once, and told with the plugin's name."""
        figures = self.host.figures["bad", cell.hook]
        assert figures.failures == 1
        assert figures.blocked == ("blocking" in cell.what)
        assert figures.last_error.startswith(cell.reason)
        assert [(each.plugin, each.hook, each.kind) for each in self.reports] == [("bad", cell.hook, KINDS[cell.hook])]
        assert self.reports[0].reason == figures.last_error

    def good_ran(self, hook: str) -> bool:
        figures = self.host.figures.get(("good", hook))
        return figures is not None and figures.failures == 0

    async def _swap(self) -> None:
        async with self.host.around_swap(HANDOVER, self.uses, TWILIO):
            pass

    async def _reload(self) -> None:
        await self.host.start(self.uses, TWILIO)
        await self.host.routes_reloaded(NO_ROUTES, NO_ROUTES)

    async def _stop(self) -> None:
        await self.host.start(self.uses[::-1], TWILIO)
        await self.host.stop(TWILIO)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """The scene for a cell; what hangs in a thread is let go in the end."""
    cell: Cell = request.getfixturevalue("cell")
    # What ends by itself is not hurried: on a busy machine a thread may come to its turn late.
    deadline = DEADLINE if f"{DEADLINE} s" in cell.reason else LONG
    monkeypatch.setattr(life, "PATIENCE", deadline)
    write(tmp_path, "bad", cell.source)
    write(tmp_path, "good", Cell(cell.hook, "", "async def", GOOD.get(cell.hook, "pass"), "").source)
    found = discover([tmp_path])
    assert not found.faults, found.faults
    made = Scene(PluginHost.of(()), (PluginUse("bad", on_error=cell.on_error), PluginUse("good")))
    ahead = [0.0]
    for plugin in found.plugins.values():
        vars(plugin.plugin)["late"] = lambda: ahead.append(LATE)
    clock = Clock(monotonic=lambda: sum(ahead))
    made.host = PluginHost.of(found.plugins.values(), clock, deadline=deadline, report=made.reports.append)
    yield made
    vars(found.plugins["bad"].plugin)["GATE"].set()


def each(cells: Sequence[Cell]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("cell", cells, ids=[cell.name for cell in cells])


@each([cell for cell in CELLS if cell.hook in STOPPABLE and cell.on_error is STOP and cell.define != "leaving"])
async def test_it_stops_the_handover_and_is_named(scene: Scene, cell: Cell) -> None:
    """A guard or a contributor whose failure stops: the error names plugin and hook, and nobody is asked after it."""
    with pytest.raises(PluginFailed, match=f"^plugin 'bad' failed in {cell.hook}: ") as failed:
        await scene.ask(cell.hook)
    assert failed.value.reason.startswith(cell.reason)
    scene.check(cell)
    assert scene.good_ran(cell.hook) is (cell.hook == "add_attributes")  # these are asked side by side


@each(
    [cell for cell in CELLS if cell.on_error is CONTINUE and "blocking" not in cell.what and cell.define != "leaving"]
)
async def test_it_is_skipped_and_the_next_one_is_asked(scene: Scene, cell: Cell) -> None:
    """A guard or a contributor whose failure does not stop: as if it were not there, but for the log."""
    assert await scene.ask(cell.hook) == RESULTS.get(cell.hook)
    scene.check(cell)
    assert scene.good_ran(cell.hook)


@each([cell for cell in CELLS if cell.define == "leaving"])
async def test_leaving_is_never_felt(scene: Scene, cell: Cell) -> None:
    """What goes wrong once the flow answers changes nothing, whatever on_error says; the others are left too."""
    await scene.ask(cell.hook)
    scene.check(cell)
    assert scene.good_ran(cell.hook)
    assert scene.host.figures["good", cell.hook].calls == 2


@each([cell for cell in CELLS if KINDS[cell.hook] is Kind.OBSERVER or cell.hook == "before_hand_back"])
async def test_it_is_never_felt(scene: Scene, cell: Cell) -> None:
    """An observer, or the guard of the way back: it is logged and counted, and the next one is called."""
    await scene.ask(cell.hook)
    scene.check(cell)
    assert scene.good_ran(cell.hook)


@each(BACKGROUND)
async def test_in_the_background_it_is_told_to_who_asked(scene: Scene, cell: Cell) -> None:
    """The ledger gets the reason, and decides whether to try again; another plugin does not even notice."""
    given = {"handover": HANDOVER, "outcome": Outcome.HANDED_OVER, "error": TwilioBusy("create", "busy")}
    given |= {"twilio": TWILIO}
    reason = await scene.host.tell_one("bad", cell.hook, given, scene.uses)
    assert reason.startswith(cell.reason)
    scene.check(cell)
    assert await scene.host.tell_one("good", cell.hook, given, scene.uses) == ""


@each([cell for cell in CELLS if KINDS[cell.hook] is Kind.LIFECYCLE])
async def test_it_keeps_the_configuration_from_going_live(scene: Scene, cell: Cell) -> None:
    """A plugin that cannot start is a fault with its name; the others are asked all the same, to know all faults."""
    (failure,) = await scene.ask(cell.hook)
    assert (failure.plugin, failure.hook) == ("bad", cell.hook)
    assert failure.reason.startswith(cell.reason)
    scene.check(cell)
    assert scene.good_ran(cell.hook)
    assert (scene.host.started, scene.host.endpoints) == ((), {})


@each(ENDPOINTS)
async def test_an_endpoint_harms_nobody_else(tmp_path: Path, cell: Cell) -> None:
    """It is counted by its plugin's name, and whoever serves it is told that there is no answer."""
    source = f"\nasync def handle():\n{indent(cell.body, '    ')}\n"
    source += "@hookimpl\ndef register_endpoints(): return [Page(handle)]\n"
    write(tmp_path, "bad", HELPERS + source)
    made = Scene(PluginHost.of(()), (PluginUse("bad"),))
    made.host = PluginHost.of(discover([tmp_path]).plugins.values(), deadline=DEADLINE, report=made.reports.append)
    assert await made.host.start(made.uses, TWILIO) == []
    assert await made.host.serve("bad", made.host.endpoints["bad"][0].handle) is False
    made.check(cell)


@each([cell for cell in TARGETS if cell.what != "KeyboardInterrupt"])
async def test_targets_that_cannot_be_had_are_a_fault(scene: Scene, cell: Cell) -> None:
    """The fault names the plugin, and what the others give is there."""
    found, (failure,) = scene.host.targets(scene.uses)
    assert [(name, plugin) for name, (plugin, _target) in found.items()] == [("desk", "good")]
    assert (failure.plugin, failure.hook) == ("bad", "register_targets")
    assert failure.reason.startswith(cell.reason)
    scene.check(cell)


@each([cell for cell in (*INFO, *TARGETS) if cell.what == "KeyboardInterrupt"])
def test_an_interrupt_during_the_load_is_the_operators(tmp_path: Path, cell: Cell) -> None:
    """While the configuration is loaded no handover is at stake, and Ctrl-C must end it."""
    write(tmp_path, "bad", cell.source)
    with pytest.raises(KeyboardInterrupt):
        PluginHost.of(discover([tmp_path]).plugins.values()).targets((PluginUse("bad"),))


@each([cell for cell in INFO if cell.what != "KeyboardInterrupt"])
def test_a_description_that_cannot_be_had_is_a_fault(tmp_path: Path, cell: Cell) -> None:
    """The plugin is not loaded, and the fault names its file; the others are found."""
    path = write(tmp_path, "bad", cell.source)
    write(tmp_path, "good", Cell("plugin_info", "", "def", "return {}", "").source)
    found = discover([tmp_path])
    assert list(found.plugins) == ["good"]
    (fault,) = found.faults
    assert fault.file == str(path)
    assert cell.reason in fault.message


def test_the_matrix_has_every_hook() -> None:
    """A hook that is added must say here what becomes of its misbehaviour."""
    cells = [*CELLS, *INFO, *TARGETS, *BACKGROUND, *ENDPOINTS]
    assert {cell.hook for cell in cells} == set(KINDS)
    assert all(MappingProxyType(CRASHES).keys() <= {c.what for c in cells if c.hook == hook} for hook in KINDS)
