"""The cache of 304 responses: most requests repeat an earlier one, and parsing it again would cost most of the time."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from fastapi import Request, Response

from heksherlite.service.domain.counters import Counters

_MAX_BYTES: Final = 16 * 1024 * 1024
"""The maximal size of the cache: a thousand requests that name a thousand settings each, or many smaller ones."""

_ENTRY_BYTES: Final = 1_000
"""The approximate size of a cache entry in addition to the request."""

_KEY_HEADERS: Final = frozenset({b"if-none-match", b"accept", b"accept-encoding", b"a-im", b"last-event-id"})
"""The request headers that determine the response, apart from the identity of the client."""

_PARAMETERS: Final = frozenset({"settings", "context_filters", "include_metadata"})
"""The parameters of queries as of now."""

_Key: TypeAlias = tuple[bytes, str, tuple[tuple[bytes, bytes], ...]]


class NotModifiedCache:
    """Caches the headers of 304 responses until the catalog changes.

    Args:
        counters: Returns the counters of the current catalog.
    """

    def __init__(self, counters: Callable[[], Counters]) -> None:
        self._current_counters = counters
        self._counters: Counters | None = None
        self._headers: dict[_Key, Mapping[str, str]] = {}
        self._bytes = 0

    def response_to(self, request: Request) -> Response | None:
        """Return the cached response to an authorized request, or None if there is none."""
        if self._counters is not self._current_counters():
            return None
        headers = self._headers.get(_key(request))
        return None if headers is None else Response(status_code=304, headers=headers)

    def remember(self, request: Request, counters: Counters, headers: Mapping[str, str]) -> None:
        """Cache a 304 response that depends on nothing but the request and the catalog.

        A request with other parameters than those of queries is not cached: it could have any number of forms.

        Args:
            request: The request.
            counters: The counters of the catalog.
            headers: The headers of the response.
        """
        parameters = request.query_params.multi_items()
        if len(parameters) > len(dict(parameters)) or not _PARAMETERS.issuperset(name for name, _ in parameters):
            return
        key = _key(request)
        size = _size(key)
        if counters is not self._counters or self._bytes + size > _MAX_BYTES:
            self._counters, self._headers, self._bytes = counters, {}, 0
        self._headers[key] = headers
        self._bytes += size


def _key(request: Request) -> _Key:
    scope = request.scope
    headers = tuple([header for header in scope["headers"] if header[0] in _KEY_HEADERS])
    return scope["query_string"], request.state.identity.setting_prefix, headers


def _size(key: _Key) -> int:
    query, _, headers = key
    return len(query) + sum(len(value) for _, value in headers) + _ENTRY_BYTES
