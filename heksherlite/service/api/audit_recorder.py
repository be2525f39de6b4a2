"""Records what happens in requests in the audit record, without letting clients fill it."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from fastapi import Request
from starlette.types import Scope

from heksherlite.service.api.denials import noted_denial
from heksherlite.service.api.identity import Identity
from heksherlite.service.api.proxy_headers import client_network
from heksherlite.service.domain.audit import Action, AuditEvent, AuditOutcome, DatedEvent
from heksherlite.service.domain.audit_sampling import AuditSampler
from heksherlite.service.errors import DatabaseUnavailableError
from heksherlite.service.storage.audit import AuditLog

_WRITE_SECONDS: Final = 1.0
_SUMMARY_SECONDS: Final = 60.0
_MOST_PENDING: Final = 10_000
_MOST_CHARACTERS: Final = 500


class AuditRecorder:
    """Records events that are not part of a write: claims, access tokens, and what was denied.

    While the database cannot be written, records wait in memory.

    Args:
        log: The audit record.
        now: Returns the time of the clock that all services on the database agree on.
    """

    def __init__(self, log: AuditLog, now: Callable[[], datetime]) -> None:
        self._log = log
        self._now = now
        self._sampler = AuditSampler()
        self._pending: list[DatedEvent] = []
        self._summarized_at = time.monotonic()
        self._writing = asyncio.Lock()

    async def record(self, event: AuditEvent) -> None:
        """Record something that a known client did, before the response to it is sent."""
        client = f"{event.actor.kind} {event.actor.id}"
        if self._sampler.admits(event, client, time.monotonic()):
            self._add(event)
            await self.write_pending()

    def record_denial(self, request: Request, action: Action, reason: str, **details: Any) -> None:
        """Record within a second that something was denied.

        Args:
            request: The request.
            action: What was attempted.
            reason: The reason, for people, without secrets.
            details: More about it.
        """
        self._record_denial(request.scope, action, {"reason": reason[:_MOST_CHARACTERS], **details})

    def record_denied_request(self, scope: Scope, status: int) -> None:
        """Record within a second that a request was denied.

        Args:
            scope: The scope of the request.
            status: The status of the response.
        """
        action, reason = noted_denial(scope)
        route = scope.get("route")
        details = {"method": scope["method"][:20], "route": None if route is None else route.path, "status": status}
        if reason is not None:
            details["reason"] = reason[:_MOST_CHARACTERS]
        self._record_denial(scope, action, details)

    async def write_pending(self) -> None:
        """Write what waits to be written, if the database can be written."""
        async with self._writing:
            events, self._pending = self._pending, []
            if not events:
                return
            try:
                await self._log.append(events)
            except DatabaseUnavailableError:  # the store logs it
                self._pending = [*events, *self._pending]
                self._drop_excess()

    async def keep_writing(self, until: asyncio.Event) -> None:
        """Write what waits every second, until an event is set, and then the rest; run this as a task."""
        while not until.is_set():
            if time.monotonic() - self._summarized_at >= _SUMMARY_SECONDS:
                self._summarize()
            await self.write_pending()
            with suppress(TimeoutError):
                await asyncio.wait_for(until.wait(), _WRITE_SECONDS)
        self._summarize()
        await self.write_pending()

    def _record_denial(self, scope: Scope, action: Action, details: dict[str, Any]) -> None:
        identity: Identity = scope["state"].get("identity", Identity())
        event = AuditEvent(action=action, outcome=AuditOutcome.DENIED, actor=identity.author, details=details)
        if self._sampler.admits(event, client_network(identity.address or ""), time.monotonic()):
            self._add(event)

    def _add(self, event: AuditEvent) -> None:
        self._pending.append(DatedEvent(self._now(), event))
        self._drop_excess()

    def _drop_excess(self) -> None:
        for dropped in self._pending[_MOST_PENDING:]:
            self._sampler.omit(dropped.event)
        del self._pending[_MOST_PENDING:]

    def _summarize(self) -> None:
        self._summarized_at = time.monotonic()
        for event in self._sampler.summaries():
            self._add(event)
