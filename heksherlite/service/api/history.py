"""``/api/v1/history``: all changes with their authors and reasons, and how to revert them."""

from functools import partial
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from heksherlite.service.api.change_cause import MAX_REASON_LENGTH
from heksherlite.service.api.context import Context, ReadableStore, WritableStore
from heksherlite.service.api.responses import EVERY_WRITE, INVALID, json_response, text_responses
from heksherlite.service.api.routes import ServiceRoute, requires
from heksherlite.service.domain.authors import Author, AuthorKind
from heksherlite.service.domain.history import Change, ChangeKind, Record
from heksherlite.service.domain.reverting import revert
from heksherlite.service.domain.times import show_time
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import ConflictsError, NotPermittedError, TooManyChangesError
from heksherlite.service.fields import RequestBody, ResponseBody, SettingName, Time
from heksherlite.service.storage.history_search import Search

router = APIRouter(prefix="/api/v1/history", tags=["history"], route_class=ServiceRoute)

_MAX_RECORDS = 1_000
_CHANGES_PER_RECORD = 100
_MAX_NUMBER = 2**63 - 1

Number: TypeAlias = Annotated[int, Field(ge=0, le=_MAX_NUMBER)]


class AuthorModel(ResponseBody):
    """The author of a change and the address of the request; only the kind for tokens without ``audit`` and ``admin``.

    ``id`` identifies the author among those of its kind, and ``name`` may be chosen by the author.
    """

    kind: AuthorKind
    id: str | None
    name: str | None
    address: str | None


class LastChange(ResponseBody):
    """The last write that changed a setting or one of its rules."""

    revision: int
    time: str
    author: AuthorModel
    reason: str | None = Field(description="Null also for tokens that are limited to a setting prefix.")


class ChangeModel(ResponseBody):
    """A change of a setting, a rule, the context features, an application, a configuration group or a secret.

    ``before`` and ``after`` are null where the subject does not exist. Only the last three have a ``name``. They are
    not shown to tokens without ``audit`` and ``admin``; ``hidden`` is true then.
    """

    kind: ChangeKind
    setting: str | None
    rule_id: int | None
    name: str | None = None
    before: dict[str, Any] | list[str] | None
    after: dict[str, Any] | list[str] | None
    hidden: bool | None = Field(None, description="Whether `before` and `after` are not shown.")


class RecordModel(ResponseBody):
    """All changes of one write."""

    revision: int
    time: str
    author: AuthorModel
    reason: str | None
    reverts: int | None
    break_glass: bool | None = Field(None, description="Only if the write ignored the protection of settings.")
    changes: list[ChangeModel]
    change_count: int


class HistoryPage(ResponseBody):
    """Writes, newest first. If there are more, the next page has the parameter ``before`` set to ``next``."""

    history: list[RecordModel]
    next: int | None


class RevertBody(RequestBody):
    """Why a change is reverted, and whether it really is."""

    reason: Annotated[str | None, Field(max_length=MAX_REASON_LENGTH)] = None
    dry_run: bool = Field(False, description="Whether to find out if the change can be reverted, and change nothing.")


class Reverted(ResponseBody):
    """The revision of the write that reverted a change. After a dry run, the newest one."""

    revision: int


class RevertConflicts(ResponseBody):
    """The reasons why a change cannot be reverted."""

    conflicts: list[str]


