"""Decisions about proposals: each turns a proposal into the next one, or says why it cannot."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from heksherlite.operations import AnyOperation
from heksherlite.service.domain.authors import Author
from heksherlite.service.domain.catalog import Catalog, Changes, Decision
from heksherlite.service.domain.deciding import Outcome
from heksherlite.service.domain.proposals import Comment, Proposal, ProposalState
from heksherlite.service.domain.tokens import NO_ACCESS, Access
from heksherlite.service.errors import ConflictError, NotFoundError, NotPermittedError, OperationConflictsError


@dataclass(frozen=True, slots=True)
class Statement:
    """The author and circumstances of an action on a proposal.

    Attributes:
        author: The author of the action.
        time: The time of the action, in UTC.
        comment: A comment, or None.
        token: The public prefix of the author's token, or None.
        access: What the author may do, if there is no token.
    """

    author: Author
    time: datetime
    comment: str | None = None
    token: str | None = None
    access: Access = NO_ACCESS


def propose(
    catalog: Catalog,
    operations: tuple[AnyOperation, ...],
    by: Statement,
    *,
    reason: str | None,
    base_revision: int | None,
    apply_at: datetime | None,
) -> Decision[int]:
    """Add a proposal. The result is its number."""
    proposal = Proposal(
        id=catalog.counters.last_proposal_id + 1,
        author=by.author,
        proposed_at=by.time,
        reason=reason,
        operations=operations,
        base_revision=base_revision,
        apply_at=apply_at,
    )
    return Decision(proposal.id, Changes(proposals=(proposal,)))


def comment(catalog: Catalog, proposal_id: int, by: Statement) -> Decision[None]:
    """Add a comment to a pending proposal."""
    return _stored(_commented(_pending(catalog, proposal_id), by))


def reject(catalog: Catalog, proposal_id: int, by: Statement) -> Decision[None]:
    """Reject a pending proposal, even if it was approved and is waiting for its time."""
    return _stored(_decided(_pending(catalog, proposal_id), by, ProposalState.REJECTED))


def withdraw(catalog: Catalog, proposal_id: int, by: Statement) -> Decision[None]:
    """Take a proposal back, as only its author may."""
    proposal = _pending(catalog, proposal_id)
    if proposal.author.id is not None and not proposal.author.is_same_as(by.author):
        raise NotPermittedError(f"only its author, {_shown(proposal.author)}, withdraws proposal {proposal_id}")
    return _stored(_decided(proposal, by, ProposalState.WITHDRAWN))


def approve(
    catalog: Catalog, proposal_id: int, by: Statement, decide: Callable[[Proposal], Outcome]
) -> Decision[Proposal]:
    """Approve a proposal. It is applied at once if it is not to be applied later. The result is the proposal then.

    Args:
        catalog: What there is.
        proposal_id: The number of the proposal.
        by: Who approves it.
        decide: Decides the operations of the proposal, within the rights of the one who approves it.

    Raises:
        NotPermittedError: They are its author.
        ConflictError: Its operations cannot be made as things are. It stays open.
    """
    proposal = _pending(catalog, proposal_id)
    if proposal.state is ProposalState.APPROVED:
        raise ConflictError(f"proposal {proposal_id} is approved already; it is applied at its time")
    if proposal.author.is_same_as(by.author):
        raise NotPermittedError(
            f"proposal {proposal_id} is by {_shown(proposal.author)}; someone other than its author must approve it"
        )
    outcome = decide(proposal)
    if outcome.conflicts:
        raise OperationConflictsError([conflict.as_json() for conflict in outcome.conflicts])
    approved = _decided(proposal, by, ProposalState.APPROVED)
    if proposal.apply_at is not None and proposal.apply_at > by.time:
        return Decision(approved, Changes(proposals=(approved,)))
    applied = _applied(catalog, approved)
    return Decision(applied, replace(outcome.changes, proposals=(applied,)))


def apply(catalog: Catalog, proposal_id: int, decide: Callable[[Proposal], Outcome]) -> Decision[Proposal | None]:
    """Apply an approved proposal whose time has come. The result is the proposal then, or None if that was done before.

    Args:
        catalog: What there is.
        proposal_id: The number of the proposal.
        decide: Decides the operations, within the rights that the one who approved it has now.

    A proposal whose operations cannot be made has failed, and says why.
    """
    proposal = catalog.proposals.get(proposal_id)
    if proposal is None or proposal.state is not ProposalState.APPROVED:
        return Decision(None)
    outcome = decide(proposal)
    if outcome.conflicts:
        return _failed(proposal, "; ".join(conflict.reason for conflict in outcome.conflicts[:10]))
    applied = _applied(catalog, proposal)
    return Decision(applied, replace(outcome.changes, proposals=(applied,)))


def fail(catalog: Catalog, proposal_id: int, reason: str) -> Decision[Proposal | None]:
    """Give up an approved proposal whose time has come. The result is as for `apply`."""
    proposal = catalog.proposals.get(proposal_id)
    if proposal is None or proposal.state is not ProposalState.APPROVED:
        return Decision(None)
    return _failed(proposal, reason)


def next_due(catalog: Catalog) -> Proposal | None:
    """Return the approved proposal whose time comes first, or None if none waits for its time."""
    waiting = [each for each in catalog.proposals.values() if each.state is ProposalState.APPROVED and each.apply_at]
    return min(waiting, key=lambda each: (each.apply_at, each.id), default=None)


def _pending(catalog: Catalog, proposal_id: int) -> Proposal:
    proposal = catalog.proposals.get(proposal_id)
    if proposal is None:
        if 0 < proposal_id <= catalog.counters.last_proposal_id:
            raise ConflictError(f"proposal {proposal_id} is closed: nothing happens to it any more")
        raise NotFoundError(f"proposal {proposal_id} does not exist")
    return proposal


def _commented(proposal: Proposal, by: Statement) -> Proposal:
    if by.comment is None:
        return proposal
    return replace(proposal, comments=(*proposal.comments, Comment(by.author, by.time, by.comment)))


def _decided(proposal: Proposal, by: Statement, state: ProposalState) -> Proposal:
    decided = replace(_commented(proposal, by), state=state, decided_by=by.author, decided_at=by.time)
    if state is not ProposalState.APPROVED:
        return decided
    return replace(decided, approving_token=by.token, approving_access=by.access)


def _applied(catalog: Catalog, proposal: Proposal) -> Proposal:
    return replace(proposal, state=ProposalState.APPLIED, applied_revision=catalog.next_revision)


def _failed(proposal: Proposal, reason: str) -> Decision[Proposal | None]:
    failed = replace(proposal, state=ProposalState.FAILED, failure=reason)
    return Decision(failed, Changes(proposals=(failed,)))


def _stored(proposal: Proposal) -> Decision[None]:
    return Decision(None, Changes(proposals=(proposal,)))


def _shown(author: Author) -> str:
    return f"{author.kind} {author.name}" if author.name else author.kind
