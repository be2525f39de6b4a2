"""Quotas: how much one client may use at the same time, and how much history it may add."""

import math
import time
from collections import Counter
from typing import Final, Literal, TypeAlias

from starlette.types import Scope

from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.api.identity import Identity
from heksherlite.service.api.proxy_headers import client_network
from heksherlite.service.domain.authors import Author
from heksherlite.service.domain.limits import Limits
from heksherlite.service.domain.rates import Budget

Quota: TypeAlias = Literal["reads", "streams", "history"]

_HELD: Final = "heksherlite.held"
_HISTORY_BURST_SECONDS: Final = 64.0
_CLIENT_SHARE: Final = 0.75


def client_of(author: Author | Identity) -> str:
    """Return the client that quotas count: a token, application or person, or else the network of an address."""
    identifier = author.id
    return client_network(author.address or "") if identifier is None else f"{author.kind} {identifier}"


class Quotas:
    """Counts what each client uses, in one process.

    Args:
        limits: The limits.

    Attributes:
        refused: The number of refused requests, by quota.
        history_bytes: The size of the history that was added, in bytes.
        max_streams: The number of streams that the process has room for; None if that is unknown.
    """

    def __init__(self, limits: Limits) -> None:
        self.refused: Counter[str] = Counter()
        self.history_bytes = 0
        self.max_streams: int | None = None
        self._limits = limits
        self._used: dict[Quota, Counter[str]] = {"reads": Counter(), "streams": Counter()}
        self._history = Budget(
            per_second=limits.history_bytes_per_second, burst=limits.history_bytes_per_second * _HISTORY_BURST_SECONDS
        )

    @property
    def reads(self) -> int:
        """The number of reads in progress."""
        return self._used["reads"].total()

    def hold_read(self, scope: Scope, client: str) -> None:
        """Count a read until its response is sent.

        Args:
            scope: The scope of the request.
            client: The client.

        Raises:
            AccessDeniedError: The client has too many reads in progress.
        """
        most = self._limits.max_reads_per_client
        self._hold(scope, "reads", client, most, f"{most} reads are in progress; wait for their responses")

    def hold_stream(self, scope: Scope, client: str) -> None:
        """Count a stream until it ends.

        Args:
            scope: The scope of the request.
            client: The client.

        Raises:
            AccessDeniedError: The client has too many streams.
        """
        most = self._limits.max_streams_per_client
        if self.max_streams is not None:
            most = min(most, max(1, int(self.max_streams * _CLIENT_SHARE)))
        self._hold(scope, "streams", client, most, f"{most} streams are open; close one, or poll")

    def release(self, scope: Scope) -> None:
        """Stop counting what a request used, after its response."""
        held: tuple[Quota, str] | None = scope["state"].pop(_HELD, None)
        if held is not None:
            quota, client = held
            used = self._used[quota]
            used[client] -= 1
            if not used[client]:
                del used[client]

    def require_history(self, client: str) -> None:
        """Require that a client may add more to the history.

        Raises:
            AccessDeniedError: It has added too much.
        """
        wait = self._history.wait(client, time.monotonic())
        if wait:
            rate = self._limits.history_bytes_per_second
            reason = (
                f"its changes add more than {rate:g} bytes per second to the history; make fewer or smaller changes"
            )
            raise self._refusal("history", reason, wait)

    def add_history(self, author: Author, size: int) -> None:
        """Count what a change added to the history.

        Args:
            author: The author of the change.
            size: The size, in bytes of JSON.
        """
        self.history_bytes += size
        self._history.spend(client_of(author), size, time.monotonic())

    def _hold(self, scope: Scope, quota: Quota, client: str, most: int, reason: str) -> None:
        used = self._used[quota]
        if used[client] >= most:
            raise self._refusal(quota, reason, 1)
        used[client] += 1
        scope["state"][_HELD] = (quota, client)

    def _refusal(self, quota: Quota, reason: str, wait: float) -> AccessDeniedError:
        self.refused[quota] += 1
        headers = {"retry-after": str(math.ceil(wait))}
        return AccessDeniedError(429, f"this client exceeds its quota: {reason}", headers=headers)
