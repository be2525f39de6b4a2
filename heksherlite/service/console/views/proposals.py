"""``/console/proposals``: changes that wait for somebody else, and the discussion about them."""

from dataclasses import replace
from typing import Final

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from heksherlite.service.api import proposals as api
from heksherlite.service.api.change_cause import author_of
from heksherlite.service.api.context import CallerRights, Context, ReadableStore, WritableStore
from heksherlite.service.api.routes import requires_person
from heksherlite.service.console.drafting import look_at
from heksherlite.service.console.numbers import read_number
from heksherlite.service.console.parts import part_of
from heksherlite.service.console.rendering import redirect, render
from heksherlite.service.console.routes import ConsoleRoute
from heksherlite.service.domain.proposals import Proposal, ProposalState
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import BadRequestError, OperationConflictsError
from heksherlite.service.pages.form import Form, read_form

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)

_MOST_LISTED: Final = 100
_EDITS_SHOWN: Final = 40
_COMMENTS_SHOWN: Final = 5
_PENDING: Final = (ProposalState.OPEN, ProposalState.APPROVED)


@router.get("/console/proposals")
@requires_person(Scope.READ, Scope.PROPOSE, Scope.WRITE)
async def list_proposals(request: Request, store: ReadableStore) -> Response:
    """List the proposals that are to be decided, or all of them; everybody's, or those of the person."""
    shows_all, shows_mine = (bool(request.query_params.get(name)) for name in ("all", "mine"))
    states = None if shows_all else _PENDING
    author, prefix = author_of(request), request.state.identity.setting_prefix
    shown: list[Proposal] = []
    before: int | None = None
    while len(shown) < _MOST_LISTED:
        found = await store.proposals.list(states=states, limit=_MOST_LISTED, before=before)
        shown += [
            proposal
            for proposal in found
            if api.is_within(proposal, store, prefix) and (not shows_mine or proposal.author.is_same_as(author))
        ]
        if len(found) < _MOST_LISTED:
            break
        before = found[-1].id
    return await render(
        request,
        "proposals",
        proposals=shown[:_MOST_LISTED],
        shows_all=shows_all,
        shows_mine=shows_mine,
        knows_people=author.id is not None,
    )


@router.get("/console/proposals/{number}")
@requires_person(Scope.READ, Scope.PROPOSE, Scope.WRITE)
async def show_proposal(
    request: Request, number: str, store: ReadableStore, context: Context, rights: CallerRights
) -> Response:
    """Show a proposal, with what it would do now."""
    return await _show(request, number, store, context, rights)


@router.post("/console/proposals/{number}/approve")
@requires_person(Scope.WRITE, Scope.ADMIN)
async def approve(
    request: Request, number: str, store: ReadableStore, context: Context, rights: CallerRights
) -> Response:
    """Approve a proposal."""
    body = _statements(await read_form(request))
    try:
        await api.approve(request, read_number(number, "proposal"), context, store, rights, body)
    except OperationConflictsError:
        return await _show(request, number, store, context, rights, status=409)
    return redirect(request, f"proposals/{number}")


@router.post("/console/proposals/{number}/reject")
@requires_person(Scope.WRITE)
async def reject(request: Request, number: str, store: WritableStore) -> Response:
    """Reject a proposal."""
    await api.reject(request, read_number(number, "proposal"), store, _statements(await read_form(request)))
    return redirect(request, f"proposals/{number}")


@router.post("/console/proposals/{number}/withdraw")
@requires_person(Scope.PROPOSE, Scope.WRITE)
async def withdraw(request: Request, number: str, store: WritableStore) -> Response:
    """Take back one's own proposal."""
    await api.withdraw(request, read_number(number, "proposal"), store, _statements(await read_form(request)))
    return redirect(request, f"proposals/{number}")


@router.post("/console/proposals/{number}/comments")
@requires_person(Scope.PROPOSE, Scope.WRITE)
async def comment(request: Request, number: str, store: WritableStore) -> Response:
    """Comment on a proposal."""
    body = _statements(await read_form(request))
    if body.comment is None:
        raise BadRequestError("a comment has some text")
    await api.comment(request, read_number(number, "proposal"), store, api.NewComment(text=body.comment))
    return redirect(request, f"proposals/{number}")


def _statements(form: Form) -> api.Statements:
    try:
        return api.Statements(comment=form.text("comment") or None)
    except ValidationError as error:
        raise BadRequestError(f"a comment has at most {api.MAX_COMMENT_LENGTH} characters, without NUL") from error


async def _show(
    request: Request,
    number: str,
    store: ReadableStore,
    context: Context,
    rights: CallerRights,
    *,
    status: int = 200,
) -> Response:
    proposal = await api.proposal_within(request, read_number(number, "proposal"), store)
    may = replace(rights, ignores_protection=True)
    base = proposal.base_revision if proposal.is_pending else None
    look = await look_at(context, proposal.operations, may, base_revision=base)
    comments = proposal.comments[::-1]
    return await render(
        request,
        "proposal",
        status=status,
        proposal=proposal,
        look=look,
        edits=part_of(request, look.conflicts_first, size=_EDITS_SHOWN),
        comments=part_of(request, comments, size=_COMMENTS_SHOWN, parameter="comments"),
        is_own=proposal.author.is_same_as(author_of(request)),
    )
