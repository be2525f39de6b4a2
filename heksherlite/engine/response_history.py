"""The responses that a client's state is made of, for its snapshot."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, TypeAlias

from heksherlite.engine.messages import Response
from heksherlite.engine.protocol import DELTA_STATUS, NOT_MODIFIED
from heksherlite.engine.snapshots import KeptResponse, Snapshot

Query: TypeAlias = tuple[str, str]
"""What a query asks for: names of settings, and context filters, as they are sent."""

_MOST_CHANGES: Final = 100


class ResponseHistory:
    """For each query the last full response, and the partial ones since."""

    def __init__(self) -> None:
        self._responses: dict[Query, list[KeptResponse]] = {}

    def add(self, responses: Mapping[Query, Response]) -> set[Query]:
        """Take in the responses of an update; return the queries that should be answered in full the next time.

        Args:
            responses: By query, all that are asked now.
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

    def snapshot(self, service: str, context_features: tuple[str, ...], taken_at: datetime) -> Snapshot:
        """Return what is known now.

        Args:
            service: The service's URL without credentials.
            context_features: The service's order of them.
            taken_at: The time, in UTC.
        """
        kept = [response for history in self._responses.values() for response in history]
        kept.sort(key=lambda response: response.status)  # full responses, 200, before partial ones, 226
        filters = next((filters for _, filters in self._responses), "")
        return Snapshot(service, context_features, filters, taken_at, tuple(kept))
