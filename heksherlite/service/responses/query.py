"""A query as a client makes it."""

from collections.abc import Sequence
from dataclasses import dataclass

from heksherlite.service.domain.filters import ContextFilter


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """The requested settings and rules, and the form of the response. None stands for all."""

    setting_names: Sequence[str] | None
    context_filter: ContextFilter | None
    include_metadata: bool = False
    lines: bool = False
    """Whether the response consists of lines; see ``docs/reference/partial-responses.md``."""
    coding: str | None = None
    """The content coding of large responses."""
    past: bool = False
    """Whether a past revision is requested, so that later changes do not affect the response."""

    def canonical(self) -> str:
        """Return a text that is the same for all ways to ask for this, and another one for everything else.

        The order and repetition of names and values, and parameters that the query does not know, have no effect on it.
        """
        names = "*" if self.setting_names is None else ",".join(sorted(set(self.setting_names)))
        filtered = "*" if self.context_filter is None else self.context_filter.canonical()
        return f"{names}\n{filtered}\n{self.include_metadata}\n{self.lines}\n{self.coding}\n{self.past}"
