"""``handover test`` as a user meets it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from router import bundled
from router.cli import group, main
from router.cli.test import MOST
from tests.cli.programs import HANDOVER
from tests.rehearsal.kit import ROUTES, write

if TYPE_CHECKING:
    from click.testing import Result

TOP = len(ROUTES.splitlines())
TESTS = """\
tests:
  - name: a chargeback is a refund
    call: {tool: /tools/support, body: {intent: chargeback}, identity: "whatsapp:+15550100"}
    expect: {outcome: handed_over, flow: refunds, says: refunds desk}
  - {name: the recipe, call: {tool: /tools/recipe}, expect: {flow: refunds}}
"""
ALL = """\
  - {name: a bill, call: {tool: /tools/support, body: {intent: billing}}, expect: {flow: billing}}
  - {name: a rehearsal, call: {tool: /tools/dry}, expect: {outcome: dry_run}}
"""
UNREACHED = """\
routes.yaml:13:7: not reached by any test: intent 'billing' of '/tools/support'
routes.yaml:15:3: not reached by any test: tool '/tools/dry'
"""


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HANDOVER_CONFIG", raising=False)
    return Path()


def told(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(group, ["test", *arguments], env=environ)


def test_each_test_is_told_and_what_they_do_not_reach(directory: Path) -> None:
    """Passed tests at their places, then the routes that no test reaches, then the sum; 0."""
    write(directory, TESTS)
    shown = told()
    assert shown.output == (
        f"routes.yaml:{TOP + 2}:5: passed: 'a chargeback is a refund'\n"
        f"routes.yaml:{TOP + 5}:5: passed: 'the recipe'\n"
        f"{UNREACHED}"
        "routes.yaml: 2 passed: 2 of 4 routes reached\n"
    )
    assert shown.exit_code == 0


def test_a_failed_expectation_is_told_at_its_place(directory: Path) -> None:
    """A line for each, with what was got and nobody's address; 1."""
    write(directory, TESTS.replace("refunds desk", "to whatsapp:+15550100").replace("flow: refunds,", "flow: billing,"))
    shown = told()
    got = "expected says 'to whatsapp:+1…00', got 'The refunds desk takes over, whatsapp:+1…00.'"
    assert shown.output.splitlines()[:3] == [
        f"routes.yaml:{TOP + 4}:42: failed: 'a chargeback is a refund': expected flow 'billing', got 'refunds'",
        f"routes.yaml:{TOP + 4}:57: failed: 'a chargeback is a refund': {got}",
        f"routes.yaml:{TOP + 5}:5: passed: 'the recipe'",
    ]
    assert shown.output.splitlines()[-1] == "routes.yaml: 1 passed, 1 failed: 2 of 4 routes reached"
    assert shown.exit_code == 1


def test_coverage_can_be_required(directory: Path) -> None:
    """With ``--require-coverage`` a route that no test reaches is 1, and 0 once all are reached."""
    write(directory, TESTS)
    assert told("--require-coverage").exit_code == 1
    write(directory, TESTS + ALL)
    shown = told("--require-coverage")
    assert shown.output.splitlines()[-1] == "routes.yaml: 4 passed: 4 of 4 routes reached"
    assert shown.exit_code == 0


def test_no_tests_is_said(directory: Path) -> None:
    """Nothing failed, so 0; but a file without tests covers nothing."""
    write(directory)
    shown = told()
    assert shown.output.splitlines()[-1] == (
        f"routes.yaml: no tests; {bundled.TESTS} says how to write them: 0 of 4 routes reached"
    )
    assert shown.exit_code == 0
    assert told("--require-coverage").exit_code == 1


def test_many_unreached_routes_are_not_all_listed(directory: Path) -> None:
    """Text stays readable; JSON has them all."""
    path = write(directory)
    path.write_text(ROUTES + "".join(f"  /tools/t{number}: {{flow: refunds}}\n" for number in range(MOST)))
    lines = told().output.splitlines()
    assert (len(lines), lines[-2]) == (MOST + 2, "routes.yaml: 4 more are not reached; --format json lists all")
    assert len(json.loads(told("--format", "json").output)["unreached"]) == MOST + 4


