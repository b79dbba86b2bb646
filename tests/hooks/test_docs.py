"""The pages for plugin authors say what the code does: signatures, kinds, bounds, names, and when a hook runs."""

from __future__ import annotations

import dataclasses
import inspect
import re

import pytest

import router
from router.bundled import PLUGINS
from router.hooks import answers, caller, inspection, life, specs, threads
from router.hooks.figures import RECENT, Figures
from router.hooks.specs import API, ARGUMENTS, BACKGROUND, KINDS, Kind
from router.model import masking
from router.model.call import Identity, ToolCall
from router.model.handover import Handover
from router.model.routes import Intent, Route, Tool
from router.settings import Settings
from router.twilio import gateway, transport
from router.web import pages, returns
from tests.hooks import test_examples
from tests.hooks.pages import DOCS, INDEX, RULES, blocks, page_of, rows, section

EACH, SUM = f"{life.DEADLINE:g} s", f"{life.SUM * life.DEADLINE:g} s"
PATIENCE = f"{life.PATIENCE:g} s"
DEADLINE, LIMITS = Settings().deadline, transport.Limits()
A_CALL = f"{EACH} a call, {SUM} for all together"
TIMES = dict.fromkeys(KINDS, A_CALL)
TIMES |= dict.fromkeys(("plugin_info", "register_targets"), "no bound")
TIMES |= dict.fromkeys(("started", "register_endpoints", "stopped"), f"{PATIENCE} a call")
TIMES |= dict.fromkeys(BACKGROUND, f"{A_CALL}; {PATIENCE} a call in the background")
TIMES |= {"around_swap": f"{EACH} to enter and {EACH} to leave; {SUM} for all to enter, {SUM} for all to leave"}
BOUNDS = {
    "one call of one plugin": EACH,
    "all calls of one hook for one handover": SUM,
    "a call of `started`, `register_endpoints` or `stopped`, and one in the background": PATIENCE,
    "all calls of `stopped` when the server stops": PATIENCE,
    "all guards of a hand-back": f"half of `HANDOVER_DEADLINE`, {DEADLINE * returns.GUARDS_SHARE:g} s as it comes",
    "requests of all plugins to Twilio at the same time": (
        f"{LIMITS.connections * gateway.PLUGINS_SHARE:g} of {LIMITS.connections} connections; more wait for their turn"
    ),
    "the body of a request to an endpoint": f"{pages.LARGEST // 1024 // 1024} MiB, then 413",
    "how long a call may hold the event loop before the log names it": f"{1000 * caller.BLOCKS:g} ms",
    "calls of one plugin that may hang in their threads": f"{threads.MOST_HUNG}",
    "calls of one plugin that may go on although they were cancelled": f"{threads.MOST_HUNG}",
    "what `add_attributes` returns, as JSON": f"{answers.LARGEST_JSON // 1024} KiB",
    "a sentence: of `Decline`, or in `replace(message=...)`": f"{answers.LONGEST_SENTENCE // 1024} KiB",
    "the name of an intent that is chosen": f"{answers.LONGEST_NAME} characters",
    "endpoints of one plugin, targets of one plugin": f"{answers.MOST} each",
    "an exception's text in the log": f"{masking.LONGEST} characters",
}
(LIFE,) = (block for block in blocks("text", INDEX) if "choose_intent" in block)
MARK = "--> "
BUNDLED = sorted(PLUGINS.glob("*.py"))
each_hook = pytest.mark.parametrize("hook", KINDS)


@each_hook
def test_a_page_has_the_live_signature(hook: str) -> None:
    """Its heading is the hook with its arguments; the table has each of them, with its type, and no other."""
    page = page_of(hook)
    assert page.startswith(f"# `{hook}({', '.join(ARGUMENTS[hook])})`\n")
    table = rows(page.split("\n| | |\n")[0])
    parameters = inspect.signature(getattr(specs, hook)).parameters
    assert {name: cells[0].strip("`") for name, cells in table.items()} == {
        name: parameter.annotation for name, parameter in parameters.items()
    }


@each_hook
def test_a_page_says_how_its_hook_is_called(hook: str) -> None:
    """Kind, order and time are those of the code, and the spec says the same kind and order."""
    facts = rows(page_of(hook))
    assert facts["Kind"] == [KINDS[hook]]
    assert facts["Time"] == [TIMES[hook]]
    assert facts["Returns"] == [f"`{inspect.signature(getattr(specs, hook)).return_annotation}`"]
    told = " ".join((getattr(specs, hook).__doc__ or "").replace("`", "").split())
    (order,) = facts["Called"]
    assert f"Kind: {KINDS[hook]}; {order.replace('`', '')}" in told.replace("; called once", "; once")


@each_hook
def test_a_page_shows_its_place_in_the_life_of_a_handover(hook: str) -> None:
    """It has a piece of the drawing of the first page, in which just the lines of the hook are marked."""
    drawing = blocks("text", page_of(hook))[0]
    marked = [line for line in drawing.splitlines() if line.startswith(MARK)]
    plain = drawing.replace(MARK, " " * len(MARK))
    assert f"\n{plain}" in f"\n{LIFE}"
    own = [line for line in LIFE.splitlines() if re.match(rf" +\|  {hook} ", line)]
    assert own
    assert [line.replace(MARK, " " * len(MARK)) for line in marked] == own


