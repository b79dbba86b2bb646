"""What is counted, in a registry of the app's own: two apps in one process do not add up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Info, generate_latest

from router.web.ledger_figures import LedgerFigures
from router.web.plugin_metrics import PluginMetrics
from router.web.tallies import Count, Spread

if TYPE_CHECKING:
    from datetime import datetime

    from router.model.outcome import Answer
    from router.twilio.transport import RequestRecord
    from router.web.reload import Live

_SECONDS: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 4.5, 6.0)


class Metrics:
    """Counters by tool, intent and outcome, of Twilio's answers, and of ``plugins``: no label is a customer's."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("tool", "intent", "outcome")
        self._calls = Count("handover_calls", "Tool calls that were answered", labels, self.registry)
        self._seconds = Spread("handover_seconds", "Seconds until the answer", labels, _SECONDS, self.registry)
        self._sentences = Count(
            "handover_sentences",
            "Answers by the sentence that was told: limit, busy, no_room and so on",
            ("tool", "sentence"),
            self.registry,
        )
        self.ledger = LedgerFigures(self.registry)
        self._twilio = Count("handover_twilio_requests", "Requests to Twilio", ("operation", "status"), self.registry)
        self._refused = Counter("handover_unproved_calls", "Calls answered with 403", registry=self.registry)
        self.plugins = PluginMetrics(self.registry)
        self._reloads = Counter("handover_reloads", "Reloads of routes.yaml", ("result",), registry=self.registry)
        self._reload_successful = Gauge(
            "handover_config_last_reload_successful",
            "1 where all that stands in the files is in use, as of the last reload or start",
            registry=self.registry,
        )
        self._reload_success_time = Gauge(
            "handover_config_last_reload_success_timestamp_seconds",
            "When what is in use went live",
            registry=self.registry,
        )
        self._config = Info("handover_config", "What is in use, by the digest of its files", registry=self.registry)
        self._fragments = Gauge(
            "handover_config_fragment_good",
            "1 where a fragment is in use as it stands",
            ("fragment",),
            registry=self.registry,
        )

    def answered(self, answer: Answer, seconds: float) -> None:
        """Count a call that was answered."""
        self._calls.add(answer.tool, answer.intent, answer.outcome)
        self._seconds.add(seconds, answer.tool, answer.intent, answer.outcome)
        if answer.key:
            self._sentences.add(answer.tool, answer.key)

    def unproved(self) -> None:
        """Count a call that proved nothing."""
        self._refused.inc()

    def asked_twilio(self, record: RequestRecord) -> None:
        """Count an HTTP request to Twilio; status 0 stands for no answer."""
        self._twilio.add(record.operation, record.status)

    def reloaded(self, result: str, live: Live, now: datetime) -> None:
        """Count a reload by its result: changed, unchanged, degraded or refused; and show what is in use after it."""
        self._reloads.labels(result).inc()
        self.show(live)
        if result in ("changed", "degraded"):
            self._reload_success_time.set(now.timestamp())

    def began(self, live: Live, now: datetime) -> None:
        """Show what is in use from the start on."""
        self.show(live)
        self._reload_success_time.set(now.timestamp())

    def show(self, live: Live) -> None:
        """Show what is in use, and whether it is what stands in the files."""
        self._reload_successful.set(not live.troubles)
        self._config.info({"digest": live.digest})
        frozen = {each.file for each in live.frozen}
        self._fragments.clear()
        for fragment in {*live.fragments, *frozen}:
            self._fragments.labels(fragment).set(fragment not in frozen)

    def text(self) -> bytes:
        """Give all figures in the Prometheus text format."""
        return generate_latest(self.registry)
