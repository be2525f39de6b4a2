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
