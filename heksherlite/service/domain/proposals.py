"""Proposals as values: changes that are made after someone other than their author has approved them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from heksherlite.operations import AnyOperation
from heksherlite.service.domain.authors import Author
from heksherlite.service.domain.tokens import NO_ACCESS, Access


class ProposalState(StrEnum):
    """The state of a proposal. The last four states are final."""

    OPEN = "open"
    """The proposal waits for a decision."""
    APPROVED = "approved"
    """The proposal is approved and waits for its time."""
    APPLIED = "applied"
    """Its operations were made."""
    REJECTED = "rejected"
    """Someone rejected the proposal."""
    WITHDRAWN = "withdrawn"
    """Its author withdrew the proposal."""
    FAILED = "failed"
    """Its operations could not be made when its time came."""


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on a proposal."""

    author: Author
    time: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A proposed change.

    Attributes:
        id: The number of the proposal.
        author: The author of the proposal.
        proposed_at: When it was proposed, in UTC.
        reason: The reason for the change.
        operations: The operations to make.
        base_revision: The revision on which the author based it. None if later changes do not matter.
        apply_at: When it is applied after its approval, in UTC. None for immediately.
        state: The state of the proposal.
        decided_by: Who approved, rejected or withdrew it.
        decided_at: When it was approved, rejected or withdrawn, in UTC.
        approving_token: The public prefix of the token that approved it, if a token did.
        approving_access: What the one who approved it could do then, if there was no token.
        applied_revision: The revision that its operations made.
        failure: Why it failed.
        comments: The comments, the oldest first.
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
    approving_access: Access = NO_ACCESS
    applied_revision: int | None = None
    failure: str | None = None
    comments: tuple[Comment, ...] = ()

    @property
    def is_pending(self) -> bool:
        """Whether it is still to be decided or applied."""
        return self.state in {ProposalState.OPEN, ProposalState.APPROVED}
