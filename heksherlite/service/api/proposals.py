"""``/api/v1/proposals``: changes that somebody else has to approve."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import ConfigDict, Field

from heksherlite.operations import AnyOperation
from heksherlite.service.api.change_cause import MAX_REASON_LENGTH, ChangeCause, author_of
from heksherlite.service.api.changes import CONFLICTS, OperationConflict, show_impact
from heksherlite.service.api.context import CallerRights, Context, ReadableStore, WritableStore
from heksherlite.service.api.operation_bodies import AnyOperationBody, require_at_most
from heksherlite.service.api.responses import EVERY_WRITE, INVALID, json_response, text_responses
from heksherlite.service.api.routes import OperationsRoute, requires
from heksherlite.service.domain import proposing
from heksherlite.service.domain.authors import Author
from heksherlite.service.domain.catalog import Catalog, Decision
from heksherlite.service.domain.proposals import Proposal, ProposalState
from heksherlite.service.domain.proposing import Statement
from heksherlite.service.domain.rights import Rights
from heksherlite.service.domain.times import show_time
from heksherlite.service.domain.tokens import Access, Scope
from heksherlite.service.errors import (
    InvalidError,
    NotFoundError,
    OperationConflictsError,
    OutsidePrefixError,
    RequestError,
)
from heksherlite.service.fields import BaseRevision, RequestBody, ResponseBody, Time

router = APIRouter(prefix="/api/v1/proposals", tags=["changes"], route_class=OperationsRoute)

MAX_COMMENT_LENGTH = 10_000

ProposalId: TypeAlias = Annotated[int, Path(ge=1, le=2**63 - 1)]
Text: TypeAlias = Annotated[str, Field(min_length=1, max_length=MAX_COMMENT_LENGTH, pattern=r"^[^\x00]*$")]


class NewProposal(RequestBody):
    """Operations that are proposed."""

    model_config = ConfigDict(extra="forbid")

    operations: Annotated[list[AnyOperationBody], Field(min_length=1)]
    reason: Annotated[str | None, Field(max_length=MAX_REASON_LENGTH)] = None
    base_revision: BaseRevision = None
    apply_at: Time | None = Field(
        None, description="When the proposal is applied after its approval; at once if absent."
    )


class Statements(RequestBody):
    """What somebody says about a decision."""

    comment: Text | None = None


class NewComment(RequestBody):
    """A comment on a proposal."""

    text: Text


class ProposalNumber(ResponseBody):
    """The number of a proposal."""

    proposal_id: int


class ProposalDetails(ResponseBody):
    """All about a proposal. A pending one has what it would do now."""

    model_config = ConfigDict(extra="allow")

    proposal_id: int
    state: ProposalState
    author: dict[str, Any]
    proposed_at: str
    reason: str | None
    operations: list[dict[str, Any]]
    conflicts: list[OperationConflict] | None = None


class ProposalPage(ResponseBody):
    """Proposals, the newest first; where there are more, the next page is ``before`` the number in ``next``."""

    proposals: list[ProposalDetails]
    next: int | None


@router.post(
    "", status_code=201, response_model=ProposalNumber, responses={**text_responses(404), **CONFLICTS, **EVERY_WRITE}
)
@requires(Scope.PROPOSE, Scope.WRITE)
async def propose(
    request: Request, body: NewProposal, context: Context, store: WritableStore, cause: ChangeCause
) -> Response:
    """Propose operations, which are made when somebody else approves them."""
    require_at_most(context.options.limits.max_operations, body.operations)
    operations = tuple(body.operations)
    now = store.now()
    if body.apply_at is not None and body.apply_at <= now:
        raise InvalidError(f"apply_at is over: {show_time(body.apply_at)}", location=("body", "apply_at"))
    rights = Rights(None, request.state.identity.setting_prefix, ignores_protection=True)
    base_revision = await context.changer.number_of(body.base_revision)
    preview = await context.changer.preview(operations, rights, base_revision=base_revision)
    if preview.outcome.conflicts:
        raise OperationConflictsError(preview.conflicts)
    proposal_id = await store.write_proposal(
        partial(
            proposing.propose,
            operations=operations,
            by=_statement(request, now),
            reason=cause.reason,
            base_revision=base_revision,
            apply_at=body.apply_at,
        )
    )
    return json_response({"proposal_id": proposal_id}, 201, {"location": f"/{proposal_id}"})


@router.get("", response_model=ProposalPage, responses={**text_responses(503), **INVALID})
@requires(Scope.READ, Scope.PROPOSE, Scope.WRITE)
async def list_proposals(
    request: Request,
    store: ReadableStore,
    *,
    state: Annotated[list[ProposalState] | None, Query(description="Only those in one of these states.")] = None,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="Only those with lower numbers.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="At most how many to return.")] = 100,
) -> Response:
    """List proposals, the newest first."""
    found = await store.proposals.list(states=state, limit=limit + 1, before=before)
    prefix = request.state.identity.setting_prefix
    shown = [_shown(proposal, request) for proposal in found[:limit] if is_within(proposal, store, prefix)]
    return json_response({"proposals": shown, "next": found[limit - 1].id if len(found) > limit else None})


@router.get("/{proposal_id}", response_model=ProposalDetails, responses={**text_responses(404, 503), **INVALID})
@requires(Scope.READ, Scope.PROPOSE, Scope.WRITE)
async def get_proposal(request: Request, proposal_id: ProposalId, context: Context, store: ReadableStore) -> Response:
    """Return all about a proposal, with what it would do now if it is still to be applied."""
    proposal = await proposal_within(request, proposal_id, store)
    shown = _shown(proposal, request)
    if proposal.is_pending:
        rights = Rights(None, request.state.identity.setting_prefix, ignores_protection=True)
        try:
            preview = await context.changer.preview(proposal.operations, rights, base_revision=proposal.base_revision)
        except RequestError as error:
            shown |= {"conflicts": [{"operation": 0, "reason": error.message, "setting": None, "rule_id": None}]}
        else:
            shown |= {"conflicts": preview.conflicts, **show_impact(await context.changer.impact(preview))}
    return json_response(shown)


@router.post(
    "/{proposal_id}/approve",
    response_model=ProposalDetails,
    responses={**text_responses(404), **CONFLICTS, **EVERY_WRITE},
)
@requires(Scope.WRITE, Scope.ADMIN)
async def approve(
    request: Request,
    proposal_id: ProposalId,
    context: Context,
    store: ReadableStore,
    rights: CallerRights,
    body: Statements | None = None,
) -> Response:
    """Approve somebody else's proposal. It is applied at once, or at its time."""
    proposal = await proposal_within(request, proposal_id, store)
    statement = _statement(request, store.now(), None if body is None else body.comment)
    return json_response(_shown(await context.changer.approve(proposal, statement, rights), request))


