"""Changes as they happen: the stream says when to look, and the history says what changed."""

from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final, Protocol, TypeVar

import anyio

from heksherlite.admin import calls
from heksherlite.admin.requests import Call
from heksherlite.admin.results import Record
from heksherlite.engine.event_stream import EventStreamReader
from heksherlite.engine.messages import Request
from heksherlite.errors import AccessRefusedError, RequestRefusedError, ServiceUnavailableError
from heksherlite.http.failures import is_outage, status_of
from heksherlite.http.transport import Transport

T = TypeVar("T")

_SHORTEST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
"""In seconds, before the next attempt while the service cannot be reached."""

_PAGE: Final = 1000


class Sender(Protocol):
    """Sends a call, and returns its result."""

    def __call__(self, call: Call[T], /) -> Awaitable[T]:
        """Send it."""
        ...


class Watch:
    """Follows the history of a service.

    Args:
        transport: Connects to the service.
        send: Sends a call.
        take: Called with each record, the oldest first.
        settings: The names of the settings to watch. None: everything.
    """

    def __init__(
        self, transport: Transport, send: Sender, take: Callable[[Record], object], settings: Sequence[str] | None
    ) -> None:
        self._transport = transport
        self._send = send
        self._take = take
        self._settings = settings
        self._seen = 0
        self._woken = anyio.Event()
        self._failure: Exception | None = None
        self._random = Random()  # noqa: S311 - only spreads requests

    async def run(self) -> None:
        """Watch until cancelled, or until ``take`` raises an exception."""
        for name in self._settings or ():
            await self._send(calls.setting(name))  # a name that does not exist is an error
        self._seen = (await self._send(calls.change((), dry_run=True))).revision
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watching, tasks.cancel_scope)
            tasks.start_soon(self._listening, tasks.cancel_scope)
        if self._failure is not None:
            raise self._failure

    async def _watching(self, scope: anyio.CancelScope) -> None:
        """Take the records of each event."""
        pause = _SHORTEST_PAUSE
        try:
            while True:
                await self._woken.wait()
                self._woken = anyio.Event()
                try:
                    records = await self._new_records()
                except ServiceUnavailableError:
                    await anyio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
                    self._woken.set()
                    continue
                pause = _SHORTEST_PAUSE
                for record in records:
                    self._take(record)
                    self._seen = record.revision
        except Exception as error:  # noqa: BLE001 - raised by run()
            self._failure = error
            scope.cancel()

    async def _listening(self, scope: anyio.CancelScope) -> None:
        """Keep the stream open. Each new one wakes the watch, which may have missed something before."""
        params = () if self._settings is None else (("settings", ",".join(self._settings)),)
        request = Request("GET", "/api/v1/stream", params)
        pause = _SHORTEST_PAUSE
        try:
            while True:
                reader = EventStreamReader()

                def receive(piece: bytes, reader: EventStreamReader = reader) -> None:
                    nonlocal pause
                    for event in reader.read(piece):
                        pause = _SHORTEST_PAUSE
                        self._note(event.id)

                try:
                    await self._transport.listen(request, receive)
                except Exception as error:  # noqa: BLE001 - raised unless the service may come back
                    _raise_unless_temporary(request, error)
                await anyio.sleep(pause * self._random.uniform(0.5, 1))
                pause = min(2 * pause, _LONGEST_PAUSE)
        except Exception as error:  # noqa: BLE001 - raised by run()
            self._failure = error
            scope.cancel()

    def _note(self, event_id: str) -> None:
        number = event_id.partition("-")[0]
        if number.isdigit():
            self._seen = min(self._seen, int(number))  # the database may have been put back to an earlier state
        self._woken.set()

    async def _new_records(self) -> list[Record]:
        """Return the records after the last one that was taken, the oldest first."""
        found: dict[int, Record] = {}
        for setting in [None] if self._settings is None else self._settings:
            before: int | None = None
            while True:
                page = await self._send(calls.history(setting=setting, before=before, limit=_PAGE))
                new = [record for record in page.records if record.revision > self._seen]
                found.update((record.revision, record) for record in new)
                before = page.next
                if before is None or len(new) < len(page.records):
                    break
        return [found[revision] for revision in sorted(found)]


def _raise_unless_temporary(request: Request, error: Exception) -> None:
    status = status_of(error)
    if status in {401, 403}:
        raise AccessRefusedError(str(request), "the token is not accepted any more", status) from error
    if status == 404:
        raise RequestRefusedError(str(request), "the service has no stream, or no such setting", status) from error
    if status is None and not isinstance(error, ValueError) and not is_outage(error):
        raise error
