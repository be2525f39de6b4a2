"""``/api/v1/import``: replace all settings and rules by an export."""

import asyncio
from dataclasses import replace as with_fields
from functools import partial
from tempfile import TemporaryFile
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from heksherlite.service.api.change_cause import HeaderCause
from heksherlite.service.api.context import Context, ServiceContext
from heksherlite.service.api.responses import EVERY_WRITE, json_response, text_responses
from heksherlite.service.api.routes import UploadRoute, requires
from heksherlite.service.domain.authors import Cause
from heksherlite.service.domain.lineage import RevisionId
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import ConflictError, ExportError, InvalidError, NotEmptyError, TakesTooLongError
from heksherlite.service.fields import ResponseBody
from heksherlite.service.transfer.importing import SECONDS_OTHERS_WAIT, ImportPolicy, check_export, import_export
from heksherlite.service.transfer.lines import MEDIA_TYPE, ExportReader

router = APIRouter(tags=["settings"], route_class=UploadRoute)


class Imported(ResponseBody):
    """What was imported, or would be; the revision is the one that the import made, or the newest one."""

    settings: int
    rules: int
    revision: int
    revision_name: str


_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {MEDIA_TYPE: {"schema": {"type": "string"}}}},
}


@router.post(
    "/api/v1/import",
    response_model=Imported,
    responses={**text_responses(409), **EVERY_WRITE},
    openapi_extra=_BODY,
)
@requires(Scope.ADMIN, all_settings=True)
async def import_settings(
    request: Request,
    context: Context,
    cause: HeaderCause,
    *,
    replace: Annotated[
        bool,
        Query(description="Whether to delete the existing settings and rules first. If not, there must be none."),
    ] = False,
    dry_run: Annotated[bool, Query(description="Whether to check the export, and change nothing.")] = False,
    break_glass: Annotated[
        bool, Query(description="Whether to delete protected settings in an emergency. It takes a reason.")
    ] = False,
    base_revision: Annotated[
        str | None,
        Query(max_length=100, description="The name of the revision that was looked at. If there is a newer one: 409."),
    ] = None,
    block_writes: Annotated[
        bool,
        Query(description="Whether the import may take longer than 5 s. Other writes wait for 8 s, and then get 503."),
    ] = False,
) -> Response:
    """Store the settings, rules and context features of an export, as `GET /api/v1/export` returns it: all or none.

    They are one change. Other writes wait meanwhile. An import that takes longer than 5 s is given up with 409, unless
    `block_writes` says that it may.
    """
    if break_glass:
        if cause.reason is None:
            raise InvalidError("break_glass needs a reason in the header X-Change-Reason", location=("query", "reason"))
        cause = with_fields(cause, break_glass=True)
    limits = context.options.limits
    policy = ImportPolicy(
        replace=replace,
        limits=limits,
        keeps_protected=not break_glass,
        max_seconds=None if block_writes else SECONDS_OTHERS_WAIT,
        base_revision=base_revision,
    )
    with TemporaryFile() as file:
        await context.body_reader.save(request, file, max_bytes=limits.max_import_size)
        file.seek(0)
        try:
            export = ExportReader(iter(partial(file.readline, limits.max_changes_size), b""))
            revision = await _import(context, export, cause, policy, dry_run=dry_run)
        except ExportError as error:
            raise InvalidError(str(error), location=("body",)) from error
        except NotEmptyError as error:
            raise ConflictError(f"{error}; an import with replace deletes them first") from error
        except TakesTooLongError as error:
            raise ConflictError(f"{error}; an import with block_writes may do that. Nothing was changed") from error
    shown = {"settings": export.settings, "rules": export.rules}
    return json_response({**shown, "revision": revision.number, "revision_name": str(revision)})


async def _import(
    context: ServiceContext, export: ExportReader, cause: Cause, policy: ImportPolicy, *, dry_run: bool
) -> RevisionId:
    store = context.store
    if dry_run:
        catalog = store.catalog
        await asyncio.to_thread(check_export, catalog, export, policy)
        return catalog.counters.revision_id
    return await import_export(store.write_once, export, cause, policy, now=store.now())
