"""What is counted of the ledger: what is owed to conversations, what plugins are still to be told, and how it works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from router.ledger.row import Duty

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

    from router.ledger.ledger import Figures
    from router.ledger.news import News

_COMMIT_SECONDS: Final = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0)


class LedgerFigures(Collector):
    """Figures in ``registry``: of the ledger that all processes share, but for commits and what we gave up."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._shown: tuple[Metric, ...] = ()
        registry.register(self)
        self._given_up = Counter(
            "handover_news_given_up",
            "What a plugin was not told in the end: all attempts failed",
            ("plugin", "hook"),
            registry=registry,
        )
        self._ledger_works = Gauge(
            "handover_ledger_works", "1 where the ledger could be read for these figures", registry=registry
        )
        self._commits = Histogram(
            "handover_ledger_commit_seconds",
            "Seconds that a transaction of the ledger took",
            buckets=_COMMIT_SECONDS,
            registry=registry,
        )

    def committed(self, _jobs: int, seconds: float) -> None:
        """Note a transaction of the ledger."""
        self._commits.observe(seconds)

    def count_open(self, figures: Figures | None, now: datetime) -> None:
        """Show what is open; None where the ledger could not be asked, and then nothing is shown: a 0 looks healthy."""
        self._ledger_works.set(figures is not None)
        self._shown = _gauges(figures, now) if figures else ()

    def collect(self) -> Iterator[Metric]:
        """Give what is open, as it was counted last."""
        yield from self._shown

    def gave_up(self, news: News) -> None:
        """Count what a plugin is told no more."""
        self._given_up.labels(news.plugin, news.hook).inc()


def _gauges(figures: Figures, now: datetime) -> tuple[Metric, ...]:
    owed = GaugeMetricFamily("handover_open", "Handovers to which something is still owed, by what", labels=("duty",))
    for duty in Duty:
        if duty:
            owed.add_metric([duty], figures.open.get(duty, 0))
    oldest = (now - figures.oldest).total_seconds() if figures.oldest else 0
    waited = (now - figures.news_since).total_seconds() if figures.news_since else 0
    return (
        owed,
        GaugeMetricFamily("handover_oldest_open_seconds", "Seconds since the oldest open handover began", oldest),
        GaugeMetricFamily("handover_news_open", "Handovers of which a plugin is still to be told", figures.news),
        GaugeMetricFamily("handover_news_oldest_seconds", "Seconds for which the oldest of them has waited", waited),
    )