def test_json_is_for_programs(directory: Path) -> None:
    """One object with each test, what it got and why it failed, and the routes that are not reached."""
    write(directory, TESTS.replace("outcome: handed_over", "outcome: failed"))
    shown = told("--format", "json")
    report = json.loads(shown.output)
    assert shown.exit_code == 1
    first, second = report["tests"]
    place = {"file": "routes.yaml", "line": TOP + 4, "column": 23}
    message = "expected outcome 'failed', got 'handed_over': 'The refunds desk takes over, whatsapp:+1…00.'"
    assert first.pop("seconds") >= 0
    assert first == {
        "name": "a chargeback is a refund",
        "file": "routes.yaml",
        "line": TOP + 2,
        "column": 5,
        "passed": False,
        "outcome": "handed_over",
        "intent": "refund",
        "flow": "FW00000000000000000000000000000001",
        "declined_by": "",
        "failures": [{**place, "message": message}],
    }
    assert (second["passed"], second["failures"]) == (True, [])
    billing, dry = report["unreached"]
    assert billing == {"tool": "/tools/support", "intent": "billing", "file": "routes.yaml", "line": 13, "column": 7}
    assert (dry["tool"], dry["intent"]) == ("/tools/dry", "")
    assert report["diagnostics"] == []


def test_a_call_that_cannot_be_read_has_no_outcome(directory: Path) -> None:
    """It failed before there was anything to answer."""
    test = "  - {name: odd, call: {tool: /tools/dry, body: {a: '${env:ODD}'}}, expect: {outcome: dry_run}}\n"
    write(directory, f"tests:\n{test}")
    (found,) = json.loads(told("--format", "json", ODD="\udcff").output)["tests"]
    assert (found["outcome"], found["passed"]) == (None, False)
    assert found["failures"][0]["message"].startswith("the call cannot be read: the body is not readable JSON")


