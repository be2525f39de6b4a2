"""What there is to tell of a service that runs: its answers are counted here, all else where it happens."""

import asyncio
import logging
from contextlib import suppress
from typing import Final

from heksherlite.service.api.access import Access
from heksherlite.service.api.streams import Streams
from heksherlite.service.metrics.board import Board
from heksherlite.service.metrics.readings import Kind, Latencies, Reading, Totals, together
from heksherlite.service.storage.store import Store

_PUBLISH_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 60.0  # after an attempt that failed

_logger = logging.getLogger(__name__)


class Meter:
    """Counts answers, and reads the other parts of the service.

    Args:
        store: What is served.
        streams: Who listens to changes.
        access: Who is let in.
        board: Where other processes of the same service tell of themselves; None if there are none.
    """

    def __init__(self, store: Store, streams: Streams, access: Access, board: Board | None) -> None:
        self._store = store
        self._streams = streams
        self._access = access
        self._board = board
        self._answers: dict[Kind, Latencies] = {}

    @property
    def revision(self) -> int:
        """The revision that is served."""
        return self._store.catalog.state.revision

    def count(self, kind: Kind, seconds: float) -> None:
        """Count an answer.

        Args:
            kind: With which others it is counted.
            seconds: How long it took until it began.
        """
        latencies = self._answers.get(kind)
        if latencies is None:
            latencies = self._answers[kind] = Latencies()
        latencies.add(seconds)

    def read(self) -> Reading:
        """Return what there is to tell of the service, by all its processes.

        Raises:
            OSError: The board cannot be used.
        """
        own = self._read_own()
        if self._board is None:
            return own
        self._board.publish(own)
        return together(self._board.readings())

    async def publish(self, until: asyncio.Event) -> None:
        """Tell the other processes every second, until an event is set; run this as a task."""
        while self._board is not None and not until.is_set():
            seconds = _PUBLISH_SECONDS
            try:
                self._board.publish(self._read_own())
            except OSError as error:
                _logger.warning("the metrics of this worker are not up to date", extra={"reason": str(error)})
                seconds = _PAUSE_SECONDS
            with suppress(TimeoutError):
                await asyncio.wait_for(until.wait(), seconds)

    def _read_own(self) -> Reading:
        store, streams = self._store, self._streams
        totals = Totals(
            answers=self._answers,
            writes=store.writes,
            refused_tokens=self._access.refused_tokens,
            ended_streams=streams.ended,
        )
        return Reading(
            totals=totals,
            streams=streams.count,
            revision=self.revision,
            newest_at=store.newest_at,
            database_up=store.available,
            settings=len(store.catalog.entries),
            rules=len(store.catalog.rules),
        )
