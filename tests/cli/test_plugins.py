from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from anyio.from_thread import start_blocking_portal
from click.testing import CliRunner
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from router import bundled
from router.cli import group
from router.serving import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result
    from starlette.requests import Request

ROOT = Path(__file__).parents[2]
FLOW = "FW00000000000000000000000000000001"
ROUTES = f"version: 1\nflows: {{refunds: {FLOW}}}\nauth: [twilio_signature]\ntools: {{/refunds: {{flow: refunds}}}}\n"
FIRST = """
from router import hookimpl

@hookimpl
def plugin_info():
    return {"name": "The first", "version": "1.2"}

@hookimpl
def started(config): ...

@hookimpl
def before_swap(handover): ...

@hookimpl
def stopped(): ...
"""
SECOND = """
from router import hookimpl

@hookimpl
def started(config): ...

@hookimpl(tryfirst=True)
def before_swap(handover): ...

@hookimpl(trylast=True)
def after_swap(handover): ...

@hookimpl
def stopped(): ...
"""
IDLE = """
from router import hookimpl

@hookimpl
def after_swap(handover): ...
"""
FIGURES = {
    "plugins": [
        {
            "name": "first",
            "version": "1.2",
            "title": "The first",
            "source": "plugins/first.py",
            "hooks": [
                {
                    "hook": "before_swap",
                    "kind": "guard",
                    "calls": 12,
                    "failures": 1,
                    "p95": 0.0421,
                    "blocked": 0,
                    "last_error": "KeyError: 'size' (line 7)",
                },
                {"hook": "after_swap", "kind": "observer", "calls": 0, "failures": 0, "p95": None, "last_error": ""},
            ],
        },
        {"name": "idle", "version": "", "title": "", "source": "plugins/idle.py", "hooks": []},
    ]
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HANDOVER_CONFIG", "HANDOVER_PLUGINS_DIR", "HANDOVER_ADMIN_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(bundled, "PLUGINS", tmp_path / "none-bundled")


def write(directory: Path, **plugins: str) -> None:
    (directory / "plugins").mkdir(exist_ok=True)
    for name, source in plugins.items():
        (directory / "plugins" / f"{name}.py").write_text(source)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, ["plugins", *arguments], standalone_mode=True)


def test_the_table_shows_what_is_on_and_who_is_called_when(tmp_path: Path) -> None:
    """Those in use stand first, in the order of the file; the order of the calls shows who asked to go elsewhere."""
    write(tmp_path, first=FIRST, second=SECOND, idle=IDLE)
    uses = "plugins: [{use: first}, {use: second, on_error: continue}]\n"
    (tmp_path / "routes.yaml").write_text(ROUTES + uses)
    told = run()
    assert told.exit_code == 0
    plugins, calls = (part.splitlines() for part in told.output.split("\n\n"))
    assert [line.split("  ")[0] for line in plugins] == ["PLUGIN", "first", "second", "idle"]
    assert plugins[1].split() == [
        *("first", "1.2", "on,", "1", "stop", "plugins/first.py"),
        *("started,", "before_swap,", "stopped"),
    ]
    assert plugins[2].split()[1:5] == ["-", "on,", "2", "continue"]
    assert plugins[3].split()[1:] == ["-", "off", "-", "plugins/idle.py", "after_swap"]
    assert [" ".join(line.split()) for line in calls] == [
        "HOOK KIND CALLED, IN THIS ORDER",
        "started lifecycle first, second",
        "before_swap guard second (tryfirst), first",
        "after_swap observer second (trylast)",
        "stopped observer second, first",
    ]


def test_programs_get_all_of_it(tmp_path: Path) -> None:
    """``--json`` has what the table has, with titles and sources whole."""
    write(tmp_path, first=FIRST, second=SECOND)
    (tmp_path / "routes.yaml").write_text(ROUTES + "plugins: [{use: second}]\n")
    told = json.loads(run("list", "routes.yaml", "--json").stdout)
    assert [(each["name"], each["on"], each["position"], each["on_error"]) for each in told["plugins"]] == [
        ("second", True, 1, "stop"),
        ("first", False, None, None),
    ]
    assert told["plugins"][1]["title"] == "The first"
    assert told["plugins"][1]["version"] == "1.2"
    assert told["plugins"][1]["source"] == "plugins/first.py"
    assert told["plugins"][1]["hooks"][2] == {"hook": "before_swap", "kind": "guard"}
    assert told["calls"][1] == {
        "hook": "before_swap",
        "kind": "guard",
        "order": [{"plugin": "second", "mark": "tryfirst"}],
    }
    assert told["faults"] == []


def test_without_routes_all_are_off(tmp_path: Path) -> None:
    """Whoever begins with a plugin sees it before there is a routes.yaml, and what is wrong with it."""
    assert run().output == "No plugins.\n"
    write(tmp_path, idle=IDLE, broken="def")
    told = run()
    assert told.exit_code == 0
    assert "idle    -        off    -         plugins/idle.py  after_swap\n" in told.stdout
    assert "plugins/broken.py:1: cannot be loaded: SyntaxError" in told.stderr
    assert "broken.py:1" in json.loads(run("--json").stdout)["faults"][0]


