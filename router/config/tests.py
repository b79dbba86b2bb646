"""``tests``: from the file to calls and expectations, each expectation with its place."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from router.model.route_test import USUAL_TIME, Expectation, MadeUpCall, PluginFaults, RouteTest, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from router.config.document import Trail
    from router.config.review import Review


def route_tests(review: Review) -> tuple[RouteTest, ...]:
    """Compile the tests, less those of which a fault is told already; tells the faults that no schema can see."""
    return tuple(
        _compiled(review, ("tests", index), entry)
        for index, entry in review.entries("tests")
        if not review.document.hides_fault(("tests", index)) and _is_whole(entry)
    )


def _is_whole(entry: Mapping[str, Any]) -> bool:
    """Say whether nothing is missing that every test has: the text may break off in the middle of it."""
    return entry.keys() >= {"name", "call", "expect"} and "tool" in entry["call"]


def _compiled(review: Review, here: Trail, entry: Mapping[str, Any]) -> RouteTest:
    call: Mapping[str, Any] = entry["call"]
    if call.get("method") == "GET" and call.get("body"):
        message = f"{review.name(here)} calls with GET, which has no body; write these inputs under 'query'"
        review.key_error((*here, "call", "body"), "value-wrong", message)
    return RouteTest(
        name=str(int(here[1]) + 1) if (*here, "name") in review.document.origins else entry["name"],
        call=MadeUpCall(**call),
        expectations=tuple(_expectations(review, here, entry["expect"])),
        place=review.document.value(here),
        at=_time(review, (*here, "at"), entry["at"]) if "at" in entry else USUAL_TIME,
        plugin_faults=PluginFaults(entry.get("plugin_faults", PluginFaults.FAIL)),
    )


def _expectations(review: Review, here: Trail, expect: Mapping[str, Any]) -> Iterator[Expectation]:
    for subject, wanted in expect.items():
        trail: Trail = (*here, "expect", subject)
        if subject == Subject.ATTRIBUTES:
            yield from _of_attributes(review, trail, wanted)
        else:
            place = review.document.value(trail)
            yield Expectation(Subject(subject), wanted, review.shown(trail, wanted), place)


def _of_attributes(review: Review, root: Trail, wanted: Any, path: tuple[str, ...] = ()) -> Iterator[Expectation]:
    """Yield an expectation for each value that is no mapping: of a mapping, other keys may be there too."""
    if isinstance(wanted, dict) and (wanted or not path):
        for key, inner in wanted.items():
            yield from _of_attributes(review, root, inner, (*path, key))
    else:
        trail = (*root, *path)
        yield Expectation(Subject.ATTRIBUTES, wanted, _shown(review, trail, wanted), review.document.value(trail), path)


def _shown(review: Review, trail: Trail, wanted: Any) -> str:
    """Write a value for a report; a list in full unless something of it came from elsewhere."""
    is_whole = isinstance(wanted, list) and not any(origin[: len(trail)] == trail for origin in review.document.origins)
    return json.dumps(wanted, ensure_ascii=False) if is_whole else review.shown(trail, wanted)


def _time(review: Review, trail: Trail, text: str) -> datetime:
    """Read a time; one that has the form of a time but is in no calendar is a fault."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        message = f"{review.shown(trail, text)} is in no calendar; expected a time such as 2026-01-31T17:30:00Z"
        review.error(trail, "value-wrong", message)
        return USUAL_TIME
