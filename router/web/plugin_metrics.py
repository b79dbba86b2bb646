"""What is counted of plugins: their calls, their failures, and the time that they take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from router.web.tallies import Count, Spread

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from router.hooks.failure import CallRecord, PluginReport

_SECONDS: Final = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 10.0)


class PluginMetrics:
    """Figures by plugin and hook, in the ``registry`` of the app."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("plugin", "hook")
        self._calls = Count("handover_plugin_calls", "Calls of plugins", labels, registry)
        self._failures = Count("handover_plugin_failures", "Failed calls of plugins", labels, registry)
        about = "Seconds that a call of a plugin took"
        self._seconds = Spread("handover_plugin_seconds", about, labels, _SECONDS, registry)

    def called(self, record: CallRecord) -> None:
        """Count a call, whatever came of it."""
        self._calls.add(record.plugin, record.hook)
        self._seconds.add(record.seconds, record.plugin, record.hook)

    def failed(self, report: PluginReport) -> None:
        """Count a failure."""
        self._failures.add(report.plugin, report.hook)
