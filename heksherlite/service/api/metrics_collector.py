"""What there is to tell of a service that runs: its answers are counted here, all else where it happens."""

import asyncio
import logging
from contextlib import suppress
from typing import Final

from heksherlite.service.api.authorizer import Authorizer
from heksherlite.service.api.streams import Streams
from heksherlite.service.metrics.multiprocess import MultiprocessDirectory
from heksherlite.service.metrics.snapshot import Latencies, MetricsSnapshot, ResponseLabels, Totals, merge
from heksherlite.service.storage.store import Store

_PUBLISH_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 60.0  # after an attempt that failed

_logger = logging.getLogger(__name__)


class MetricsCollector:
    """Counts answers, and reads the other parts of the service.

    Args:
        store: What is served.
        streams: Who listens to changes.
        authorizer: Authorizes all other requests.
        multiprocess: Where other processes of the same service tell of themselves; None if there are none.
    """

    def __init__(
        self, store: Store, streams: Streams, authorizer: Authorizer, multiprocess: MultiprocessDirectory | None
    ) -> None:
        self._store = store
        self._streams = streams
        self._authorizer = authorizer
        self._multiprocess = multiprocess
        self._answers: dict[ResponseLabels, Latencies] = {}

    @property
    def revision(self) -> int:
        """The revision that is served."""
        return self._store.catalog.state.revision

    def count(self, kind: ResponseLabels, seconds: float) -> None:
        """Count an answer.

        Args:
            kind: With which others it is counted.
            seconds: How long it took until it began.
        """
        latencies = self._answers.get(kind)
        if latencies is None:
            latencies = self._answers[kind] = Latencies()
        latencies.add(seconds)

    def read(self) -> MetricsSnapshot:
        """Return what there is to tell of the service, by all its processes.

        Raises:
            OSError: The board cannot be used.
        """
        own = self._read_own()
        if self._multiprocess is None:
            return own
        self._multiprocess.publish(own)
        return merge(self._multiprocess.snapshots())

    async def publish(self, until: asyncio.Event) -> None:
        """Tell the other processes every second, until an event is set; run this as a task."""
        while self._multiprocess is not None and not until.is_set():
            seconds = _PUBLISH_SECONDS
            try:
                self._multiprocess.publish(self._read_own())
            except OSError as error:
                _logger.warning("the metrics of this worker are not up to date", extra={"reason": str(error)})
                seconds = _PAUSE_SECONDS
            with suppress(TimeoutError):
                await asyncio.wait_for(until.wait(), seconds)

    def _read_own(self) -> MetricsSnapshot:
        store, streams = self._store, self._streams
        totals = Totals(
            answers=self._answers,
            writes=store.writes,
            refused_tokens=self._authorizer.refused_tokens,
            ended_streams=streams.ended,
        )
        return MetricsSnapshot(
            totals=totals,
            streams=streams.count,
            revision=self.revision,
            newest_at=store.newest_at,
            database_up=store.available,
            settings=len(store.catalog.entries),
            rules=len(store.catalog.rules),
        )
