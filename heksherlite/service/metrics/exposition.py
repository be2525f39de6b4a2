"""Renders a metrics snapshot in the text format of Prometheus or as OpenMetrics."""

import platform
import time
from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder, generate_latest
from prometheus_client.registry import Collector

from heksherlite._version import __version__
from heksherlite.service.metrics.snapshot import BOUNDS, Latencies, MetricsSnapshot

_PLAIN = "text/plain; version=0.0.4; charset=utf-8"


def render(snapshot: MetricsSnapshot, accept: str) -> tuple[bytes, str]:
    """Return a metrics snapshot in the format that a scraper accepts, and its media type.

    Args:
        snapshot: The metrics.
        accept: The ``Accept`` header of the scraper.
    """
    try:
        encode, media_type = choose_encoder(accept)
    except (TypeError, ValueError):  # the header contains an invalid version of a format
        encode, media_type = generate_latest, _PLAIN
    registry = CollectorRegistry()
    registry.register(_SnapshotCollector(snapshot))
    return encode(registry), media_type


class _SnapshotCollector(Collector):
    def __init__(self, snapshot: MetricsSnapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        yield from _request_metrics(self._snapshot)
        yield from _other_metrics(self._snapshot)


def _request_metrics(snapshot: MetricsSnapshot) -> Iterator[Metric]:
    labels = ["method", "route"]
    requests = CounterMetricFamily("heksherlite_http_requests", "Responses sent.", labels=[*labels, "status"])
    durations = HistogramMetricFamily(
        "heksherlite_http_request_duration_seconds", "Time until the response to a request started.", labels=labels
    )
    by_route: dict[tuple[str, str], Latencies] = {}
    for (method, route, status), latencies in sorted(snapshot.totals.responses.items()):
        requests.add_metric([method, route, str(status)], sum(latencies.counts))
        by_route[method, route] = latencies.plus(by_route.get((method, route), Latencies()))
    for route_labels, latencies in by_route.items():
        durations.add_metric(route_labels, _cumulative(latencies), latencies.seconds)
    yield requests
    yield durations


def _other_metrics(snapshot: MetricsSnapshot) -> Iterator[Metric]:
    yield InfoMetricFamily(
        "heksherlite_build",
        "The version of the service and of Python.",
        value={"version": __version__, "python": platform.python_version()},
    )
    gauges = [
        ("revision", "The current revision.", snapshot.revision),
        (
            "replica_lag_seconds",
            "Time since the current revision was last known to be the newest.",
            max(0.0, time.monotonic() - snapshot.newest_at),
        ),
        ("database_up", "Whether the database was reachable at the last check.", int(snapshot.database_up)),
        ("settings", "Settings in the catalog.", snapshot.settings),
        ("rules", "Rules in the catalog.", snapshot.rules),
        ("streams", "Open streams of changes.", snapshot.streams),
        ("reads_in_progress", "Reads whose response has not been sent.", snapshot.reads),
    ]
    for name, meaning, value in gauges:
        yield GaugeMetricFamily(f"heksherlite_{name}", meaning, value=value)
    totals = snapshot.totals
    yield CounterMetricFamily("heksherlite_writes", "Committed writes.", value=totals.writes)
    yield CounterMetricFamily(
        "heksherlite_history_bytes", "Size of what changes added to the history.", value=totals.history_bytes
    )
    yield _counted(
        "heksherlite_refused_by_quota", "Requests beyond the quota of their client.", "quota", totals.refused_by_quota
    )
    yield _by_reason("heksherlite_streams_ended", "Ended streams of changes, by reason.", totals.ended_streams)
    yield _by_reason("heksherlite_refused_tokens", "Refused tokens, by reason.", totals.refused_tokens)


def _by_reason(name: str, meaning: str, counts: Counter[str]) -> Metric:
    return _counted(name, meaning, "reason", counts)


def _counted(name: str, meaning: str, label: str, counts: Counter[str]) -> Metric:
    family = CounterMetricFamily(name, meaning, labels=[label])
    for value, count in sorted(counts.items()):
        family.add_metric([value], count)
    return family


def _cumulative(latencies: Latencies) -> list[tuple[str, float]]:
    buckets = []
    total = 0
    for bound, count in zip([*map(str, BOUNDS), "+Inf"], latencies.counts, strict=True):
        total += count
        buckets.append((bound, float(total)))
    return buckets
