"""A query as a client makes it."""

from collections.abc import Sequence
from dataclasses import dataclass

from heksherlite.service.domain.filters import ContextFilter


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """Which settings, which of their rules, and how much of them; None stands for all."""

    setting_names: Sequence[str] | None
    context_filter: ContextFilter | None
    include_metadata: bool = False
    lines: bool = False
    """Whether the answer is to come in lines, see ``docs/reference/partial-responses.md``."""
    coding: str | None = None
    """The content coding of large responses."""
    past: bool = False
    """Whether it asks for a past revision, so that no later change changes the response."""
