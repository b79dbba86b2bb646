"""Counts on the path of a call, kept as plain numbers: prometheus_client makes its families of them when it is asked.

To count by its own counters takes ten times as long: each has a lock, for threads that none of these has.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric


class Count(Collector):
    """How often something was, by ``labels``; for one thread."""

    def __init__(self, name: str, about: str, labels: Sequence[str], registry: CollectorRegistry) -> None:
        self._name, self._about, self._labels = name, about, labels
        self._counts: defaultdict[tuple[object, ...], int] = defaultdict(int)
        registry.register(self)

    def add(self, *labels: object) -> None:
        """Count one more."""
        self._counts[labels] += 1

    def collect(self) -> Iterator[Metric]:
        """Give the counts so far."""
        family = CounterMetricFamily(self._name, self._about, labels=self._labels)
        for labels, count in self._counts.items():
            family.add_metric([*map(str, labels)], count)
        yield family


class Spread(Collector):
    """How long something took, in seconds, by ``labels``: how often up to each of ``bounds``; for one thread."""

    def __init__(
        self, name: str, about: str, labels: Sequence[str], bounds: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._name, self._about, self._labels, self._bounds = name, about, labels, bounds
        self._cells: dict[tuple[object, ...], list[int]] = {}
        self._sums: defaultdict[tuple[object, ...], float] = defaultdict(float)
        registry.register(self)

    def add(self, seconds: float, *labels: object) -> None:
        """Count one more."""
        cells = self._cells.get(labels)
        if cells is None:
            cells = self._cells[labels] = [0] * (len(self._bounds) + 1)
        cells[bisect_left(self._bounds, seconds)] += 1
        self._sums[labels] += seconds

    def collect(self) -> Iterator[Metric]:
        """Give the counts so far."""
        family = HistogramMetricFamily(self._name, self._about, labels=self._labels)
        bounds = [*map(floatToGoString, self._bounds), "+Inf"]
        for labels, cells in self._cells.items():
            buckets = list(zip(bounds, accumulate(cells), strict=True))
            family.add_metric([*map(str, labels)], buckets, self._sums[labels])
        yield family
