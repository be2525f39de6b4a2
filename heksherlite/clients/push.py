"""Receives changes as they happen, if the service offers a stream of changes."""

import logging
from collections.abc import Callable
from datetime import datetime
from math import inf
from random import Random
from typing import Final

import anyio

from heksherlite.clients.outage import Outage
from heksherlite.engine.event_stream import EventStreamReader
from heksherlite.engine.health import Health
from heksherlite.engine.messages import Request
from heksherlite.engine.polling import Polling
from heksherlite.http.retry_after import retry_after
from heksherlite.http.transport import Transport

logger = logging.getLogger(__name__)

_OPENING: Final = 30.0
"""The maximum number of seconds until the first event. A service sends it at once."""

_STEADY: Final = 60.0
"""The seconds after which a stream counts as stable."""


Hint = Callable[[float, str, datetime | None], object]


class Push:
    """Keeps a stream of changes open. Polling continues unchanged.

    Each event hints that an update is due. So does opening the stream, because changes may have been missed before.

    Args:
        transport: Connects to the service.
        interval: The seconds between polls. It determines how soon a lost stream is opened again.
        health: Where to note whether a stream is open.
        hint: Called with the seconds until the update, random within the spread that the service requests, with the
            id of the event, and with the time of the change if the event has it.
    """

    def __init__(self, transport: Transport, interval: float, health: Health, hint: Hint) -> None:
        self._transport = transport
        self._health = health
        self._hint = hint
        self._random = Random()  # noqa: S311 - only spreads requests
        self._back_off = Polling(interval, self._random)
        self._lost = Outage(logger, "stream of changes lost", "stream of changes works again", level=logging.INFO)
        self._request: Request | None = None
        self._changed = anyio.Event()
        self._reader = EventStreamReader()
        self._failures = 0
        self._listening = anyio.CancelScope()
        self._opening = anyio.CancelScope()
        self._opened_at = inf

    def follow(self, request: Request | None) -> None:
        """Replace the request for the stream, or close the stream if it is None. Call it in the event loop."""
        if request != self._request:
            self._request = request
            self._changed.set()
            self._listening.cancel()

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            self._changed = anyio.Event()
            if self._request is not None:
                with anyio.CancelScope() as self._listening:
                    await self._keep_listening(self._request)
            await self._changed.wait()

    async def _keep_listening(self, request: Request) -> None:
        while self._transport.can_listen:
            self._reader = EventStreamReader()
            self._opened_at = inf
            error: Exception = EOFError("the service ended the stream")
            try:
                with anyio.move_on_after(_OPENING) as self._opening:
                    await self._transport.listen(request, self._take)
                if self._opening.cancelled_caught:
                    error = TimeoutError(f"the stream had no event within {_OPENING:g} s")
            except Exception as raised:  # noqa: BLE001 - whatever it is, polling goes on, and it is tried again
                error = raised
            finally:
                self._health.streams(False)
            self._lost.note(error)
            self._failures += 1
            await anyio.sleep(self._back_off.after_failure(self._failures, retry_after(error)))

    def _take(self, piece: bytes) -> None:
        for event in self._reader.read(piece):
            if self._opened_at == inf:
                self._opened_at = anyio.current_time()
                self._opening.deadline = inf
                self._health.streams(True)
            self._hint(self._random.uniform(0, event.spread), event.id, event.changed_at)
        if self._failures and anyio.current_time() >= self._opened_at + _STEADY:
            self._failures = 0
            self._lost.end()