def test_faults_of_the_file_are_told_as_check_does(
    directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As lines on stderr, or as JSON; no test is run; 1."""
    write(directory, TESTS.replace("flow: refunds,", "flow: refnds,"))
    with pytest.raises(SystemExit) as ended:
        main(["test"])
    assert ended.value.code == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"routes.yaml:{TOP + 4}:42: error[flow-unknown]: ")
    monkeypatch.setenv("HANDOVER_CONFIG", "routes.yaml")
    as_json = told("--format", "json")
    assert as_json.exit_code == 1
    assert [each["code"] for each in json.loads(as_json.output)["diagnostics"]] == ["flow-unknown"]


def test_junit_is_written_beside_the_text(directory: Path) -> None:
    """``--junit`` writes the file that CI systems read, also where a test fails."""
    write(directory, TESTS.replace("refunds desk", "billing"))
    shown = told("--junit", "report.xml", "routes.yaml")
    assert shown.exit_code == 1
    assert "passed: 'the recipe'" in shown.output
    suite = ET.fromstring((directory / "report.xml").read_text("utf-8"))[0]  # noqa: S314 - our own text
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("routes.yaml", "2", "1")


def test_a_report_that_cannot_be_written_is_wrong_usage(directory: Path) -> None:
    """One clear line, and 2."""
    write(directory, TESTS)
    shown = told("--junit", "nowhere/report.xml")
    assert shown.exit_code == 2
    assert "nowhere/report.xml: No such file or directory" in shown.output


def test_a_decline_names_the_plugin(directory: Path) -> None:
    """Also where the test passes, since it was expected; plugins are found where ``--plugins-dir`` says."""
    guard = '@hookimpl\ndef before_swap():\n    raise Decline("No.")\n'
    write(
        directory,
        TESTS.partition("  - {name")[0].replace("handed_over, flow: refunds, says: refunds desk", "declined"),
        guard=guard,
    )
    (directory / "plugins").rename("elsewhere")
    shown = told("--plugins-dir", "elsewhere")
    assert shown.output.splitlines()[0] == (
        f"routes.yaml:{TOP + 3}:5: passed: 'a chargeback is a refund' (declined by the plugin 'guard')"
    )


CHATTY = """
import os
import sys

os.write(1, b"as it is imported\\n")

@hookimpl
def plugin_info():
    print("as it is looked at")
    return {}

@hookimpl
def before_swap():
    print("as it is asked")
    os.system("echo a child of it")
"""


@pytest.mark.parametrize(
    ("arguments", "is_asked"),
    [
        (("test", "--format", "json"), True),
        (("check", "--format", "json"), False),
        (("routes", "--json"), False),
        (("schema",), False),
        (("tools", "--format", "json"), False),
        (("explain", "POST", "/tools/dry", "--format", "json"), False),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_a_plugin_prints_is_no_output(directory: Path, arguments: tuple[str, ...], *, is_asked: bool) -> None:
    """Programs read stdout: what a plugin prints, writes past Python or lets a child print goes to stderr."""
    write(directory, TESTS, chatty=CHATTY)
    ended = subprocess.run([HANDOVER, *arguments], capture_output=True, text=True, check=False)
    assert isinstance(json.loads(ended.stdout), dict)
    assert ended.returncode == 0
    lines = set(ended.stderr.splitlines())
    assert {"as it is imported", "as it is looked at"} <= lines
    assert ({"as it is asked", "a child of it"} <= lines) is is_asked


def test_without_a_stderr_a_command_still_works(directory: Path) -> None:
    """A closed stderr takes nothing from stdout but what plugins print."""
    write(directory, TESTS)
    line = f"exec {HANDOVER} test 2>&-"
    ended = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=False)
    assert ended.stdout.endswith("routes.yaml: 2 passed: 2 of 4 routes reached\n")
    assert ended.returncode == 0


STARTED = """
import pathlib

LIFE = pathlib.Path("life.txt")

@hookimpl
def started():
    LIFE.write_text("started")

@hookimpl
def before_swap(handover):
    assert LIFE.read_text() == "started"

@hookimpl
def stopped():
    LIFE.write_text(LIFE.read_text() + ", stopped")
"""


def test_plugins_are_started_and_stopped(directory: Path) -> None:
    """A guard may count on what its plugin does at its start, and what was opened is closed in the end."""
    write(directory, TESTS, alive=STARTED)
    assert told().exit_code == 0
    assert (directory / "life.txt").read_text() == "started, stopped"


def test_a_plugin_that_cannot_start_fails_what_needs_it(directory: Path) -> None:
    """Its reason is told at each test; those that ignore faults of plugins go on with the others, which are started."""
    refusing = '@hookimpl\ndef started():\n    raise OSError("no database")\n'
    write(
        directory,
        TESTS.replace("  - {name: the recipe", "    plugin_faults: ignore\n  - {name: the recipe"),
        alive=STARTED,
        refusing=refusing,
    )
    shown = told()
    why = "it did not start [plugin-start]: plugins/refusing.py:5: OSError: no database"
    assert shown.output.splitlines()[:2] == [
        f"routes.yaml:{TOP + 3}:5: passed: 'a chargeback is a refund'",
        f"routes.yaml:{TOP + 7}:5: failed: 'the recipe': plugin 'refusing' failed in before_swap: {why}",
    ]
    assert shown.exit_code == 1


def test_the_report_in_the_docs_is_a_real_one(directory: Path) -> None:
    """``docs/tests.md`` shows a plugin, a file and a report: that file gives that report."""
    page = (Path(__file__).parent.parent.parent / "docs" / "tests.md").read_text("utf-8")
    plugin, routes, report = (
        re.findall(rf"^```{kind}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)[0] for kind in ("python", "yaml", "text")
    )
    (directory / "plugins").mkdir()
    (directory / "plugins" / "opening_hours.py").write_text(plugin)
    (directory / "routes.yaml").write_text(routes)
    assert "$ handover test\n" + told().output == report


def test_the_page_names_every_key() -> None:
    """``docs/tests.md`` has a row for each key of a test, of its call and of its expectations."""
    root = Path(__file__).parent.parent.parent
    page = (root / "docs" / "tests.md").read_text("utf-8")
    test = json.loads((root / "schemas" / "routes.schema.json").read_text("utf-8"))["$defs"]["test"]["properties"]
    keys = [*test, *test["call"]["properties"], *test["expect"]["properties"]]
    assert [key for key in keys if f"| `{key}` |" not in page] == []


def test_it_needs_neither_the_web_nor_the_sdk(directory: Path) -> None:
    """Starting it imports no server, no HTTP client and no SDK."""
    write(directory, TESTS)
    script = (
        "import sys\nfrom router.cli import main\n"
        "try:\n    main(['test'])\nexcept SystemExit:\n    pass\n"
        "print('LOADED', sorted({'uvicorn', 'starlette', 'twilio', 'aiohttp', 'prometheus_client'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "LOADED []"
    assert "2 passed" in shown.stdout


def test_the_shipped_tests_pass(tmp_path: Path) -> None:
    """The console script runs the tests of the routes.yaml that comes with the router, and they reach every route."""
    shipped = Path(__file__).parent.parent.parent / "routes.yaml"
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("TWILIO_", "HANDOVER_"))}
    command = [HANDOVER, "test", "--require-coverage", str(shipped)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=bare)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.endswith("3 passed: 3 of 3 routes reached\n")
