"""``/console/draft``: what the person is about to change, and what that comes to."""

import time
from dataclasses import replace
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from heksherlite.names import PLAN_FORMAT
from heksherlite.service.api import proposals
from heksherlite.service.api.changes import ChangesBody
from heksherlite.service.api.context import Context, WritableStore
from heksherlite.service.api.operation_bodies import require_at_most
from heksherlite.service.api.responses import status_of
from heksherlite.service.api.routes import requires_person
from heksherlite.service.console.drafting import add_to_draft, cause_of, look_at, rights_of
from heksherlite.service.console.parts import part_of
from heksherlite.service.console.people import person_of
from heksherlite.service.console.plans import plan_file
from heksherlite.service.console.rendering import redirect, render
from heksherlite.service.console.routes import ConsoleOperationsRoute
from heksherlite.service.console.showing import moment
from heksherlite.service.domain.drafts import Draft
from heksherlite.service.domain.times import read_time
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import BadRequestError, OperationConflictsError, RequestError
from heksherlite.service.pages.form import read_form
from heksherlite.service.pages.wording import faults_of, read_json, words_of

router = APIRouter(include_in_schema=False, route_class=ConsoleOperationsRoute)


_EDITS_SHOWN: Final = 40

_LONGEST_COMMAND: Final = 10_000
"""The size of the longest draft that can be copied as a command with all edits, in characters."""

may_edit = requires_person(Scope.WRITE, Scope.PROPOSE, Scope.ADMIN)


@router.get("/console/draft")
@may_edit
async def show_draft(request: Request, context: Context) -> Response:
    """Show the draft."""
    return await _show(request, context)


@router.get("/console/draft/export")
@may_edit
async def export_draft(request: Request, context: Context) -> Response:
    """Return the draft as the body of ``POST /api/v1/changes``."""
    draft = await _draft_of(request, context)
    headers = {"content-disposition": 'attachment; filename="draft.json"', "cache-control": "no-store"}
    return Response(_exported(draft), 200, headers, "application/json")


@router.get("/console/draft/plan")
@may_edit
async def export_plan(request: Request, context: Context) -> Response:
    """Return the draft as a saved plan, which ``heksherlite apply`` makes."""
    draft = await _draft_of(request, context)
    return plan_file(draft.operations, context.store.catalog, draft.base_revision)


@router.post("/console/draft/import")
@may_edit
async def import_draft(request: Request, context: Context) -> Response:
    """Add the operations of an exported draft, a saved plan, or any body of ``POST /api/v1/changes``."""
    form = await read_form(request, with_files=True)
    most = context.options.limits.max_operations
    try:
        body = _body_of(next((each for each in (*form.texts("file"), *form.texts("json")) if each.strip()), ""), most)
    except BadRequestError as error:
        return await _show(request, context, problem=error.message, status=422)
    require_at_most(most, body.operations)
    base_revision = await context.changer.number_of(body.base_revision)
    await add_to_draft(request, body.operations, base_revision=base_revision)
    return redirect(request, "draft")


@router.post("/console/draft/discard")
@may_edit
async def discard(request: Request, context: Context) -> Response:
    """Discard one edit, or all of them."""
    form = await read_form(request)
    number = form.text("edit")
    if number and not (number.isascii() and number.isdigit() and len(number) < 9):
        raise BadRequestError(f"{number[:100]!r} is not the number of an edit")
    await context.store.drafts.change(
        person_of(request).draft_owner,
        lambda draft: draft.without(int(number)) if number else Draft(),
        now=time.time(),
    )
    return redirect(request, "draft")


@router.post("/console/draft/rebase")
@may_edit
async def keep_mine(request: Request, context: Context) -> Response:
    """Keep the values of the draft although others changed the same meanwhile."""
    form = await read_form(request)
    seen = form.text("revision")
    if not (seen.isascii() and seen.isdigit() and len(seen) < 19):
        raise BadRequestError("the form names no revision")
    base = min(int(seen), context.store.catalog.counters.revision)
    await context.store.drafts.change(
        person_of(request).draft_owner,
        lambda draft: replace(draft, base_revision=base) if draft.operations else draft,
        now=time.time(),
    )
    return redirect(request, "draft")


