"""``/api/v1/audit``: the audit record, and its export as JSON lines."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any, Final, TypeAlias

import orjson
from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from heksherlite.service.api.context import Context
from heksherlite.service.api.responses import INVALID, json_response, text_responses
from heksherlite.service.api.routes import ServiceRoute, requires
from heksherlite.service.domain.audit import Action, AuditOutcome, AuditRecord
from heksherlite.service.domain.authors import AuthorKind
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.fields import ResponseBody, Time
from heksherlite.service.storage.audit import AuditLog, AuditSearch
from heksherlite.service.transfer.lines import MEDIA_TYPE

router = APIRouter(prefix="/api/v1/audit", tags=["audit"], route_class=ServiceRoute)

_MAX_RECORDS: Final = 1_000
_MAX_NUMBER: Final = 2**63 - 1

_Id: TypeAlias = Annotated[int, Query(ge=0, le=_MAX_NUMBER)]
_Text: TypeAlias = Annotated[str, Query(max_length=1_000, pattern=r"^[^\x00]*$")]


class ActorModel(ResponseBody):
    """Who did something. ``id`` identifies the actor among those of its kind; ``name`` may be chosen by the actor."""

    kind: AuthorKind
    id: str | None
    name: str | None
    address: str | None


class AuditRecordModel(ResponseBody):
    """A record. One with a ``count`` above 1 stands for so many events that were not recorded one by one."""

    id: int
    time: str
    action: Action
    outcome: AuditOutcome
    actor: ActorModel
    subject: str | None
    details: dict[str, Any]
    count: int = Field(ge=1)


class AuditPage(ResponseBody):
    """Records, newest first. If there are more, the next page has the parameter ``before`` set to ``next``."""

    audit: list[AuditRecordModel]
    next: int | None


async def _search(
    *,
    action: Annotated[Action | None, Query(description="Only this action.")] = None,
    outcome: Annotated[AuditOutcome | None, Query(description="Only this outcome.")] = None,
    actor_kind: Annotated[AuthorKind | None, Query(description="Only actors of this kind.")] = None,
    actor_id: Annotated[_Text | None, Query(description="Only the actor with this id.")] = None,
    address: Annotated[_Text | None, Query(description="Only requests from this address.")] = None,
    subject: Annotated[_Text | None, Query(description="Only what was done to the subject with this id.")] = None,
    since: Annotated[Time | None, Query(description="Only at or after this time.")] = None,
    until: Annotated[Time | None, Query(description="Only before this time.")] = None,
) -> AuditSearch:
    return AuditSearch(
        action=action,
        outcome=outcome,
        actor_kind=actor_kind,
        actor_id=actor_id,
        address=address,
        subject=subject,
        since=since,
        until=until,
    )


_Search: TypeAlias = Annotated[AuditSearch, Depends(_search)]


@router.get("", response_model=AuditPage, responses={**text_responses(503), **INVALID})
@requires(Scope.AUDIT, all_settings=True)
async def list_audit(
    context: Context,
    search: _Search,
    *,
    before: Annotated[_Id | None, Query(description="Only records with ids below this one.")] = None,
    limit: Annotated[int, Query(ge=1, le=_MAX_RECORDS, description="The maximal number of records to return.")] = 100,
) -> Response:
    """List the records of the audit record, newest first."""
    await context.audit.write_pending()
    found = await context.store.audit.search(replace(search, before=before), limit=limit + 1)
    shown = [record.as_json() for record in found[:limit]]
    return json_response({"audit": shown, "next": shown[-1]["id"] if len(found) > limit else None})


@router.get(
    "/export",
    response_class=Response,
    responses={
        200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}, "description": "JSON lines, oldest first."},
        **text_responses(503),
        **INVALID,
    },
)
@requires(Scope.AUDIT, all_settings=True)
async def export_audit(
    context: Context,
    search: _Search,
    *,
    after: Annotated[_Id | None, Query(description="Only records with ids above this one.")] = None,
    limit: Annotated[
        int | None, Query(ge=1, le=_MAX_NUMBER, description="The maximal number of records to return; all by default.")
    ] = None,
) -> Response:
    """Return the records of the audit record as JSON lines, oldest first."""
    await context.audit.write_pending()
    wanted = replace(search, after=after)
    first = await _next_records(context.store.audit, wanted, limit)  # before the status is sent
    return StreamingResponse(_lines(context.store.audit, wanted, first, limit), media_type=MEDIA_TYPE)


async def _lines(
    log: AuditLog, search: AuditSearch, records: list[AuditRecord], remaining: int | None
) -> AsyncIterator[bytes]:
    while records:
        yield b"".join(orjson.dumps(record.as_json(), option=orjson.OPT_APPEND_NEWLINE) for record in records)
        remaining = None if remaining is None else remaining - len(records)
        records = await _next_records(log, replace(search, after=records[-1].id), remaining)


async def _next_records(log: AuditLog, search: AuditSearch, remaining: int | None) -> list[AuditRecord]:
    limit = _MAX_RECORDS if remaining is None else min(remaining, _MAX_RECORDS)
    return await log.search(search, limit=limit, oldest_first=True) if limit else []
