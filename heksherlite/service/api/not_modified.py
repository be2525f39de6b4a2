"""Requests that are answered 304 again and again, as most are: to read one anew takes longer than all the rest."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from fastapi import Request, Response

from heksherlite.service.domain.catalog import State

_MOST_BYTES: Final = 16 * 1024 * 1024
"""How much of requests is remembered: a thousand that name a thousand settings each, or many more of fewer."""

_OVERHEAD: Final = 1_000
"""About how many bytes an answer takes beside what is counted."""

_LOOKED_AT: Final = frozenset({b"if-none-match", b"accept", b"accept-encoding", b"a-im", b"last-event-id"})
"""The headers that an answer depends on, beside who asks."""

_Key: TypeAlias = tuple[bytes, str, tuple[tuple[bytes, bytes], ...]]


class NotModifiedCache:
    """Remembers what was answered 304, until something changes.

    Args:
        newest: Returns the counters of the catalog that is answered from.
    """

    def __init__(self, newest: Callable[[], State]) -> None:
        self._newest = newest
        self._state: State | None = None
        self._headers: dict[_Key, Mapping[str, str]] = {}
        self._bytes = 0

    def answer(self, request: Request) -> Response | None:
        """Return the answer to an admitted request if it is the one that the same request got before."""
        if self._state is not self._newest():
            return None
        headers = self._headers.get(_key(request))
        return None if headers is None else Response(status_code=304, headers=headers)

    def remember(self, request: Request, state: State, headers: Mapping[str, str]) -> None:
        """Remember an answer that only depends on the request and the catalog.

        Args:
            request: The request.
            state: The counters of the catalog.
            headers: The headers of the answer.
        """
        key = _key(request)
        size = _size(key)
        if state is not self._state or self._bytes + size > _MOST_BYTES:
            self._state, self._headers, self._bytes = state, {}, 0
        self._headers[key] = headers
        self._bytes += size


def _key(request: Request) -> _Key:
    scope = request.scope
    looked_at = tuple([header for header in scope["headers"] if header[0] in _LOOKED_AT])
    return scope["query_string"], request.state.identity.setting_prefix, looked_at


def _size(key: _Key) -> int:
    query, _, headers = key
    return len(query) + sum(len(value) for _, value in headers) + _OVERHEAD
