from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.hooks.discovery import Discovery, PluginFault, discover
from router.hooks.names import same_name
from tests.hooks.kit import write

if TYPE_CHECKING:
    from pathlib import Path

GUARD = "@hookimpl\ndef before_swap(handover): ...\n"


def only_fault(found: Discovery) -> PluginFault:
    assert len(found.faults) == 1, found.faults
    return found.faults[0]


def test_a_plugin_is_found_with_what_it_says_of_itself(tmp_path: Path) -> None:
    """A file is a plugin with the name of the file, and what plugin_info returns is kept."""
    path = write(
        tmp_path,
        "ask_first",
        GUARD
        + "@hookimpl\ndef plugin_info():\n"
        + "    return {'name': 'Ask first', 'version': '2.1', 'config_schema': {'type': 'object'}}\n",
    )
    found = discover([tmp_path])
    plugin = found.plugins["ask-first"]
    assert found.faults == ()
    assert (plugin.name, plugin.title, plugin.version) == ("ask-first", "Ask first", "2.1")
    assert plugin.config_schema == {"type": "object"}
    assert plugin.source == str(path)
    assert plugin.hooks == ("plugin_info", "before_swap")


def test_a_plugin_need_not_describe_itself(tmp_path: Path) -> None:
    """Without plugin_info there is no version and no schema; all its keys may be left out, and a schema may be None."""
    write(tmp_path, "a", GUARD)
    write(tmp_path, "b", "@hookimpl\ndef plugin_info():\n    return {'config_schema': None}\n")
    found = discover([tmp_path])
    assert [(plugin.version, plugin.config_schema) for plugin in found.plugins.values()] == [("", None), ("", None)]


def test_an_async_plugin_info_is_read(tmp_path: Path) -> None:
    """Every hook may be async def, also the one that is called at load."""
    write(tmp_path, "a", "@hookimpl\nasync def plugin_info():\n    return {'version': '3'}\n")
    assert discover([tmp_path]).plugins["a"].version == "3"


@pytest.mark.parametrize(
    ("wish", "hooks"),
    [
        ("True", ("after_swap", "swap_failed", "after_hand_back")),
        ("False", ()),
        ("['swap_failed']", ("swap_failed",)),
        ("()", ()),
    ],
)
def test_a_plugin_says_how_it_wants_to_be_called(tmp_path: Path, wish: str, hooks: tuple[str, ...]) -> None:
    """Whether it blocks, and which observers run in the background: all that may, none, or some."""
    info = f"{{'api': 1, 'blocking': True, 'background': {wish}}}"
    write(tmp_path, "a", f"@hookimpl\ndef plugin_info(): return {info}\n")
    plugin = discover([tmp_path]).plugins["a"]
    assert (plugin.blocking, plugin.background) == (True, hooks)


def test_files_are_found_in_name_order_and_private_ones_are_not(tmp_path: Path) -> None:
    """The order does not depend on the file system; names with _ or . in front, and other files, are no plugins."""
    for name in ("zeta", "alpha", "_helper", ".#lock"):
        write(tmp_path, name, GUARD)
    (tmp_path / "notes.txt").write_text("def")
    assert list(discover([tmp_path]).plugins) == ["alpha", "zeta"]


def test_the_first_directory_wins_whatever_the_spelling(tmp_path: Path) -> None:
    """A team's own file takes the place of a bundled one of the same name, where - and _ are the same."""
    own, bundled = tmp_path / "own", tmp_path / "bundled"
    own.mkdir()
    bundled.mkdir()
    mine = write(own, "add-note", GUARD)
    write(bundled, "add_note", GUARD)
    assert discover([own, bundled]).plugins["add-note"].source == str(mine)


def test_a_broken_file_keeps_its_name(tmp_path: Path) -> None:
    """A broken file of one's own is a fault, and is not quietly replaced by the bundled one."""
    own, bundled = tmp_path / "own", tmp_path / "bundled"
    own.mkdir()
    bundled.mkdir()
    write(own, "limits", "1 / 0")
    write(bundled, "limits", GUARD)
    found = discover([own, bundled])
    assert not found.plugins
    assert only_fault(found).file == str(own / "limits.py")