@router.post("/{proposal_id}/reject", status_code=204, responses={**text_responses(404, 409), **EVERY_WRITE})
@requires(Scope.WRITE)
async def reject(
    request: Request, proposal_id: ProposalId, store: WritableStore, body: Statements | None = None
) -> Response:
    """Decide against a proposal, also if it was approved and waits for its time."""
    return await _note(request, store, proposing.reject, proposal_id, None if body is None else body.comment)


@router.post("/{proposal_id}/withdraw", status_code=204, responses={**text_responses(404, 409), **EVERY_WRITE})
@requires(Scope.PROPOSE, Scope.WRITE)
async def withdraw(
    request: Request, proposal_id: ProposalId, store: WritableStore, body: Statements | None = None
) -> Response:
    """Take back one's own proposal."""
    return await _note(request, store, proposing.withdraw, proposal_id, None if body is None else body.comment)


@router.post("/{proposal_id}/comments", status_code=204, responses={**text_responses(404, 409), **EVERY_WRITE})
@requires(Scope.PROPOSE, Scope.WRITE)
async def comment(request: Request, proposal_id: ProposalId, store: WritableStore, body: NewComment) -> Response:
    """Comment on a proposal that is not decided or not applied yet."""
    return await _note(request, store, proposing.comment, proposal_id, body.text)


async def _note(
    request: Request,
    store: WritableStore,
    decide: Callable[[Catalog, int, Statement], Decision[None]],
    proposal_id: int,
    text: str | None,
) -> Response:
    """Write what the sender of a request decides or says about a proposal."""
    await proposal_within(request, proposal_id, store)
    statement = _statement(request, store.now(), text)
    await store.write_proposal(lambda catalog: decide(catalog, proposal_id, statement))
    return Response(status_code=204)


async def proposal_within(request: Request, proposal_id: int, store: ReadableStore) -> Proposal:
    """Return a proposal that the sender of a request may see.

    Raises:
        NotFoundError: There is none, or it is about settings outside the sender's prefix.
    """
    proposal = await store.proposals.get(proposal_id)
    if not is_within(proposal, store, request.state.identity.setting_prefix):
        raise NotFoundError(f"proposal {proposal_id} does not exist")
    return proposal


def is_within(proposal: Proposal, store: ReadableStore, prefix: str) -> bool:
    """Tell whether a proposal is only about settings with a prefix, so that a limited token may see it."""
    return not prefix or all(_setting_of(operation, store).startswith(prefix) for operation in proposal.operations)


def _setting_of(operation: AnyOperation, store: ReadableStore) -> str:
    shown = operation.as_json()
    if "setting" in shown:
        # The current name counts: an alias may start with the prefix although the setting was renamed out of it.
        try:
            entry = store.catalog.find(shown["setting"])
        except OutsidePrefixError:
            return ""
        return str(shown["setting"]) if entry is None else entry.setting.name
    rule = store.catalog.rules.get(shown.get("rule_id", 0))
    return "" if rule is None else store.catalog.entries[rule.setting_id].setting.name


def _statement(request: Request, now: datetime, text: str | None = None) -> Statement:
    identity = request.state.identity
    token = None if identity.token is None else identity.token.public_prefix
    return Statement(author_of(request), now, text, token, Access(identity.scopes, identity.setting_prefix))


def _shown(proposal: Proposal, request: Request) -> dict[str, Any]:
    """Return a proposal, with the names of people for those who take part in proposals or see people anyway."""
    identity = request.state.identity
    named = identity.sees_people or not identity.scopes.isdisjoint({Scope.PROPOSE, Scope.WRITE})

    def shown_author(author: Author) -> dict[str, Any]:
        return {"kind": author.kind, "name": author.name if named else None}

    return {
        "proposal_id": proposal.id,
        "state": proposal.state.value,
        "author": shown_author(proposal.author),
        "proposed_at": show_time(proposal.proposed_at),
        "reason": proposal.reason,
        "operations": [operation.as_json() for operation in proposal.operations],
        "base_revision": proposal.base_revision,
        "apply_at": None if proposal.apply_at is None else show_time(proposal.apply_at),
        "decided_by": None if proposal.decided_by is None else shown_author(proposal.decided_by),
        "decided_at": None if proposal.decided_at is None else show_time(proposal.decided_at),
        "applied_revision": proposal.applied_revision,
        "failure": proposal.failure,
        "comments": [
            {"author": shown_author(each.author), "time": show_time(each.time), "text": each.text}
            for each in proposal.comments
        ],
    }
