"""What the settings of a client read from, and what an update changes in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from heksherlite.engine.messages import Response
from heksherlite.engine.queries import Query
from heksherlite.engine.versions import Version
from heksherlite.lookup import Lookup
from heksherlite.setting import Setting


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """Which responses the settings of a client were made from. Compared by identity.

    Attributes:
        versions: The version of the response to each query. A query names settings and tracked values, so a response
            is only ever compared with an earlier one to the same query.
        order: The service's order of the context features that the rules were built with.
    """

    versions: Mapping[Query, Version] = field(default_factory=dict)
    order: tuple[str, ...] = ()

    @property
    def revision(self) -> str | None:
        """The tag of the first response that has one."""
        return next((version for version in self.versions.values() if isinstance(version, str)), None)


@dataclass(frozen=True, slots=True)
class Update:
    """Responses that were checked and converted. They are not in force yet.

    Attributes:
        base: The state that the responses continue. The update only applies to this state.
        state: The state after the update.
        lookups: The new lookups of settings that changed.
        responses: The responses.
    """

    base: State
    state: State
    lookups: Sequence[tuple[Setting[Any], Lookup]]
    responses: Mapping[Query, Response]


class Change(NamedTuple):
    """The lookups of a setting before and after an update."""

    setting: Setting[Any]
    before: Lookup
    after: Lookup

    @property
    def matters(self) -> bool:
        """Whether the rules or the default differ."""
        return (self.before.rules, self.before.default) != (self.after.rules, self.after.default)