def test_a_directory_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    """A project without a plugins directory is a right one."""
    assert discover([tmp_path / "plugins"]) == Discovery({}, (), {})


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("def broken(:\n    pass\n", 3, "cannot be loaded: SyntaxError: invalid syntax"),
        ("def inner():\n    1 / 0\n\ninner()\n", 4, "cannot be loaded: ZeroDivisionError: division by zero"),
        ("sys.exit('not here')\n", 3, "cannot be loaded: SystemExit: not here"),
        ("\nimport nosuchmodule\n", 4, "cannot be loaded: ModuleNotFoundError: No module named 'nosuchmodule'"),
        ("from . import sibling\n", 3, "cannot be loaded: ImportError: attempted relative import"),
        ("int('x')\n", 3, "cannot be loaded: ValueError: invalid literal for int() with base 10: 'x'"),
        (
            "\n@hookimpl\ndef befor_swap(handover): ...\n",
            5,
            "unknown hook 'befor_swap'; did you mean 'before_swap'? (the hooks are: plugin_info, register_targets, st",
        ),
        (
            "\n@hookimpl(tryfist=True)\ndef before_swap(handover): ...\n",
            4,
            "cannot be loaded: TypeError: @hookimpl has no option 'tryfist'; did you mean 'tryfirst'? (it has: tryfir",
        ),
        (
            "@hookimpl(zzz=True)\ndef before_swap(handover): ...\n",
            3,
            "cannot be loaded: TypeError: @hookimpl has no option 'zzz' (it has: tryfirst, trylast, optionalhook, ",
        ),
        ("@hookimpl\ndef zzz(): ...\n", 4, "unknown hook 'zzz' (the hooks are:"),
        (
            "@hookimpl(\n    tryfirst=True)\nasync def before_swap(handovr): ...\n",
            5,
            "'before_swap' has no argument 'handovr'; did you mean 'handover'? (it has: handover, config, twilio)",
        ),
        ("@hookimpl\ndef plugin_info(x): return {}\n", 4, "'plugin_info' has no argument 'x' (it has: none)"),
        ("@hookimpl\ndef before_swap(*, handover): ...\n", 4, "'before_swap' takes 'handover' by keyword only"),
        ("@hookimpl(wrapper=True)\ndef after_swap():\n    yield\n", 4, "'after_swap' is marked as a wrapper"),
        ("@hookimpl(hookwrapper=True)\ndef after_swap():\n    yield\n", 4, "'after_swap' is marked as a wrapper"),
        ("def before_swap(handover): ...\n", 3, "'before_swap' is not marked @hookimpl"),
        ("@hookimpl\ndef plugin_info(): return None\n", 4, "plugin_info returned NoneType, expected a dict"),
        (
            "@hookimpl\ndef plugin_info(): return {'config_shema': {}}\n",
            4,
            "plugin_info has the key 'config_shema'; did you mean 'config_schema'? (it may have: name, version,",
        ),
        ("@hookimpl\ndef plugin_info(): return {'version': 1.0}\n", 4, "plugin_info's 'version' is float"),
        ("@hookimpl\ndef plugin_info(): return {'config_schema': []}\n", 4, "'config_schema' is list, expected a dict"),
        (
            "@hookimpl\ndef plugin_info(): return {'config_schema': {'type': 'text'}}\n",
            4,
            "plugin_info's 'config_schema' is no JSON Schema: $.type: 'text' is not",
        ),
        (
            "@hookimpl\ndef plugin_info(): return {'api': 2}\n",
            4,
            "it was written for version 2 of the plugin API, and this router has 1: take another of the two",
        ),
        ("@hookimpl\ndef plugin_info(): return {'api': True}\n", 4, "plugin_info's 'api' is bool, expected 1"),
        ("@hookimpl\ndef plugin_info(): return {'blocking': 1}\n", 4, "'blocking' is int, expected true or false"),
        (
            "@hookimpl\ndef plugin_info(): return {'background': 'after_swap'}\n",
            4,
            "plugin_info's 'background' is str, expected true, false or a list of hooks",
        ),
        (
            "@hookimpl\ndef plugin_info(): return {'background': ['before_swap']}\n",
            4,
            "'background' names 'before_swap'; it may name after_swap, swap_failed, after_hand_back",
        ),
        (
            "@hookimpl\nasync def around_swap():\n    yield\n",
            4,
            "'around_swap' has a 'yield', so calling it would not run it: put @asynccontextmanager below @hookimpl",
        ),
        ("@hookimpl\ndef before_swap():\n    yield\n", 4, "has a 'yield', so calling it would not run it"),
        ("@hookimpl\ndef plugin_info():\n    sys.exit(3)\n", 5, "cannot be loaded: SystemExit: 3"),
        (
            "@hookimpl\nasync def plugin_info():\n    await asyncio.sleep(0)\n",
            4,
            "plugin_info returned coroutine, expected a dict",
        ),
    ],
)
def test_a_fault_is_placed_and_explained_and_the_others_load(
    tmp_path: Path, source: str, line: int, message: str
) -> None:
    """Each way in which a file can be wrong gives one fault at its line, and keeps no other plugin from being found."""
    path = write(tmp_path, "bad", source)
    write(tmp_path, "good", GUARD)
    found = discover([tmp_path])
    fault = only_fault(found)
    assert str(fault).startswith(f"{path}:{line}: ")
    assert message in fault.message
    assert list(found.plugins) == ["good"]


