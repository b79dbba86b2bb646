"""What is counted in plain numbers reads as if prometheus_client had counted it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from router.model.outcome import Outcome
from router.web.tallies import Count, Spread

LABELS = ("tool", "outcome")
BOUNDS = (0.05, 0.1, 2.0)
NAMES = st.tuples(st.sampled_from(["/tools/a", 'with "quotes"']), st.sampled_from([Outcome.FAILED, 200]))


def text_of(registry: CollectorRegistry) -> list[str]:
    """All lines but those that say when a count began, which nobody asks for."""
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]


@given(st.lists(NAMES))
def test_a_count_reads_as_the_library_s(counted: list[tuple[str, object]]) -> None:
    """Name, description, type, labels and numbers are those of a Counter."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    count, counter = Count("calls", "Calls", LABELS, ours), Counter("calls", "Calls", LABELS, registry=theirs)
    for labels in counted:
        count.add(*labels)
        counter.labels(*labels).inc()
    assert text_of(ours) == text_of(theirs)


@given(st.lists(st.tuples(NAMES, st.sampled_from([0.0, 0.049, 0.05, 0.0501, 0.1, 1.9, 2.0, 2.1, 1e9]))))
def test_a_spread_reads_as_the_library_s(spread: list[tuple[tuple[str, object], float]]) -> None:
    """So do its buckets, whose bounds belong to them, its sum and its number, those of a Histogram."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    seconds = Spread("seconds", "Seconds", LABELS, BOUNDS, ours)
    histogram = Histogram("seconds", "Seconds", LABELS, buckets=BOUNDS, registry=theirs)
    for labels, took in spread:
        seconds.add(took, *labels)
        histogram.labels(*labels).observe(took)
    assert text_of(ours) == text_of(theirs)
