"""``/f/configure/``: an operator reviews the request of an application, and approves or denies it."""

from collections.abc import Sequence
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.api.change_cause import MAX_REASON_LENGTH, author_of
from heksherlite.service.api.context import Context, ReadableStore, context_of
from heksherlite.service.api.responses import status_of
from heksherlite.service.api.routes import requires_operator
from heksherlite.service.api.store_view import StoreView
from heksherlite.service.domain.applications import Application
from heksherlite.service.domain.authors import Cause
from heksherlite.service.domain.device_codes import LIFETIME, CodeState, DeviceCode, code_digest, is_code
from heksherlite.service.domain.manifests import Manifest
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import BadRequestError, ConflictError
from heksherlite.service.pages.choices import (
    DESCRIPTIONS,
    POWERFUL,
    Choices,
    format_duration,
    keys_of,
    known_scopes,
    unknown_scopes,
)
from heksherlite.service.pages.form import read_form
from heksherlite.service.pages.page_route import PageRoute
from heksherlite.service.pages.rate_limit import (
    NO_CLIENT_CODES,
    NO_SUCH_CODE,
    count_failed_attempt,
    require_within_rate_limit,
)
from heksherlite.service.pages.rendering import redirect, render

router = APIRouter(prefix="/f", include_in_schema=False, route_class=PageRoute)


@router.get("/configure/")
@router.get("/configure")
@requires_operator
async def show_application(request: Request, store: ReadableStore, context: Context) -> Response:
    """Show the request of an application, or its outcome."""
    code = request.query_params.get("device_code", "")
    if not code:
        return redirect(request, "device")
    manifest = _manifest_of(request)
    require_within_rate_limit(request, code)
    known = await store.device_codes.find(code) if is_code(code) else None
    if known is None and manifest is not None and is_code(code):
        if not context.options.access.client_codes:
            return render(request, "device", status=404, code=code, problem=NO_CLIENT_CODES)
        known = _chosen_by_client(request, store, code, manifest)
    if known is None:
        count_failed_attempt(request, code)
        return render(request, "device", status=404, code=code, problem=NO_SUCH_CODE)
    if known.state(store.now().timestamp()) not in {CodeState.WAITING, CodeState.OPENED}:
        return await _show_outcome(request, store, known)
    choices = Choices.initial(known.manifest, store.catalog.context_features)
    return await _show_form(request, store, code, known, choices)


@router.post("/configure/")
@router.post("/configure")
@requires_operator
async def decide(request: Request, store: ReadableStore, context: Context) -> Response:
    """Approve or deny a request, and show the outcome."""
    form = await read_form(request)
    code, decision = form.text("device_code"), form.text("decision")
    if decision not in {"approve", "deny"}:
        raise AccessDeniedError(400, "the form contains neither approve nor deny")
    if code_digest(code) != code_digest(request.query_params.get("device_code", "")):
        return redirect(request, page_of(code))  # the operator has seen the page of another code
    choices = Choices.of_form(form, store.catalog.context_features)
    manifest = _manifest_of(request) if context.options.access.client_codes else None
    address, now = request.state.identity.address, store.now().timestamp()
    known = await store.device_codes.open(code, manifest, address, now) if is_code(code) else None
    if known is None:
        count_failed_attempt(request, code)
        return render(request, "device", status=404, code=code, problem=NO_SUCH_CODE)
    try:
        if decision == "approve":
            await store.device_codes.approve(code, choices.approval(), _cause(request, choices), now)
        else:
            await store.device_codes.deny(code, _cause(request, choices), now)
    except (ConflictError, BadRequestError) as error:
        known = await store.device_codes.find(code)
        if known is None:
            return redirect(request, page_of(code))
        if known.state(now) is not CodeState.OPENED:
            return await _show_outcome(request, store, known, status=409)
        return await _show_form(request, store, code, known, choices, status=status_of(error), problem=error.message)
    return redirect(request, page_of(code))


def _manifest_of(request: Request) -> Manifest | None:
    try:
        return Manifest.from_query(request.query_params)
    except ValueError as error:
        raise AccessDeniedError(400, f"the URL of this page is invalid: {error}") from error


def _chosen_by_client(request: Request, store: StoreView, code: str, manifest: Manifest) -> DeviceCode:
    """Return a code that the client chose. It is stored when a person decides on it, because a GET writes nothing."""
    now = int(store.now().timestamp())
    return DeviceCode(
        digest=code_digest(code),
        manifest=manifest,
        address=request.state.identity.address,
        chosen_by="client",
        created_at=now,
        expires_at=now + LIFETIME,
    )


def page_of(code: str) -> str:
    """Return the page of a code, relative to ``/f/``."""
    return "configure/?" + urlencode({"device_code": code, "grant": "device_code"})


def _cause(request: Request, choices: Choices) -> Cause:
    if len(choices.reason) > MAX_REASON_LENGTH or "\0" in choices.reason:
        raise BadRequestError(f"a reason is a string of at most {MAX_REASON_LENGTH} characters without NUL")
    return Cause(author_of(request), choices.reason or None)


async def _show_form(
    request: Request,
    store: StoreView,
    code: str,
    known: DeviceCode,
    choices: Choices,
    *,
    status: int = 200,
    problem: str = "",
) -> Response:
    now = store.now().timestamp()
    if known.chosen_by == "service":
        code = code.replace("-", "").upper()  # as the application displays it
    return render(
        request,
        "configure",
        status=status,
        problem=problem,
        code=code,
        page=page_of(code) if known.chosen_by == "service" else f"configure/?{request.url.query}",
        without_secret=context_of(request).device_codes.is_collected_without_secret(known),
        manifest=known.manifest,
        address=known.address if known.chosen_by == "service" else None,
        requested=format_duration(now - known.created_at),
        left=format_duration(known.expires_at - now),
        approved=await _approved(store, known.manifest),
        scopes=known_scopes(known.manifest),
        unknown_scopes=unknown_scopes(known.manifest),
        descriptions=DESCRIPTIONS,
        powerful=POWERFUL,
        groups=[(group.name, keys_of(group)) for group in await store.groups.all()],
        choices=choices,
    )


async def _show_outcome(request: Request, store: StoreView, known: DeviceCode, *, status: int = 200) -> Response:
    state = known.state(store.now().timestamp())
    if state is CodeState.EXPIRED and status == 200:
        status = 410
    approved = None if known.application_id is None else await store.applications.get(known.application_id)
    return render(
        request,
        "outcome",
        status=status,
        state=state.value,
        manifest=known.manifest,
        approved=approved,
        scopes=[] if approved is None else [scope for scope in Scope if scope in approved.approval.scopes],
        late=status == 409,
    )


async def _approved(store: StoreView, manifest: Manifest) -> Sequence[Application]:
    """Return the approved applications with the same identifier."""
    return [each for each in await store.applications.all() if each.identifier == manifest.identifier]
