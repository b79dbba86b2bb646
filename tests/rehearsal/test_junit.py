from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from router.model.outcome import Answer, Outcome
from router.model.place import Place
from router.model.route_test import MadeUpCall, RouteTest
from router.rehearsal.junit import junit
from router.rehearsal.results import Failure, Report, Result

PLACE = Place("routes.yaml", 61, 5)
ANSWER = Answer(Outcome.DECLINED, "No.", "HO1", "/t")


def result(name: str, *messages: str, seconds: float = 0.0) -> Result:
    test = RouteTest(name, MadeUpCall("/t"), (), PLACE)
    return Result(test, ANSWER, tuple(Failure(Place("routes.yaml", 70, 9), each) for each in messages), seconds)


def read(*results: Result, suite: str = "routes.yaml") -> ET.Element:
    return ET.fromstring(junit(Report(results, (), 1), suite))  # noqa: S314 - our own text


def test_a_suite_counts_its_tests() -> None:
    """One suite, a case a test, and the counts that CI systems add up; two failed expectations are one failure."""
    root = read(result("good", seconds=0.25), result("bad", "one", "two", seconds=0.5))
    assert root.tag == "testsuites"
    for element in (root, root[0]):
        assert {name: element.get(name) for name in ("tests", "failures", "errors", "time")} == {
            "tests": "2",
            "failures": "1",
            "errors": "0",
            "time": "0.750",
        }
    assert [(case.get("name"), case.get("time")) for case in root[0]] == [("good", "0.250"), ("bad", "0.500")]
    assert {(case.get("classname"), case.get("file"), case.get("line")) for case in root[0]} == {
        ("routes.yaml", "routes.yaml", "61")
    }


def test_a_failure_says_why_and_where() -> None:
    """The message is the first expectation's; the text has each of them with its place. A good case has no child."""
    good, bad = read(result("good"), result("bad", "one", "two"))[0]
    assert list(good) == []
    assert (bad[0].tag, bad[0].get("message"), bad[0].get("type")) == ("failure", "one", "expectation")
    assert bad[0].text == "routes.yaml:70:9: one\nroutes.yaml:70:9: two"


@pytest.mark.parametrize("odd", ["\x00", "\x1b[31m", "\ud800", "\ufffe", "]]>", '<&"', "ü"])
def test_no_text_breaks_the_xml(odd: str) -> None:
    """Control characters and what is no Unicode cannot stand in XML and are replaced; all else arrives."""
    case = read(result(f"a{odd}b", f"c{odd}d"), suite=f"e{odd}f")[0][0]
    name, message = case.get("name") or "", case[0].get("message") or ""
    assert (name[0], name[-1], message[0], message[-1]) == ("a", "b", "c", "d")
    assert odd.isprintable() == (odd in message)
    junit(Report((result(f"a{odd}b", f"c{odd}d"),), (), 1), odd).encode()


def test_names_show_nobodys_address() -> None:
    """A test that is named after a number does not publish it."""
    assert "5550100" not in (read(result("call of +15550100"))[0][0].get("name") or "")
