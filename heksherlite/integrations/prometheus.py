"""Metrics of clients for Prometheus; see ``docs/guides/telemetry.md``."""

from collections.abc import Iterator
from itertools import accumulate
from typing import Final

try:
    from prometheus_client import REGISTRY, CollectorRegistry
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
    from prometheus_client.registry import Collector
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] != "prometheus_client":
        raise
    raise ModuleNotFoundError(
        "heksherlite.integrations.prometheus needs prometheus-client: pip install 'heksherlite[prometheus]'",
        name=error.name,
    ) from error

from heksherlite.clients.async_client import AsyncHeksherClient
from heksherlite.clients.thread_client import ThreadHeksherClient
from heksherlite.engine.counts import DELAY_BOUNDS

_STATES: Final = ("starting", "fresh", "stale", "failed", "closed")


class ClientCollector(Collector):
    """Makes the metrics of a client when Prometheus asks for them."""

    def __init__(self, client: AsyncHeksherClient | ThreadHeksherClient, registry: CollectorRegistry) -> None:
        self._client = client
        self._registry = registry

    def stop(self) -> None:
        """Remove the metrics."""
        self._registry.unregister(self)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        client, status, counts = self._client, self._client.status, self._client._health.counts
        service = [str(client._transport)]
        if status.age is not None:
            text = "The time since the last successful update."
            yield _gauge("heksherlite_client_age_seconds", text, status.age, service)
        state = GaugeMetricFamily(
            "heksherlite_client_state", "1 for the state of the client.", labels=["service", "state"]
        )
        for name in _STATES:
            state.add_metric([*service, name], float(status.state == name))
        yield state
        yield _gauge("heksherlite_client_streaming", "1 if the stream of changes is open.", status.streaming, service)
        problems = GaugeMetricFamily("heksherlite_client_problems", "Problems by kind.", labels=["service", "kind"])
        for kind in ("undeclared", "conflicts", "rejected_rules", "refused_values"):
            problems.add_metric([*service, kind], getattr(status, kind))
        yield problems
        for name, text, number in (
            ("updates", "The updates that succeeded.", counts.updates),
            ("failures", "The updates that failed.", counts.failures),
        ):
            counter = CounterMetricFamily(f"heksherlite_client_{name}", text, labels=["service"])
            counter.add_metric(service, number)
            yield counter
        delays = HistogramMetricFamily(
            "heksherlite_client_delay_seconds",
            "The time from a change in the service to its value being in force.",
            labels=["service"],
        )
        bounds = [*map(str, DELAY_BOUNDS), "+Inf"]
        delays.add_metric(service, list(zip(bounds, accumulate(counts.delays), strict=True)), counts.delay_sum)
        yield delays


def collect(
    client: AsyncHeksherClient | ThreadHeksherClient, registry: CollectorRegistry = REGISTRY
) -> ClientCollector:
    """Add the metrics of a client to a registry.

    Args:
        client: The client.
        registry: The registry; by default that of the process.

    Returns:
        The collector, whose ``stop`` removes the metrics.

    Raises:
        ValueError: If the registry has the metrics of another client already. Give each client a registry then.
    """
    collector = ClientCollector(client, registry)
    registry.register(collector)
    return collector


def _gauge(name: str, text: str, value: float, service: list[str]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, text, labels=["service"])
    gauge.add_metric(service, float(value))
    return gauge
