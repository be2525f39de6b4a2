"""Events and metrics of clients for OpenTelemetry; see ``docs/guides/telemetry.md``."""

import logging
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from typing import Any, Final

try:
    from opentelemetry import _logs, metrics
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] != "opentelemetry":
        raise
    raise ModuleNotFoundError(
        "heksherlite.integrations.opentelemetry needs OpenTelemetry: pip install 'heksherlite[opentelemetry]'",
        name=error.name,
    ) from error

from heksherlite._version import __version__
from heksherlite.clients.async_client import AsyncHeksherClient
from heksherlite.clients.observed_lookup import ObservedLookup, Read, observing
from heksherlite.clients.thread_client import ThreadHeksherClient
from heksherlite.engine.counts import DELAY_BOUNDS
from heksherlite.setting import Setting

logger = logging.getLogger(__name__)

_EVENT: Final = "feature_flag.evaluation"
_NAME: Final = "heksherlite"


class Instrumentation:
    """What :func:`instrument` started."""

    def __init__(self, client: AsyncHeksherClient | ThreadHeksherClient, record: Any) -> None:
        self._client = client
        self._record = record

    def stop(self) -> None:
        """Send no more events. OpenTelemetry has no way to take metrics back; their values stay as they are."""
        self._client._engine.observe(lambda _: None)
        counts = self._client._health.counts
        counts.on_delay = tuple([function for function in counts.on_delay if function is not self._record])


def instrument(
    client: AsyncHeksherClient | ThreadHeksherClient,
    *,
    settings: Collection[Setting[Any]] | None = None,
    every_read: bool = False,
    context_id_feature: str | None = None,
    logger_provider: _logs.LoggerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
) -> Instrumentation:
    """Send an event for values that are read, and metrics of the client.

    By default, one event is sent for each distinct context after each update, when it is read for the first time. A
    read that finds its value in memory costs nothing more.

    Args:
        client: The client.
        settings: The settings whose reads are events; ``None`` for all settings of the client.
        every_read: Whether each read is an event. It then takes many times as long.
        context_id_feature: The context feature whose value is ``feature_flag.context.id``.
        logger_provider: Where events are sent; by default the global provider.
        meter_provider: Where metrics are sent; by default the global provider.

    Returns:
        An object whose ``stop`` ends the events.
    """
    events = _Events(client, context_id_feature, logger_provider)
    chosen = None if settings is None else {id(setting): setting for setting in settings}

    def observer(setting: Setting[Any]) -> Any:
        if chosen is not None and id(setting) not in chosen:
            return None
        return observing(events.report, every_read=every_read)

    client._engine.observe(observer)
    return Instrumentation(client, _add_metrics(client, meter_provider))


class _Events:
    def __init__(
        self,
        client: AsyncHeksherClient | ThreadHeksherClient,
        context_id_feature: str | None,
        logger_provider: _logs.LoggerProvider | None,
    ) -> None:
        self._client = client
        self._context_id_feature = context_id_feature
        self._logger = _logs.get_logger(_NAME, __version__, logger_provider)
        self._has_failed = False

    def report(self, lookup: ObservedLookup, read: Read) -> None:
        """Send the event about a read. Whatever goes wrong with that is logged, once."""
        try:
            if self._logger.enabled(event_name=_EVENT):
                self._logger.emit(event_name=_EVENT, attributes=dict(self._attributes(lookup, read)))
        except Exception:
            if not self._has_failed:
                self._has_failed = True
                logger.exception("an event about a setting could not be sent: %s", lookup.setting_name)

    def _attributes(self, lookup: ObservedLookup, read: Read) -> Iterator[tuple[str, str]]:
        yield "feature_flag.key", lookup.setting_name
        yield "feature_flag.provider.name", _NAME
        yield "feature_flag.set.id", str(self._client._transport)
        if (version := self._client._engine.revision_name) is not None:
            yield "feature_flag.version", version
        if read.error is not None:
            yield "feature_flag.result.reason", "error"
            yield "error.type", "invalid_context"
            return
        with suppress(ValueError):
            position = lookup.rules.features.index(self._context_id_feature or "")
            yield "feature_flag.context.id", read.context[position]
        variant, reason = read.result(lookup)
        is_stale = self._client._current_state in {"stale", "closed"}
        yield "feature_flag.result.variant", variant
        yield "feature_flag.result.reason", "stale" if is_stale else reason


def _add_metrics(client: AsyncHeksherClient | ThreadHeksherClient, meter_provider: metrics.MeterProvider | None) -> Any:
    meter = metrics.get_meter(_NAME, __version__, meter_provider)
    attributes = {"heksherlite.service": str(client._transport)}
    counts = client._health.counts

    def age(_: metrics.CallbackOptions) -> Iterable[metrics.Observation]:
        seconds = client.status.age
        return [] if seconds is None else [metrics.Observation(seconds, attributes)]

    def updates(_: metrics.CallbackOptions) -> Iterable[metrics.Observation]:
        return [metrics.Observation(counts.updates, attributes)]

    def failures(_: metrics.CallbackOptions) -> Iterable[metrics.Observation]:
        return [metrics.Observation(counts.failures, attributes)]

    meter.create_observable_gauge("heksherlite.client.age", [age], "s", "The time since the last successful update.")
    meter.create_observable_counter("heksherlite.client.updates", [updates], "{update}", "The successful updates.")
    meter.create_observable_counter("heksherlite.client.failures", [failures], "{update}", "The updates that failed.")
    delays = meter.create_histogram(
        "heksherlite.client.delay",
        "s",
        "The time from a change in the service to its value being in force.",
        explicit_bucket_boundaries_advisory=DELAY_BOUNDS,
    )

    def record(seconds: float) -> None:
        delays.record(seconds, attributes)

    counts.on_delay += (record,)
    return record
