"""What is counted of plugins: their calls, their failures, and the time that they take."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from router.hooks.failure import CallRecord, PluginReport

_SECONDS: Final = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 10.0)


class PluginMetrics:
    """Figures by plugin and hook, in the ``registry`` of the app."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("plugin", "hook")
        self._calls = Counter("handover_plugin_calls", "Calls of plugins", labels, registry=registry)
        self._failures = Counter("handover_plugin_failures", "Failed calls of plugins", labels, registry=registry)
        self._seconds = Histogram(
            "handover_plugin_seconds",
            "Seconds that a call of a plugin took",
            labels,
            buckets=_SECONDS,
            registry=registry,
        )
        # To look a label up takes as long as to count.
        self._calls_of, self._seconds_of = cache(self._calls.labels), cache(self._seconds.labels)

    def called(self, record: CallRecord) -> None:
        """Count a call, whatever came of it."""
        self._calls_of(record.plugin, record.hook).inc()
        self._seconds_of(record.plugin, record.hook).observe(record.seconds)

    def failed(self, report: PluginReport) -> None:
        """Count a failure."""
        self._failures.labels(report.plugin, report.hook).inc()
