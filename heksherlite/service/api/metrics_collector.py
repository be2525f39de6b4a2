"""Collects the metrics of a running service: it counts responses, and reads everything else where it is counted."""

import asyncio
import logging
from collections import Counter
from contextlib import suppress
from typing import Final

from heksherlite.service.api.authorizer import Authorizer
from heksherlite.service.api.quotas import Quotas
from heksherlite.service.api.streams import Streams
from heksherlite.service.metrics.multiprocess import MultiprocessDirectory
from heksherlite.service.metrics.snapshot import Latencies, MetricsSnapshot, ResponseLabels, Totals, merge
from heksherlite.service.storage.store import Store

_PUBLISH_INTERVAL: Final = 1.0  # seconds
_RETRY_INTERVAL: Final = 60.0  # seconds

_logger = logging.getLogger(__name__)


class MetricsCollector:
    """Counts responses, and reads the metrics of the other parts of the service.

    Args:
        store: The store of the service.
        streams: The open streams.
        authorizer: Counts the refused tokens and writes.
        quotas: Counts what clients use, and requests beyond their quotas.
        multiprocess: The directory shared with other processes of the service; None for a single process.
    """

    def __init__(
        self,
        store: Store,
        streams: Streams,
        authorizer: Authorizer,
        quotas: Quotas,
        multiprocess: MultiprocessDirectory | None,
    ) -> None:
        self._store = store
        self._streams = streams
        self._authorizer = authorizer
        self._quotas = quotas
        self._multiprocess = multiprocess
        self._responses: dict[ResponseLabels, Latencies] = {}

    @property
    def revision(self) -> int:
        """The current revision."""
        return self._store.catalog.counters.revision

    def count(self, labels: ResponseLabels, seconds: float) -> None:
        """Count a response.

        Args:
            labels: The labels of the response.
            seconds: The time until the response started.
        """
        latencies = self._responses.get(labels)
        if latencies is None:
            latencies = self._responses[labels] = Latencies()
        latencies.add(seconds)

    def collect(self) -> MetricsSnapshot:
        """Return the metrics of all processes of the service.

        Raises:
            OSError: The multiprocess directory cannot be read or written.
        """
        own = self._collect_own()
        if self._multiprocess is None:
            return own
        self._multiprocess.publish(own)
        return merge(self._multiprocess.snapshots())

    def processes(self) -> int:
        """Return how many processes of this machine share their metrics.

        Raises:
            OSError: The multiprocess directory cannot be read.
        """
        return 1 if self._multiprocess is None else len(self._multiprocess.snapshots())

    async def publish(self, until: asyncio.Event) -> None:
        """Publish the metrics of this process once per second, until an event is set; run this as a task."""
        while self._multiprocess is not None and not until.is_set():
            interval = _PUBLISH_INTERVAL
            try:
                self._multiprocess.publish(self._collect_own())
            except OSError as error:
                _logger.warning("cannot publish the metrics of this worker: %s", error, extra={"reason": str(error)})
                interval = _RETRY_INTERVAL
            with suppress(TimeoutError):
                await asyncio.wait_for(until.wait(), interval)

    def _collect_own(self) -> MetricsSnapshot:
        store, streams = self._store, self._streams
        totals = Totals(
            responses=self._responses,
            writes=store.writes,
            refused_tokens=self._authorizer.refused_tokens,
            ended_streams=streams.ended,
            refused_by_quota=Counter({"writes": self._authorizer.refused_writes}) + self._quotas.refused,
            history_bytes=self._quotas.history_bytes,
        )
        return MetricsSnapshot(
            totals=totals,
            streams=streams.count,
            reads=self._quotas.reads,
            revision=self.revision,
            newest_at=store.newest_at,
            database_up=store.available,
            settings=len(store.catalog.entries),
            rules=len(store.catalog.rules),
        )
