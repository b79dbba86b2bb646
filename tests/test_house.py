"""The rules of the house, held by tests: who may know whom, how large a module is, what every test says."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

import router

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "router").rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins").glob("*.py"))
BENCH = sorted((ROOT / "bench").glob("*.py"))
TESTS = sorted(path for path in (ROOT / "tests").rglob("*.py") if "examples" not in path.parts)

GROUND = {"router.errors", "router.clock", "router.model"}
MAY_KNOW = {
    "router.errors": {"router.model"},  # for types alone: a ConfigError carries diagnostics
    "router.clock": set(),
    "router.bundled": set(),
    "router.log": set(),
    "router.turnstile": set(),
    "router.whole_answers": set(),
    "router.arrivals": {"router.whole_answers"},
    "router.serving": {"router.whole_answers"},
    "router.settings": GROUND,
    "router.model": {"router.errors"},
    "router.twilio": GROUND | {"router", "router.turnstile"},
    "router.ledger": GROUND,
    "router.hooks": GROUND,
    "router.callers": GROUND,
    "router.swap": GROUND,
    "router.config": GROUND | {"router.bundled", "router.hooks"},
    "router.resolution": GROUND,
    "router.line": {"router.turnstile"},
    "router.names": set(),
    "router.desk": GROUND | {"router.hooks", "router.ledger", "router.line", "router.names", "router.swap"},
    "router.turns": GROUND | {"router.desk", "router.ledger", "router.record"},
    "router.ticket": GROUND | {"router.line"},
    "router.case": GROUND | {"router.desk", "router.ledger", "router.swap", "router.ticket", "router.turns"},
    "router.entry": GROUND | {"router.desk", "router.ledger", "router.resolution", "router.swap", "router.ticket"},
    "router.runs": GROUND | {"router.ledger"},
    "router.aftercare": GROUND
    | {"router.case", "router.desk", "router.ledger", "router.record", "router.runs", "router.swap", "router.turns"},
    "router.shares": set(),
    "router.telling": GROUND | {"router.desk", "router.ledger", "router.record", "router.shares"},
    "router.places": set(),
    "router.rounds": GROUND
    | {"router.aftercare", "router.desk", "router.ledger", "router.places", "router.shares", "router.telling"},
    "router.hand_back": {"router.clock", "router.ledger"},
    "router.record": GROUND | {"router.ledger"},
    "router.handover": GROUND
    | {"router.case", "router.desk", "router.entry", "router.hooks", "router.ledger", "router.line"}
    | {"router.resolution", "router.swap", "router.ticket", "router.turns"},
    "router.explanation": GROUND | {"router.callers", "router.config", "router.resolution"},
    "router.definitions": GROUND | {"router.resolution"},
    "router.rehearsal": GROUND
    | {"router.callers", "router.config", "router.desk", "router.handover", "router.hooks", "router.ledger"}
    | {"router.log", "router.swap", "router.twilio"},
    "router.workshop": GROUND | {"router.config", "router.hooks", "router.rehearsal"},
    "router.online": GROUND,
    "router.web": GROUND
    | {"router.callers", "router.config", "router.desk", "router.hand_back", "router.handover", "router.hooks"}
    | {
        "router.ledger",
        "router.line",
        "router.record",
        "router.rounds",
        "router.settings",
        "router.swap",
        "router.twilio",
    }
    | {"router.workshop"},
    "router.sandbox": GROUND
    | {"router.bundled", "router.config", "router.log", "router.serving", "router.settings", "router.twilio"}
    | {"router.web"},
    "router.cli": {"router"}
    | GROUND
    | {"router.bundled", "router.config", "router.hooks", "router.log", "router.rehearsal", "router.sandbox"}
    | {"router.definitions", "router.explanation", "router.serving", "router.settings", "router.web"}
    | {
        "router.arrivals",
        "router.hand_back",
        "router.ledger",
        "router.online",
        "router.twilio",
        "router.whole_answers",
    },
    "router.testing": GROUND
    | {"router.hooks", "router.log", "router.sandbox", "router.serving", "router.settings", "router.twilio"}
    | {"router.web"},
    "router.pytest_plugin": {"router.testing"},
    "router": {"router.errors", "router.hooks", "router.model"},
}
"""Each room and the rooms that it may import, types included."""


def room_of(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "router" else parts[0]


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            found |= {f"router.{alias.name}" for alias in node.names if module == "router" and _is_room(alias.name)}
            found |= set() if module == "router" and all(_is_room(alias.name) for alias in node.names) else {module}
    return found


def _is_room(name: str) -> bool:
    return (ROOT / "router" / name).is_dir() or (ROOT / "router" / f"{name}.py").is_file()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_one_way(path: Path) -> None:
    """A module imports from its own room and from those that its room may know, and from no other."""
    room = room_of(name_of(path))
    known = {room_of(module) for module in imports(path) if module.split(".")[0] == "router"}
    assert known <= MAY_KNOW[room] | {room}


def test_only_one_room_imports_the_sdk() -> None:
    """``twilio`` is imported in ``router/twilio`` and nowhere else, plugins included."""
    users = {
        room_of(name_of(path))
        for path in (*MODULES, *PLUGINS)
        if any(module.split(".")[0] == "twilio" for module in imports(path))
    }
    assert users == {"router.twilio"}


def test_plugins_use_the_public_names_alone() -> None:
    """A bundled plugin imports from ``router`` itself, so that an author can copy it as it stands."""
    for path in PLUGINS:
        assert {module for module in imports(path) if module.split(".")[0] == "router"} == {"router"}, path.name


def test_the_public_names_are_those_listed() -> None:
    """``router`` offers what ``__all__`` lists, sorted, and each of it is there."""
    assert router.__all__ == sorted(router.__all__)
    assert router.__all__ == [
        *("Decline", "Handover", "Outcome", "Target", "Twilio", "TwilioError", "TwilioRefused"),
        *("__version__", "hookimpl"),
    ]
    assert all(hasattr(router, name) for name in router.__all__)


@pytest.mark.parametrize("path", [*MODULES, *PLUGINS], ids=name_of)
def test_a_module_is_small(path: Path) -> None:
    """No module has more than 400 lines, and no function more than 60."""
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, node.name


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_every_test_says_which_behaviour_it_holds(path: Path) -> None:
    """Each test function has a docstring."""
    mute = [
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert mute == []


def test_the_version_stands_in_one_tongue() -> None:
    """The package, the project's metadata and the changelog name the same version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == router.__version__
    assert re.search(rf"^## {re.escape(router.__version__)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_every_exemption_gives_its_reason() -> None:
    """A ``noqa``, a ``type: ignore`` or a ``no cover`` says on its line why it is right."""
    marks = re.compile(r"#\s*(?:noqa(?::\s*[A-Z0-9, ]+)?|type:\s*ignore(?:\[[\w, -]+\])?|pragma:\s*no cover)(.*)$")
    bare = [
        f"{name_of(path)}: {line.strip()}"
        for path in (*MODULES, *PLUGINS, *TESTS, *BENCH)
        for line in path.read_text().splitlines()
        if (match := marks.search(line)) and not re.search(r"\w{3}", match[1])
    ]
    assert bare == []
