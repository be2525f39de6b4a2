"""A metrics snapshot as Prometheus wants it: metrics with names, in its text format or as OpenMetrics."""

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
    """Return a metrics snapshot in the format that a scraper prefers, and the media type of that.

    Args:
        snapshot: What to tell.
        accept: The header ``Accept`` of the scraper.
    """
    try:
        encode, media_type = choose_encoder(accept)
    except (TypeError, ValueError):  # a version of a format that is no version
        encode, media_type = generate_latest, _PLAIN
    registry = CollectorRegistry()
    registry.register(_Reader(snapshot))
    return encode(registry), media_type


class _Reader(Collector):
    def __init__(self, snapshot: MetricsSnapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        yield from _about_requests(self._snapshot)
        yield from _about_the_rest(self._snapshot)


def _about_requests(snapshot: MetricsSnapshot) -> Iterator[Metric]:
    labels = ["method", "route"]
    requests = CounterMetricFamily(
        "heksherlite_http_requests", "Requests that were answered.", labels=[*labels, "status"]
    )
    durations = HistogramMetricFamily(
        "heksherlite_http_request_duration_seconds", "Time until the answer to a request began.", labels=labels
    )
    by_route: dict[tuple[str, str], Latencies] = {}
    for (method, route, status), latencies in sorted(snapshot.totals.answers.items()):
        requests.add_metric([method, route, str(status)], sum(latencies.counts))
        by_route[method, route] = latencies.plus(by_route.get((method, route), Latencies()))
    for route_labels, latencies in by_route.items():
        durations.add_metric(route_labels, _cumulative(latencies), latencies.seconds)
    yield requests
    yield durations


def _about_the_rest(snapshot: MetricsSnapshot) -> Iterator[Metric]:
    yield InfoMetricFamily(
        "heksherlite_build", "What runs.", value={"version": __version__, "python": platform.python_version()}
    )
    gauges = [
        ("revision", "The revision that is served.", snapshot.revision),
        (
            "replica_lag_seconds",
            "Since when the revision that is served is not known to be the newest.",
            max(0.0, time.monotonic() - snapshot.newest_at),
        ),
        ("database_up", "Whether the database could be reached at the last check.", int(snapshot.database_up)),
        ("settings", "Settings in the catalog.", snapshot.settings),
        ("rules", "Rules in the catalog.", snapshot.rules),
        ("streams", "Streams of changes that are open.", snapshot.streams),
    ]
    for name, meaning, value in gauges:
        yield GaugeMetricFamily(f"heksherlite_{name}", meaning, value=value)
    totals = snapshot.totals
    yield CounterMetricFamily("heksherlite_writes", "Writes that were committed.", value=totals.writes)
    yield _by_reason("heksherlite_streams_ended", "Streams of changes that have ended.", totals.ended_streams)
    yield _by_reason("heksherlite_refused_tokens", "Tokens that were refused.", totals.refused_tokens)


def _by_reason(name: str, meaning: str, counts: Counter[str]) -> Metric:
    family = CounterMetricFamily(name, meaning, labels=["reason"])
    for reason, count in sorted(counts.items()):
        family.add_metric([reason], count)
    return family


def _cumulative(latencies: Latencies) -> list[tuple[str, float]]:
    buckets = []
    so_far = 0
    for bound, count in zip([*map(str, BOUNDS), "+Inf"], latencies.counts, strict=True):
        so_far += count
        buckets.append((bound, float(so_far)))
    return buckets
