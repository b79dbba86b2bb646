"""A report as JUnit's XML, which systems of continuous integration read."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from router.rehearsal.results import Report, Result


def junit(report: Report, suite: str) -> str:
    """Write one test suite with a test case a test; seconds are to the millisecond."""
    counts = {"tests": str(len(report.results)), "failures": str(len(report.failed)), "errors": "0"}
    whole = {**counts, "time": f"{sum(result.seconds for result in report.results):.3f}"}
    root = ET.Element("testsuites", whole)
    cases = ET.SubElement(root, "testsuite", {"name": _plain(suite), **whole})
    for result in report.results:
        _add(cases, result)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _add(cases: ET.Element, result: Result) -> None:
    place = result.test.place
    about = {
        "name": _plain(result.title[1:-1]),
        "classname": _plain(place.file),
        "file": _plain(place.file),
        "line": str(place.line),
        "time": f"{result.seconds:.3f}",
    }
    case = ET.SubElement(cases, "testcase", about)
    if result.failures:
        lines = [_plain(f"{failure.place}: {failure.message}") for failure in result.failures]
        failed = ET.SubElement(case, "failure", {"message": _plain(result.failures[0].message), "type": "expectation"})
        failed.text = "\n".join(lines)


def _plain(text: str) -> str:
    """Replace what XML has no place for: control characters, and in a file's name what is no Unicode."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
