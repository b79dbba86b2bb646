"""``tests:`` as it is loaded."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from router.model.place import Place
from router.model.route_test import USUAL_TIME, Expectation, MadeUpCall, PluginFaults, RouteTest, Subject
from tests.config.kit import HEAD, TOOLS, faults, loaded, write

if TYPE_CHECKING:
    from pathlib import Path

EVERYTHING = """\
tests:
  - name: everything
    call:
      tool: /refunds
      method: GET
      body: {}
      query: {a: b}
      headers: {Accept: application/json}
      identity: whatsapp:+15550100
      session: voice:1
    at: 2026-01-31T17:30:00+01:00
    plugin_faults: ignore
    expect:
      outcome: handed_over
      flow: refunds
      says: desk
      attributes: {a: {b: [1, x], c: {}}, d: null}
  - {name: little, call: {tool: /billing}, expect: {outcome: declined}}
"""


def test_a_test_is_compiled_with_all_that_it_says(tmp_path: Path) -> None:
    """Each key of the grammar arrives; each expectation has its place, those about attributes one a value."""
    everything, little = loaded(tmp_path, HEAD + TOOLS + EVERYTHING).tests
    file, top = str(tmp_path / "routes.yaml"), len((HEAD + TOOLS).splitlines())

    def expected(subject: Subject, wanted: object, shown: str, line: int, column: int, *path: str) -> Expectation:
        return Expectation(subject, wanted, shown, Place(file, top + line, column), path)

    assert everything == RouteTest(
        name="everything",
        call=MadeUpCall(
            "/refunds", "GET", {}, {"a": "b"}, {"Accept": "application/json"}, "whatsapp:+15550100", "voice:1"
        ),
        expectations=(
            expected(Subject.OUTCOME, "handed_over", "'handed_over'", 14, 16),
            expected(Subject.FLOW, "refunds", "'refunds'", 15, 13),
            expected(Subject.SAYS, "desk", "'desk'", 16, 13),
            expected(Subject.ATTRIBUTES, [1, "x"], '[1, "x"]', 17, 27, "a", "b"),
            expected(Subject.ATTRIBUTES, {}, "a mapping", 17, 38, "a", "c"),
            expected(Subject.ATTRIBUTES, None, "empty", 17, 46, "d"),
        ),
        place=Place(file, top + 2, 5),
        at=datetime(2026, 1, 31, 16, 30, tzinfo=UTC),
        plugin_faults=PluginFaults.IGNORE,
    )
    assert (little.call, little.at, little.plugin_faults) == (MadeUpCall("/billing"), USUAL_TIME, PluginFaults.FAIL)


def test_the_usual_time_is_a_monday_at_noon() -> None:
    """As the schema says."""
    assert f"{USUAL_TIME:%A %H:%M %Z}" == "Monday 12:00 UTC"


@pytest.mark.parametrize(
    "at", ["2026-02-30T12:00:00Z", "2026-01-05T25:00:00Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+10:00"]
)
def test_a_time_that_no_calendar_has_is_a_fault(tmp_path: Path, at: str) -> None:
    """What only looks like a time is told at its place."""
    text = HEAD + TOOLS + f"tests:\n  - {{name: t, at: {at!r}, call: {{tool: /refunds}}, expect: {{flow: refunds}}}}\n"
    (fault,) = faults(write(tmp_path, text))
    assert (fault.code, fault.line, fault.column) == ("value-wrong", 8, 19)
    assert fault.message == f"'{at}' is in no calendar; expected a time such as 2026-01-31T17:30:00Z"


def test_a_get_has_no_body(tmp_path: Path) -> None:
    """Inputs that no caller could send so are a fault at their key, since the router would never see them."""
    call = "{tool: /refunds, method: GET, body: {intent: refund}}"
    text = HEAD + TOOLS + f"tests:\n  - {{name: t, call: {call}, expect: {{flow: refunds}}}}\n"
    (fault,) = faults(write(tmp_path, text))
    assert (fault.code, fault.line, fault.column) == ("value-wrong", 8, 51)
    assert fault.message == "test 't' calls with GET, which has no body; write these inputs under 'query'"


@pytest.mark.parametrize(
    "broken",
    [
        "  - {name: t, call: {tool: /refunds}}\n",
        "  - {name: t, at: 17, call: {tool: /refunds}, expect: {flow: refunds}}\n",
        "  - name: t\n    call: {tool: /refunds}\n    expect: {flow: refunds\n",
        "  - name: t\n    call: {method: GET, tool\n",
        "  - 7\n",
    ],
)
def test_of_a_test_with_faults_only_those_are_told(tmp_path: Path, broken: str) -> None:
    """A test that lacks something, or breaks off, is not compiled, and is no traceback."""
    assert faults(write(tmp_path, HEAD + TOOLS + f"tests:\n{broken}"))


def test_a_file_without_tests_has_none(tmp_path: Path) -> None:
    """The key may be left out, and its list may be empty."""
    assert loaded(tmp_path, HEAD + TOOLS).tests == loaded(tmp_path, HEAD + TOOLS + "tests: []\n").tests == ()
