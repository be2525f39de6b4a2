"""What an update brings, and what it changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from heksherlite.engine.messages import Response
from heksherlite.engine.response_history import Query
from heksherlite.engine.versions import Version
from heksherlite.lookup import Lookup
from heksherlite.setting import Setting


@dataclass(frozen=True, slots=True)
class Update:
    """A query's response that was checked and converted, and is not in force yet.

    Attributes:
        lookups: What each setting is to be read from.
        order: The service's order of the context features, that they were made with.
        versions: The versions of the responses, with the queries that they belong to.
        responses: The responses.
    """

    lookups: Sequence[tuple[Setting[Any], Lookup]]
    order: tuple[str, ...]
    versions: Mapping[Query, Version]
    responses: Mapping[Query, Response]


class Change(NamedTuple):
    """What a setting was read from before an update, and after it."""

    setting: Setting[Any]
    before: Lookup
    after: Lookup

    @property
    def matters(self) -> bool:
        """Whether the rules or the default differ."""
        return (self.before.rules, self.before.default) != (self.after.rules, self.after.default)