def test_a_broken_plugin_that_is_off_is_told(tmp_path: Path) -> None:
    """It stops nothing, so the answer is right; but it is shown."""
    write(tmp_path, idle=IDLE, broken="import nothing_of_that_name")
    (tmp_path / "routes.yaml").write_text(ROUTES)
    told = run("--plugins-dir", "plugins")
    assert told.exit_code == 0
    assert "warning[plugin-broken]" in told.stderr
    assert "CALLED" not in told.stdout


def test_faults_of_the_file_leave_the_states_open(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What can be found is shown all the same; the faults follow, and the exit code is 1."""
    write(tmp_path, idle="def broken", first=FIRST)
    (tmp_path / "routes.yaml").write_text(ROUTES + "plugins: [{use: idle}]\n")
    with pytest.raises(SystemExit) as ended:
        from_main("plugins", "--json")
    told = capsys.readouterr()
    assert ended.value.code == 1
    found = json.loads(told.out)
    assert [(each["name"], each["on"], each["position"]) for each in found["plugins"]] == [("first", None, None)]
    assert "plugin-broken" in found["faults"][0]
    assert "routes.yaml:5:17: error[plugin-broken]" in told.err
    assert "first   1.2      ?      -" in run().stdout


def from_main(*arguments: str) -> None:
    from router.cli import main  # noqa: PLC0415 - the one that turns errors into lines

    main(arguments)


def test_lines_fit_a_terminal(tmp_path: Path) -> None:
    """On a terminal each line is cut to its width; elsewhere it is whole."""
    write(tmp_path, second=SECOND)
    (tmp_path / "routes.yaml").write_text(ROUTES + "plugins: [{use: second}]\n")
    ours, theirs = pty.openpty()
    script = "from router.cli import main; main(['plugins'])"
    environ = {**os.environ, "COLUMNS": "60"}
    subprocess.run([sys.executable, "-c", script], stdout=theirs, env=environ, check=True)
    os.close(theirs)
    lines = os.read(ours, 65536).decode().splitlines()
    os.close(ours)
    assert max(map(len, lines)) <= 60
    assert any(line.endswith("…") for line in lines)
    assert max(map(len, run().output.splitlines())) > 60


@contextmanager
def server(answer: Response) -> Iterator[str]:
    """Serve ``answer`` at ``/-/plugins`` to whoever has the token."""

    async def plugins(request: Request) -> Response:
        return answer if request.headers["authorization"] == "Bearer sesame" else PlainTextResponse("Forbidden", 403)

    app = Starlette(routes=[Route("/-/plugins", plugins)])
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(serving(app)) as url:
        yield url


def told_by_main(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        from_main("plugins", *arguments)
    assert ended.value.code == 1
    return capsys.readouterr().err


def test_a_running_server_tells_how_its_plugins_fare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls, failures, how long most took, and the last error, a line for each hook."""
    monkeypatch.setenv("HANDOVER_ADMIN_TOKEN", "sesame")
    with server(Response(json.dumps(FIGURES))) as url:
        told = run("--url", f"{url}/")
        assert told.output.splitlines() == [
            "PLUGIN  VERSION  HOOK         KIND      CALLS  FAILURES  P95      LAST ERROR",
            "first   1.2      before_swap  guard     12     1         42.1 ms  KeyError: 'size' (line 7)",
            "first   1.2      after_swap   observer  0      0         -        -",
        ]
        assert json.loads(run("list", "--json", "--url", url).output) == FIGURES
    with server(Response('{"plugins": []}')) as url:
        assert run("--url", url).output == "The server uses no plugins.\n"


@pytest.mark.parametrize(
    ("answer", "token", "reason"),
    [
        (Response("{}"), "", "HANDOVER_ADMIN_TOKEN: set it to the server's own"),
        (Response("{}"), "wrong", "it refused the token"),
        (PlainTextResponse("Not Found", 404), "sesame", "it knows no /-/plugins"),
        (PlainTextResponse("", 503), "sesame", "it answered with 503"),
        (PlainTextResponse("<html>"), "sesame", "its answer is not that of a router: '<html>'"),
        (Response("[]"), "sesame", "its answer is not that of a router"),
        (Response('{"plugins": [{"name": "first"}]}'), "sesame", "its answer is not that of a router"),
    ],
)
def test_a_server_that_does_not_tell_is_told(
    answer: Response, token: str, reason: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says why, and what to do."""
    monkeypatch.setenv("HANDOVER_ADMIN_TOKEN", token)
    with server(answer) as url:
        assert reason in told_by_main(capsys, "--url", url)


def test_a_server_that_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So is a URL that is none, and one that answers with nothing."""
    monkeypatch.setenv("HANDOVER_ADMIN_TOKEN", "sesame")
    with server(Response("{}")) as url:
        gone = url
    for wrong in (gone, "ftp://somewhere", "nonsense"):
        assert f"--url {wrong}: the server cannot be asked: " in told_by_main(capsys, "--url", wrong)
    monkeypatch.setattr("router.cli.plugin_figures._get", never)
    assert "no answer within 10 s" in told_by_main(capsys, "--url", gone)


async def never(_url: str, _token: str) -> tuple[int, str]:
    raise TimeoutError


@pytest.mark.parametrize("name", ["Ask", "2nd", "ask first", "ask--first", "-", "", "a" * 51, "../ask", "ask."])
def test_a_name_that_cannot_be_one_is_refused(name: str, tmp_path: Path) -> None:
    """The error says what a name looks like; it is wrong usage, and nothing is written."""
    told = run("new", "--", name)
    assert told.exit_code == 2
    assert "expected small letters and digits, parted by '-'" in told.output.replace("\n", " ")
    assert list(tmp_path.iterdir()) == []


def test_the_name_of_a_bundled_plugin_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new one of that name would never be found."""
    monkeypatch.setattr(bundled, "PLUGINS", ROOT / "plugins")
    told = run("new", "conversation_attributes")
    assert told.exit_code == 2
    assert "'conversation-attributes' comes with the router" in told.output


def test_nothing_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A directory that holds something, a file, or a place where nobody may write: one line says so."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    for place in ("full", "full/mine"):
        told = told_by_main(capsys, "new", "ask-first", "--directory", place)
        assert f"{place} is there already and not empty; name another place with --directory" in told
    assert "mine/sub: Not a directory" in told_by_main(capsys, "new", "ask-first", "--directory", "full/mine/sub")
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "mine"]


def test_a_new_project_may_go_into_an_empty_directory(tmp_path: Path) -> None:
    """The name may be spelt either way; what is told names each file and the two next commands."""
    (tmp_path / "mine").mkdir()
    told = run("new", "ask_first", "--directory", "mine")
    assert told.exit_code == 0
    assert told.output.splitlines() == [
        "wrote mine/handover_ask_first.py",
        "wrote mine/.gitignore",
        "wrote mine/README.md",
        "wrote mine/pyproject.toml",
        "wrote mine/tests/test_handover_ask_first.py",
        "",
        "Next:",
        "  python -m pip install --editable mine pytest",
        "  python -m pytest mine",
    ]


def called(directory: Path, *command: str | Path) -> str:
    """Run a program in ``directory`` with nothing of this checkout in its environment; gives both its streams."""
    ours = ("PYTHON", "VIRTUAL_ENV", "COVERAGE", "HANDOVER_", "TWILIO_")
    bare = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(
        command, cwd=directory, env=bare, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_a_new_project_is_clean(tmp_path: Path) -> None:
    """It passes ruff and mypy as its own configuration sets them."""
    run("new", "ask-first")
    home = tmp_path / "handover-ask-first"
    tools = Path(sys.executable).parent
    called(home, tools / "ruff", "check", ".")
    called(home, tools / "ruff", "format", "--check", ".")
    called(home, tools / "mypy")


@pytest.mark.timeout(300)
def test_a_new_project_works_with_the_wheel(tmp_path: Path) -> None:
    """In an empty environment, of two wheels: its tests pass, and ``handover plugins`` finds it by its entry point."""
    run("new", "ask-first")
    home, wheels, env = (tmp_path / name for name in ("handover-ask-first", "wheels", "env"))
    for project in (ROOT, home):
        called(project, sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", wheels)
    called(tmp_path, sys.executable, "-m", "venv", "--without-pip", env)
    install = (sys.executable, "-m", "pip", "--python", env, "--quiet", "--disable-pip-version-check", "install")
    called(tmp_path, *install, "--no-compile", *sorted(wheels.iterdir()), "pytest")
    python = env / "bin" / "python"
    where = called(
        tmp_path, python, "-c", "import router, handover_ask_first as mine; print(router.__file__, mine.__file__)"
    )
    assert all(Path(file).is_relative_to(env) for file in where.split())
    tested = called(
        tmp_path, python, "-P", "-m", "pytest", "-p", "no:cacheprovider", "-c", home / "pyproject.toml", home
    )
    assert "3 passed" in tested
    (tmp_path / "routes.yaml").write_text(ROUTES + "plugins: [{use: ask-first}]\n")
    listed = json.loads(called(tmp_path, env / "bin" / "handover", "plugins", "--json"))
    helped = called(tmp_path, env / "bin" / "handover", "--help").splitlines()[-1]
    page = Path(helped.partition(": ")[2])
    assert page.is_relative_to(env), "the wheel has the pages that the help names"
    assert page.is_file()
    first: dict[str, Any] = listed["plugins"][0]
    assert (first["name"], first["version"], first["on"]) == ("ask-first", "0.1.0", True)
    assert first["source"] == "entry point ask-first = handover_ask_first"
    assert [each["hook"] for each in first["hooks"]] == ["plugin_info", "before_swap", "after_swap"]