def test_every_wrong_hook_of_a_file_is_told(tmp_path: Path) -> None:
    """Not the first fault alone: whoever mends the file wants to know them all."""
    write(tmp_path, "bad", "@hookimpl\ndef befor_swap(): ...\n@hookimpl\ndef after_swap(result, x): ...\n")
    assert [fault.line for fault in discover([tmp_path]).faults] == [6, 6, 4]


def test_a_file_that_cannot_be_read_is_a_fault_at_its_first_line(tmp_path: Path) -> None:
    """A directory with a plugin's name and a broken link end nothing."""
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "link.py").symlink_to(tmp_path / "nowhere.py")
    (tmp_path / "nul.py").write_bytes(b"x = 1\0")  # a SyntaxError without a line, or a ValueError, by version
    found = discover([tmp_path])
    assert [fault.line for fault in found.faults] == [1, 1, 1]
    for fault, reason in zip(found.faults, ("IsADirectoryError", "FileNotFoundError", "null bytes"), strict=True):
        assert reason in fault.message


def test_a_syntax_error_of_an_imported_module_is_placed_at_the_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The place is a line of the plugin's own file, as that is what its author looks at."""
    library, plugins = tmp_path / "library", tmp_path / "plugins"
    library.mkdir()
    plugins.mkdir()
    (library / "halfwritten.py").write_text("\n\n\n\n\n\ndef (")
    monkeypatch.syspath_prepend(library)
    write(plugins, "bad", "import halfwritten\n")
    fault = only_fault(discover([plugins]))
    assert (fault.line, fault.message.split(":")[1]) == (3, " SyntaxError")


