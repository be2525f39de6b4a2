"""``/api/v1/changes``: many operations as one change, which can be previewed."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field

from heksherlite.service.api.change_cause import MAX_REASON_LENGTH, ChangeCause
from heksherlite.service.api.context import CallerRights, Context
from heksherlite.service.api.history import ChangeModel, show_change
from heksherlite.service.api.operation_bodies import AnyOperationBody, require_at_most
from heksherlite.service.api.responses import EVERY_WRITE, json_response, text_responses
from heksherlite.service.api.routes import OperationsRoute, requires
from heksherlite.service.changing import Preview
from heksherlite.service.domain.history import changes_between
from heksherlite.service.domain.impact import Impact
from heksherlite.service.domain.lineage import RevisionId
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import NotPermittedError, OperationConflictsError
from heksherlite.service.fields import BaseRevision, RequestBody, ResponseBody

router = APIRouter(prefix="/api/v1/changes", tags=["changes"], route_class=OperationsRoute)


class ChangesBody(RequestBody):
    """Operations to make as one change."""

    model_config = ConfigDict(extra="forbid")

    operations: list[AnyOperationBody] = Field(description="The operations. Each is decided after the ones before it.")
    reason: Annotated[str | None, Field(max_length=MAX_REASON_LENGTH)] = None
    base_revision: BaseRevision = None
    dry_run: bool = Field(False, description="Whether to return the same response without changing anything.")
    break_glass: bool = Field(
        False, description="Whether to change protected settings in an emergency. It takes scope `admin` and a reason."
    )


class ImpactRegion(ResponseBody):
    """Contexts whose value changes: those that meet `where`, and none of `except`."""

    model_config = ConfigDict(extra="allow")

    setting: str
    where: dict[str, str]
    exceptions: list[dict[str, str]] = Field(alias="except")


class ChangesMade(ResponseBody):
    """A change that was made, or that would be."""

    revision: int
    revision_name: str = Field(description="The name of the revision, which a `base_revision` may be.")
    changes: list[ChangeModel]
    results: list[dict[str, Any]]
    impact: list[ImpactRegion]
    impact_truncated: bool | None = None


class OperationConflict(ResponseBody):
    """Why an operation cannot be made."""

    operation: int
    reason: str
    setting: str | None
    rule_id: int | None


class OperationConflicts(ResponseBody):
    """Why operations cannot be made: each conflict of each of them."""

    conflicts: list[OperationConflict]


CONFLICTS: Any = {
    409: {
        "model": OperationConflicts,
        "content": {"text/plain": {"schema": {"type": "string"}}},
        "description": "Operations cannot be made, or the base revision is of another service. Nothing is changed.",
    }
}


@router.post("", response_model=ChangesMade, responses={**text_responses(404), **CONFLICTS, **EVERY_WRITE})
@requires(Scope.WRITE, Scope.ADMIN, Scope.READ)
async def make_changes(body: ChangesBody, context: Context, cause: ChangeCause, rights: CallerRights) -> Response:
    """Make operations as one change, with one revision, or none of them. Or preview what they would do.

    The scope `read` is enough for a preview.
    """
    operations = body.operations
    require_at_most(context.options.limits.max_operations, operations)
    if body.break_glass:
        rights, cause = rights.breaking_glass(cause)
    base_revision = await context.changer.number_of(body.base_revision)
    if body.dry_run:
        preview = await context.changer.preview(operations, rights.to_look_ahead(), base_revision=base_revision)
        if preview.outcome.conflicts:
            raise OperationConflictsError(preview.conflicts)
        impact = await context.changer.impact(preview)
        return json_response(_show_change(preview, impact, preview.catalog.counters.revision_id))
    if not rights.may_change:
        raise NotPermittedError(f"a change requires a token with scope {Scope.WRITE}; dry_run requires {Scope.READ}")
    made = await context.changer.make(operations, rights, cause, base_revision=base_revision)
    impact = await context.changer.impact(made.preview)
    counters, lineage = context.store.catalog.counters, context.store.catalog.lineage
    return json_response(_show_change(made.preview, impact, lineage.revision(made.revision) or counters.revision_id))


def _show_change(preview: Preview, impact: Impact | None, revision: RevisionId) -> dict[str, Any]:
    """Return a change that has no conflicts, as the API shows it."""
    changes = changes_between(preview.catalog, preview.outcome.changes)
    return {
        "revision": revision.number,
        "revision_name": str(revision),
        "changes": [show_change(change) for change in changes],
        "results": preview.outcome.results,
        **show_impact(impact),
    }


def show_impact(impact: Impact | None) -> dict[str, Any]:
    """Return the impact of a change, as the API shows it. None: there are conflicts."""
    if impact is None:
        return {"impact": []}
    shown: dict[str, Any] = {"impact": impact.regions}
    if impact.truncated:
        shown |= {"impact_truncated": True, "impact_counts": impact.counts}
        if impact.counts_are_minimums:
            shown["impact_counts_are_minimums"] = True
    return shown
