"""Proposals as values: changes that somebody else has to approve before they are made."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from heksherlite.operations import AnyOperation
from heksherlite.service.domain.authors import Author


class ProposalState(StrEnum):
    """Where a proposal is in its life. Nothing leads out of the last four states."""

    OPEN = "open"
    """It waits for a decision."""
    APPROVED = "approved"
    """It waits for its time."""
    APPLIED = "applied"
    """Its operations were made."""
    REJECTED = "rejected"
    """Somebody decided against it."""
    WITHDRAWN = "withdrawn"
    """Its author took it back."""
    FAILED = "failed"
    """Its operations could not be made when its time came."""


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody said about a proposal."""

    author: Author
    time: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A change that somebody proposes.

    Attributes:
        id: Its number.
        author: Who proposes it.
        proposed_at: When it was proposed, in UTC.
        reason: Why it is proposed.
        operations: The operations to make.
        base_revision: The revision that the author looked at. None: it does not matter what changed since.
        apply_at: When it is applied after its approval, in UTC. None: at once.
        state: Where it is in its life.
        decided_by: Who approved, rejected or withdrew it.
        decided_at: When that was, in UTC.
        approving_token: The public prefix of the token that it was approved with, if it was a token.
        applied_revision: The revision that its operations made.
        failure: Why it failed.
        comments: What was said about it, the oldest first.
    """

    id: int
    author: Author
    proposed_at: datetime
    reason: str | None
    operations: tuple[AnyOperation, ...]
    base_revision: int | None = None
    apply_at: datetime | None = None
    state: ProposalState = ProposalState.OPEN
    decided_by: Author | None = None
    decided_at: datetime | None = None
    approving_token: str | None = None
    applied_revision: int | None = None
    failure: str | None = None
    comments: tuple[Comment, ...] = ()

    @property
    def is_pending(self) -> bool:
        """Whether it is still to be decided or applied."""
        return self.state in {ProposalState.OPEN, ProposalState.APPROVED}
