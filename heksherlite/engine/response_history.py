"""The responses that the state of a client was made from, for its snapshot."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from heksherlite.engine.messages import Response
from heksherlite.engine.protocol import DELTA_STATUS, NOT_MODIFIED
from heksherlite.engine.queries import Query
from heksherlite.engine.snapshots import KeptResponse, Snapshot

_MOST_CHANGES: Final = 100


class ResponseHistory:
    """The last complete response to each query, and the partial responses since then."""

    def __init__(self) -> None:
        self._responses: dict[Query, list[KeptResponse]] = {}

    def add(self, responses: Mapping[Query, Response]) -> set[Query]:
        """Add the responses of an update, and return the queries whose next response should be complete.

        Args:
            responses: The responses to all current queries.
        """
        self._responses = {query: self._responses.get(query, []) for query in responses}
        too_long = set()
        for query, response in responses.items():
            if response.status == NOT_MODIFIED:
                continue
            if response.status != DELTA_STATUS:
                self._responses[query] = []
            history = self._responses[query]
            history.append(KeptResponse.of(response))
            full, *changes = [len(kept.content) for kept in history]
            if len(changes) > _MOST_CHANGES or sum(changes) > full:
                too_long.add(query)
        return too_long

    def snapshot(
        self, service: str, context_features: tuple[str, ...], context_filters: str, taken_at: datetime
    ) -> Snapshot:
        """Return the kept responses.

        Args:
            service: The URL of the service without credentials.
            context_features: The service's order of the context features.
            context_filters: What the client tracks, in the notation of the query.
            taken_at: The time, in UTC.
        """
        kept = [response for history in self._responses.values() for response in history]
        kept.sort(key=lambda response: response.status)  # complete responses, 200, before partial ones, 226
        return Snapshot(service, context_features, context_filters, taken_at, tuple(kept))
