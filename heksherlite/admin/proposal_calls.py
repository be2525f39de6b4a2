"""The calls about proposals."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from heksherlite.admin import reading
from heksherlite.admin.requests import Call, json_call, moment_text, request_to, without_none
from heksherlite.admin.results import (
    Proposal,
    ProposalPage,
    ProposalState,
)
from heksherlite.operations import Operation


def propose(
    operations: Iterable[Operation],
    *,
    reason: str | None = None,
    base_revision: int | str | None = None,
    apply_at: datetime | None = None,
) -> Call[int]:
    """Propose operations for the approval of somebody else, and return the number of the proposal.

    Args:
        operations: The operations, in order.
        reason: The reason, for the history.
        base_revision: The revision that the author looked at, as for :meth:`change`.
        apply_at: When to apply the proposal after its approval. None: at once.

    Raises:
        ChangeConflictsError: Operations cannot be made now. The message contains the conflicts.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    body = without_none(
        operations=[operation.as_json() for operation in operations],
        reason=reason,
        base_revision=base_revision,
        apply_at=moment_text(apply_at),
    )
    return json_call("POST", "proposals", lambda shown: int(shown["proposal_id"]), body=body)


def list_proposals(
    *, states: Sequence[ProposalState] = (), before: int | None = None, limit: int = 100
) -> Call[ProposalPage]:
    """Return proposals, the newest first, without their conflicts and impact.

    Args:
        states: Only proposals in one of these states. Empty: all.
        before: Only proposals with lower numbers.
        limit: The maximum number of proposals.

    Raises:
        AdminError: There is no answer, or the request is refused.
    """
    return json_call("GET", "proposals", reading.proposal_page, state=states, before=before, limit=limit)


def proposal(proposal_id: int) -> Call[Proposal]:
    """Return a proposal. If it is still to be applied, it has its conflicts and its impact now.

    Args:
        proposal_id: Its number.

    Raises:
        RequestRefusedError: There is no such proposal: status 404.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    return json_call("GET", f"proposals/{proposal_id}", reading.proposal)


def approve(proposal_id: int, *, comment: str | None = None) -> Call[Proposal]:
    """Approve somebody else's proposal, and return it. It is applied at once, or at its time.

    Args:
        proposal_id: Its number.
        comment: A comment.

    Raises:
        ChangeConflictsError: The proposal is closed, or cannot be applied now. The message contains the conflicts.
        AccessRefusedError: The token belongs to its author, or does not permit its operations.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    return json_call("POST", f"proposals/{proposal_id}/approve", reading.proposal, body=without_none(comment=comment))


def reject(proposal_id: int, *, comment: str | None = None) -> Call[None]:
    """Reject a proposal, even if it was approved and waits for its time.

    Args:
        proposal_id: Its number.
        comment: A comment.

    Raises:
        ChangeConflictsError: The proposal is closed.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    return _action(proposal_id, "reject", without_none(comment=comment))


def withdraw(proposal_id: int, *, comment: str | None = None) -> Call[None]:
    """Withdraw one's own proposal.

    Args:
        proposal_id: Its number.
        comment: A comment.

    Raises:
        ChangeConflictsError: The proposal is closed.
        AccessRefusedError: It is somebody else's.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    return _action(proposal_id, "withdraw", without_none(comment=comment))


def comment(proposal_id: int, text: str) -> Call[None]:
    """Comment on a proposal.

    Args:
        proposal_id: Its number.
        text: The comment.

    Raises:
        ChangeConflictsError: The proposal is closed.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    return _action(proposal_id, "comments", {"text": text})


def _action(proposal_id: int, action: str, body: Mapping[str, Any]) -> Call[None]:
    request = request_to("POST", f"proposals/{proposal_id}/{action}", body, {}, repeatable=False)
    return Call(request, lambda _: None)
