"""Caches of responses to queries: most repeat an earlier one, and parsing it again would cost most of the time."""

from collections.abc import Callable
from typing import Final, Generic, TypeAlias, TypeVar

from fastapi import Request

from heksherlite.service.api.identity import identity_of
from heksherlite.service.domain.counters import Counters

T = TypeVar("T")

_MAX_BYTES: Final = 16 * 1024 * 1024
"""The maximal size of a cache: a thousand requests that name a thousand settings each, or many smaller ones."""

_ENTRY_BYTES: Final = 1_000
"""The approximate size of a cache entry in addition to the request."""

_KEY_HEADERS: Final = frozenset({b"if-none-match", b"accept", b"accept-encoding", b"a-im", b"last-event-id"})
"""The request headers that determine the response, apart from the identity of the client."""

_PARAMETERS: Final = frozenset({"settings", "context_filters", "include_metadata"})
"""The parameters of queries as of now."""

QueryKey: TypeAlias = tuple[bytes, str, tuple[tuple[bytes, bytes], ...]]
"""What the response to a query depends on, apart from the catalog."""


class RepeatedQueries(Generic[T]):
    """Caches what is sent in response to queries until the catalog changes.

    Args:
        counters: Returns the counters of the current catalog.
    """

    def __init__(self, counters: Callable[[], Counters]) -> None:
        self._current_counters = counters
        self._counters: Counters | None = None
        self._headers: dict[QueryKey, T] = {}
        self._bytes = 0

    def find(self, key: QueryKey) -> T | None:
        """Return what is cached for an authorized request, or None."""
        return self._headers.get(key) if self._counters is self._current_counters() else None

    def remember(self, request: Request, counters: Counters, headers: T) -> None:
        """Cache the headers of a response that depends on nothing but the request and the catalog.

        A request with other parameters than those of queries is not cached: it could have any number of forms.

        Args:
            request: The request.
            counters: The counters of the catalog.
            headers: The headers of the response.
        """
        parameters = request.query_params.multi_items()
        if len(parameters) > len(dict(parameters)) or not _PARAMETERS.issuperset(name for name, _ in parameters):
            return
        key = key_of(request)
        size = _size(key)
        if counters is not self._counters or self._bytes + size > _MAX_BYTES:
            self._counters, self._headers, self._bytes = counters, {}, 0
        self._headers[key] = headers
        self._bytes += size


def key_of(request: Request) -> QueryKey:
    """Return the key of an authorized request."""
    scope = request.scope
    headers = tuple([header for header in scope["headers"] if header[0] in _KEY_HEADERS])
    return scope["query_string"], identity_of(scope).setting_prefix, headers


def _size(key: QueryKey) -> int:
    query, _, headers = key
    return len(query) + sum(len(value) for _, value in headers) + _ENTRY_BYTES