@router.post("/console/draft/save")
@may_edit
async def save(request: Request, context: Context) -> Response:
    """Make the draft as one change."""
    form = await read_form(request)
    draft = await _draft_of(request, context)
    reason = form.text("reason")
    if not draft.operations:
        return redirect(request, "draft")
    try:
        cause, rights = cause_of(request, reason), rights_of(request)
        if form.text("break_glass"):
            if not reason:
                raise BadRequestError("an emergency change needs a reason")
            rights, cause = rights.breaking_glass(cause)
        made = await context.changer.make(draft.operations, rights, cause, base_revision=draft.base_revision)
    except OperationConflictsError:
        return await _show(request, context, reason=reason, status=409)
    except RequestError as error:
        return await _show(request, context, problem=words_of(error), reason=reason, status=status_of(error))
    await _clear(request, context, draft)
    return redirect(request, f"history/{made.revision}?saved=1" if made.preview.outcome.changes else "draft?nothing=1")


@router.post("/console/draft/propose")
@requires_person(Scope.WRITE, Scope.PROPOSE)
async def propose(request: Request, context: Context, store: WritableStore) -> Response:
    """Propose the draft to somebody else."""
    form = await read_form(request)
    draft = await _draft_of(request, context)
    reason, apply_at = form.text("reason"), form.text("apply_at")
    if not draft.operations:
        return redirect(request, "draft")
    try:
        body: dict[str, Any] = {
            "operations": [operation.as_json() for operation in draft.operations],
            "reason": reason or None,
            "base_revision": draft.base_revision,
        }
        if apply_at:
            time_to_apply = read_time(apply_at)
            if time_to_apply <= store.now():
                raise BadRequestError(f"{moment(time_to_apply)} is over already; choose a later time, or none")
            body["apply_at"] = time_to_apply.isoformat()
        answer = await proposals.propose(
            request, proposals.NewProposal.model_validate(body), context, store, cause_of(request, reason)
        )
    except OperationConflictsError:
        return await _show(request, context, reason=reason, status=409)
    except (RequestError, ValueError) as error:
        text = words_of(error) if isinstance(error, RequestError | ValidationError) else str(error)
        return await _show(request, context, problem=text, reason=reason, status=422)
    await _clear(request, context, draft)
    return redirect(request, f"proposals/{orjson.loads(bytes(answer.body))['proposal_id']}")


def _body_of(text: str, most: int) -> ChangesBody:
    """Return the edits in a file.

    Raises:
        BadRequestError: It is neither an exported draft nor a plan file, or has too many edits.
    """
    given = read_json(text)
    if not isinstance(given, dict):
        raise BadRequestError("this is neither an exported draft nor a plan file: it is not a JSON object")
    if given.get("format") == PLAN_FORMAT:
        if given.get("version") != 1:
            raise BadRequestError("this is a plan of another version of heksherlite; make it again")
        given = {name: value for name, value in given.items() if name not in {"format", "version"}}
    try:
        body = ChangesBody.model_validate(given)
    except ValidationError as error:
        raise BadRequestError(faults_of(error, with_places=True)) from error
    if len(body.operations) > most:
        raise BadRequestError(f"the file has {len(body.operations)} edits, and a draft may have {most}")
    return body


async def _draft_of(request: Request, context: Context) -> Draft:
    return await context.store.drafts.get(person_of(request).draft_owner)


async def _clear(request: Request, context: Context, made: Draft) -> None:
    """Discard what was made. What the person drafted in another tab meanwhile stays."""

    def without_made(draft: Draft) -> Draft:
        left = tuple(each for each in draft.operations if each not in made.operations)
        return replace(draft, operations=left) if left else Draft()

    await context.store.drafts.change(person_of(request).draft_owner, without_made, now=time.time())


def _exported(draft: Draft, *, reason: str | None = None) -> bytes:
    body: dict[str, Any] = {"operations": [operation.as_json() for operation in draft.operations]}
    if reason:
        body["reason"] = reason
    if draft.base_revision is not None:
        body["base_revision"] = draft.base_revision
    return orjson.dumps(body, option=orjson.OPT_INDENT_2)


async def _show(
    request: Request, context: Context, *, problem: str = "", reason: str = "", status: int = 200
) -> Response:
    draft = await _draft_of(request, context)
    body = _exported(draft, reason="…").decode()
    look = await look_at(context, draft.operations, rights_of(request), base_revision=draft.base_revision)
    return await render(
        request,
        "draft",
        status=status,
        draft=draft,
        look=look,
        problem=problem or look.problem,
        reason=reason,
        nothing="nothing" in request.query_params,
        body=body if len(body) <= _LONGEST_COMMAND else None,
        edits=part_of(request, look.conflicts_first, size=_EDITS_SHOWN),
        base_url=context.base_url(request),
    )