@each_hook
def test_a_page_says_what_a_failure_does(hook: str) -> None:
    """Who reads about a hook must not look for that elsewhere."""
    assert "\n## What a failure does\n\n" in page_of(hook)


@each_hook
def test_the_first_page_leads_to_each_hook(hook: str) -> None:
    """The table of the hooks has its link and its kind."""
    assert rows(INDEX)[f"[`{hook}`](hooks/{hook}.md)"][0] == KINDS[hook]


@each_hook
def test_every_hook_has_a_test_of_its_own(hook: str) -> None:
    """It is named for the hook, and runs the example of its page."""
    assert callable(getattr(test_examples, f"test_hook_{hook}", None))


def test_no_page_is_about_what_is_never_called() -> None:
    """There is a page a hook and no other; the first page lists them in the order of a plugin's life."""
    assert {path.stem for path in (DOCS / "hooks").iterdir()} == set(KINDS)
    assert re.findall(r"^\| \[`(\w+)`\]\(hooks/", INDEX, re.MULTILINE) == list(KINDS)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_says_what_its_failure_does(kind: Kind) -> None:
    """The first page has one row a kind."""
    assert f"\n| {kind} | " in INDEX


def test_the_bounds_are_those_of_the_code() -> None:
    """Each number of the table is the constant that is gone by."""
    table = rows(section(RULES, "Time"))
    assert {what: bound for what, (bound,) in table.items()} == BOUNDS


@pytest.mark.parametrize(
    ("hook", "bounds"),
    [
        ("add_attributes", [f"{answers.LARGEST_JSON // 1024} KiB"]),
        ("register_endpoints", [f"{answers.MOST} at the most"]),
        ("register_targets", [f"{answers.MOST} at the most"]),
        ("plugin_info", [f"written for: {API}."]),
    ],
)
def test_a_page_has_the_bounds_of_its_answer(hook: str, bounds: list[str]) -> None:
    """What it says of how much may be returned is what is held."""
    page = page_of(hook)
    assert [bound for bound in bounds if bound not in page] == []


def test_the_public_names_are_just_those_that_are_documented() -> None:
    """What the rules list is what ``router`` offers."""
    assert list(rows(section(RULES, "The names"))) == router.__all__


def test_each_bundled_plugin_is_listed() -> None:
    """The first page has a row for each of them: its page's title, and the sentence with which that begins."""
    table = rows(section(INDEX, "Those that come with the router"))
    pages = [(path, (DOCS / f"{path.stem}.md").read_text("utf-8").splitlines()) for path in BUNDLED]
    names = [path.stem.replace("_", "-") for path, _page in pages]
    assert [page[0] for _path, page in pages] == [f"# {name}" for name in names]
    assert table == {f"[`{name}`]({path.stem}.md)": [page[2]] for name, (path, page) in zip(names, pages, strict=True)}


@each_hook
def test_a_hook_has_a_plugin_to_look_at(hook: str) -> None:
    """The plugins that its row names have the hook; it names one wherever a bundled one has it."""
    having = {
        path.stem for path in BUNDLED if re.search(rf"^(async )?def {hook}\(", path.read_text("utf-8"), re.MULTILINE)
    }
    cell = rows(INDEX)[f"[`{hook}`](hooks/{hook}.md)"][2]
    named = set(re.findall(r"\]\((\w+)\.md\)", cell))
    assert named <= having
    assert bool(named) == bool(having) or cell == "all that are bundled"


def test_each_field_of_a_handover_is_documented() -> None:
    """The rules list all of them, in their order."""
    assert list(rows(section(RULES, "A handover"))) == [each.name for each in dataclasses.fields(Handover)]


def test_each_figure_is_documented() -> None:
    """The rules list what is counted, and over how many calls."""
    table = rows(section(RULES, "Figures"))
    assert list(table) == [each.name for each in dataclasses.fields(Figures)]
    assert f"95 of the last {RECENT} calls" in table["p95"][0]


def test_what_a_plugin_says_of_itself_is_documented() -> None:
    """The page has each key that ``plugin_info`` may return, and each hook that may run in the background."""
    table = rows(section(page_of("plugin_info"), "What it may return"))
    assert set(table) == set(inspection._KEYS)
    assert ", ".join(f"`{hook}`" for hook in BACKGROUND) in table["background"][0]


def test_what_is_told_of_a_call_and_a_tool_is_there() -> None:
    """The page of choose_intent names no attribute that they lack."""
    page = page_of("choose_intent")
    call = ToolCall("/tools/a", "ai_assistants", identity=Identity("email", "ann@example.com"))
    tool = Tool(call.path, Route(), intents={"refund": Intent("refund", Route())})
    texts = (page.split(f"\n| Of `{name}` |")[1].split("\n\n")[0] for name in ("call", "tool"))
    for text, thing in zip(texts, (call, tool), strict=True):
        first_cells = re.findall(r"^\| (`[^|]+)\|", text, re.MULTILINE)
        names = re.findall(r"`(\w+)", " ".join(first_cells))
        assert names
        assert [name for name in names if not hasattr(thing, name)] == []