def test_an_interrupt_of_the_operator_is_not_swallowed(tmp_path: Path) -> None:
    """Ctrl-C during the load ends the load."""
    write(tmp_path, "slow", "raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        discover([tmp_path])


def test_an_optional_hook_may_be_unknown(tmp_path: Path) -> None:
    """A plugin for several versions marks what not all of them know; it is not listed among its hooks."""
    write(tmp_path, "a", "@hookimpl(optionalhook=True)\ndef from_the_future(): ...\n" + GUARD)
    assert discover([tmp_path]).plugins["a"].hooks == ("before_swap",)


def test_two_discoveries_share_no_state(tmp_path: Path) -> None:
    """Each executes the file anew, and what was executed is found by no import."""
    write(tmp_path, "count", "calls = []\n" + GUARD)
    before = set(sys.modules)
    first, second = (discover([tmp_path]).plugins["count"].plugin for _ in range(2))
    assert first is not second
    assert vars(first)["calls"] is not vars(second)["calls"]
    assert not [name for name in set(sys.modules) - before if "count" in name]


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    """No bytecode is cached: a change of the same size within the same second is seen."""
    write(tmp_path, "a", "@hookimpl\ndef plugin_info(): return {'version': '1'}\n")
    assert discover([tmp_path]).plugins["a"].version == "1"
    write(tmp_path, "a", "@hookimpl\ndef plugin_info(): return {'version': '2'}\n")
    assert discover([tmp_path]).plugins["a"].version == "2"
    assert [path.name for path in tmp_path.iterdir()] == ["a.py"]


def test_a_plugin_may_hold_dataclasses(tmp_path: Path) -> None:
    """A dataclass with annotations as text looks its module up while it is made."""
    source = "from dataclasses import dataclass\n@dataclass\nclass Seen:\n    count: 'int' = 0\n" + GUARD
    path = write(tmp_path, "a", source)
    path.write_text("from __future__ import annotations\n" + path.read_text())
    assert discover([tmp_path]).faults == ()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed distribution with entry points that a test writes."""
    site = tmp_path / "site"
    (site / "teamkit-1.0.dist-info").mkdir(parents=True)
    (site / "teamkit-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: teamkit\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(site)
    monkeypatch.setitem(sys.modules, "teamkit", None)  # so that it is forgotten when the test is over
    monkeypatch.delitem(sys.modules, "teamkit")
    return site


def offer(site: Path, entries: str, source: str) -> None:
    text = "[handover.plugins]\n" + entries
    (site / "teamkit-1.0.dist-info" / "entry_points.txt").write_text(text)
    write(site, "teamkit", source)


CLASS = """
class Note:
    def __init__(self):
        self.calls = 0
    @hookimpl
    def before_swap(self, handover): ...
note = Note()
"""


def test_entry_points_come_after_the_directories(package: Path, tmp_path: Path) -> None:
    """Installed plugins are found by their entry point's name, unless a file bears it."""
    offer(package, "audit_log = teamkit\nlimits = teamkit\n", GUARD)
    own = tmp_path / "own"
    own.mkdir()
    write(own, "limits", GUARD)
    found = discover([own])
    assert {name: plugin.source for name, plugin in found.plugins.items()} == {
        "limits": str(own / "limits.py"),
        "audit-log": "entry point audit_log = teamkit",
    }


def test_a_class_gives_each_discovery_an_object_of_its_own(package: Path) -> None:
    """So an installed plugin keeps state for one app alone."""
    offer(package, "note = teamkit:Note\n", CLASS)
    first, second = (discover([]).plugins["note"] for _ in range(2))
    assert first.hooks == ("before_swap",)
    assert first.plugin is not second.plugin


def test_an_object_is_one_plugin_only(package: Path) -> None:
    """Two names for one object cannot be told apart in a route, so the second is a fault."""
    offer(package, "a = teamkit:note\nb = teamkit:note\n", CLASS)
    found = discover([])
    assert list(found.plugins) == ["a"]
    assert str(only_fault(found)) == (
        "entry point b = teamkit:note:1: 'b' is the same object as 'a': name a class instead"
    )


def test_an_entry_point_that_does_not_load_is_a_fault(package: Path) -> None:
    """It names the entry point, and the others load."""
    offer(
        package, "a = teamkit:nothing\nb = teamkit:Note\nc = teamkit:quits\n", CLASS + "def __getattr__(n): exit(n)\n"
    )
    found = discover([])
    assert list(found.plugins) == ["b"]
    assert [str(fault) for fault in found.faults] == [
        "entry point a = teamkit:nothing:1: cannot be loaded: SystemExit: nothing",
        "entry point c = teamkit:quits:1: cannot be loaded: SystemExit: quits",
    ]


def test_an_interrupt_during_an_entry_point_is_not_swallowed(package: Path) -> None:
    """Ctrl-C ends the load here too."""
    offer(package, "a = teamkit\n", "raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        discover([])


def test_an_object_without_hooks_is_a_plugin_that_does_nothing(package: Path) -> None:
    """It is listed, so that its author sees that nothing is marked."""
    offer(package, "a = teamkit:value\n", "value = object()\n")
    assert discover([]).plugins["a"].hooks == ()


@given(st.text())
def test_a_name_has_one_spelling(name: str) -> None:
    """Normalising twice is normalising once, and - and _ fall together."""
    assert same_name(same_name(name)) == same_name(name)
    assert same_name(name.replace("-", "_")) == same_name(name.replace("_", "-"))


def test_a_source_can_be_given_instead_of_the_file(tmp_path: Path) -> None:
    """What is given is executed in place of the file, also where that is gone; what was executed is told."""
    path = write(tmp_path, "one", "1 / 0\n")
    gone = tmp_path / "gone.py"
    source = b"from router import hookimpl\n\n@hookimpl\ndef plugin_info():\n    return {'version': '7'}\n"
    given = {path: source, gone: source, tmp_path / "routes.yaml": b"{", tmp_path / "sub" / "no.py": b"1 / 0"}
    found = discover([tmp_path], given)
    assert [(plugin.name, plugin.version) for plugin in found.plugins.values()] == [("gone", "7"), ("one", "7")]
    assert dict(found.read) == {path: source, gone: source}


def test_a_pipe_is_no_plugin(tmp_path: Path) -> None:
    """What nobody may ever write to is not waited for."""
    os.mkfifo(tmp_path / "pipe.py")
    assert "it is no regular file" in only_fault(discover([tmp_path])).message


@pytest.mark.parametrize(
    ("schema", "is_right"),
    [
        ({"type": "object"}, True),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}, True),
        ({"properties": {"pattern": {"patternProperties": {"^a": {"pattern": "b+"}}}}}, True),
        ({"allOf": [{"pattern": "("}]}, False),
        ({"patternProperties": {"(": {}}}, False),
        ({"type": "text"}, False),
        ({"properties": {1: {}}}, True),
        ({"default": {1, 2}}, True),
    ],
)
def test_a_schema_is_judged_alike_by_whoever_looks_first(tmp_path: Path, schema: object, *, is_right: bool) -> None:
    """What is told to be a JSON Schema at once is one, and what is not is explained."""
    write(tmp_path, "mine", f"@hookimpl\ndef plugin_info():\n    return {{'config_schema': {schema!r}}}\n")
    found = discover([tmp_path])
    assert [("no JSON Schema" in fault.message) for fault in found.faults] == [True] * (not is_right)