@router.get("", response_model=HistoryPage, responses={**text_responses(503), **INVALID})
@requires(Scope.READ, all_settings=True)
async def list_history(
    request: Request,
    store: ReadableStore,
    *,
    setting: Annotated[
        SettingName | None,
        Query(description="Only changes of settings that have or had this name, and of their rules."),
    ] = None,
    rule_id: Annotated[Number | None, Query(description="Only changes of this rule.")] = None,
    application: Annotated[
        str | None, Query(pattern=r"^[^\x00]*$", description="Only changes of applications with this identifier.")
    ] = None,
    author: Annotated[
        str | None, Query(pattern=r"^[^\x00]*$", description="Only changes by this token or person.")
    ] = None,
    since: Annotated[Time | None, Query(description="Only changes at or after this time.")] = None,
    until: Annotated[Time | None, Query(description="Only changes before this time.")] = None,
    before: Annotated[Number | None, Query(description="Only revisions below this one.")] = None,
    limit: Annotated[int, Query(ge=1, le=_MAX_RECORDS, description="The maximal number of writes to return.")] = 100,
) -> Response:
    """List writes, newest first, each with its first hundred changes. A page of large changes has fewer writes."""
    complete = request.state.identity.sees_people
    if author is not None and not complete:
        raise NotPermittedError(f"the filter author requires a token with scope {Scope.AUDIT} or {Scope.ADMIN}")
    known = None if setting is None else store.catalog.find(setting)
    search = Search(
        limit=limit,
        before=before,
        setting_name=setting,
        setting_id=None if known is None else known.setting.id,
        rule_id=rule_id,
        application=application,
        author_name=author,
        since=since,
        until=until,
    )
    page = await store.history.search(search, changes_per_record=_CHANGES_PER_RECORD)
    shown = [_record_json(record, complete=complete) for record in page.records]
    return json_response({"history": shown, "next": shown[-1]["revision"] if page.more else None})


@router.get("/{revision}", response_model=RecordModel, responses={**text_responses(404, 503), **INVALID})
@requires(Scope.READ, all_settings=True)
async def get_record(request: Request, revision: Annotated[Number, Path()], store: ReadableStore) -> Response:
    """Return all changes of one revision."""
    record = await store.history.record(revision)
    return json_response(_record_json(record, complete=request.state.identity.sees_people))


@router.post(
    "/{revision}/revert",
    response_model=Reverted,
    responses={
        **text_responses(404),
        409: {"model": RevertConflicts, "description": "The change cannot be reverted any more."},
        **EVERY_WRITE,
    },
)
@requires(Scope.ADMIN, all_settings=True)
async def revert_change(
    revision: Annotated[Number, Path()],
    store: WritableStore,
    context: Context,
    body: RevertBody | None = None,
) -> Response:
    """Revert a change with a new write, if it is not larger than one write may be."""
    most = context.options.limits.max_operations
    try:
        record = await store.history.record(revision, most_changes=most)
    except TooManyChangesError as error:
        conflict = (
            f"{error}, and others would wait while more than {most} are reverted (--max-operations). To restore the"
            f" state before, save GET /api/v1/export?at={revision - 1}, and import it with replace"
        )
        raise ConflictsError([conflict]) from error
    decide = partial(revert, record=record, now=store.now())
    if body is not None and body.dry_run:
        store.preview(decide)
        return json_response({"revision": store.catalog.counters.revision})
    return json_response({"revision": await store.write(decide, reverts=revision)})


def _record_json(record: Record, *, complete: bool) -> dict[str, Any]:
    return {
        **show_header(record, complete=complete),
        "reverts": record.cause.reverts,
        **({"break_glass": True} if record.cause.break_glass else {}),
        "changes": [show_change(change, complete=complete) for change in record.changes],
        "change_count": record.change_count,
    }


def show_header(record: Record, *, complete: bool) -> dict[str, Any]:
    """Return when, by whom and why something was written, as the API shows it.

    Args:
        record: The record of the write.
        complete: Whether to show who the author is.
    """
    author = record.cause.author if complete else Author(record.cause.author.kind)
    return {
        "revision": record.revision,
        "time": show_time(record.time),
        "author": {"kind": author.kind, "id": author.id, "name": author.name, "address": author.address},
        "reason": record.cause.reason,
    }


def show_change(change: Change, *, complete: bool = True) -> dict[str, Any]:
    """Return a change of a setting, a rule, or something else, as the API shows it.

    Args:
        change: The change.
        complete: Whether to show the contents of what is neither a setting nor a rule: they tell of people and secrets.
    """
    shown = {
        "kind": change.kind,
        "setting": change.setting_name,
        "rule_id": change.rule_id,
        "before": change.before,
        "after": change.after,
    }
    if change.subject is None:
        return shown
    if not complete:
        shown |= {"before": None, "after": None, "hidden": True}
    return {**shown, "name": change.subject_name}
