"""``/f/sessions``: what the person may do, and who is logged in."""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from heksherlite.service.api.context import context_of
from heksherlite.service.api.routes import requires_person
from heksherlite.service.domain.access.sessions import ActiveSession
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.pages.form import read_form
from heksherlite.service.pages.page_route import PageRoute
from heksherlite.service.pages.rendering import redirect, render

router = APIRouter(prefix="/f", include_in_schema=False, route_class=PageRoute)


@router.get("/sessions")
@requires_person()
async def show_sessions(request: Request) -> Response:
    """Show what the person may do, and the person's own sessions; to operators, all sessions."""
    identity = request.state.identity
    active = await context_of(request).people.list_sessions(identity)
    return render(
        request,
        "sessions",
        scopes=_listed(identity.scopes),
        sessions=[{**_shown(each), "is_this": each.session.id == identity.session_id} for each in active],
    )


@router.post("/sessions")
@requires_person()
async def end_session(request: Request) -> Response:
    """End a session of the person; operators may end every session."""
    form = await read_form(request)
    await context_of(request).people.end_session(request.state.identity, form.text("session"))
    return redirect(request, "sessions")


def _shown(active: ActiveSession) -> dict[str, Any]:
    session = active.session
    return {
        "id": session.id,
        "name": active.name,
        "is_token": active.token is not None,
        "scopes": _listed(active.access.scopes),
        "setting_prefix": active.access.setting_prefix,
        "address": session.address,
        "created_at": _time(session.created_at),
        "last_used_at": _time(session.last_used_at),
    }


def _listed(scopes: frozenset[Scope]) -> str:
    return ", ".join(scope for scope in Scope if scope in scopes) or "none"


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
