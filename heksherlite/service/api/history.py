"""``/api/v1/history``: what was changed, by whom and why, and how to undo it."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from heksherlite.service.api.author import LONGEST_REASON
from heksherlite.service.api.responses import EVERY_WRITE, INVALID, json_answer, text_responses
from heksherlite.service.api.routes import ServiceRoute, requires
from heksherlite.service.api.service_state import StoreOfApp
from heksherlite.service.domain.authors import AuthorKind
from heksherlite.service.domain.history import Change, ChangeKind, Record
from heksherlite.service.domain.reverting import revert
from heksherlite.service.domain.times import show_time
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.fields import RequestBody, SettingName, Time
from heksherlite.service.storage.history import Search

router = APIRouter(prefix="/api/v1/history", tags=["history"], route_class=ServiceRoute)

_MOST_RECORDS = 1_000
_CHANGES_PER_RECORD = 100
_LARGEST_NUMBER = 2**63 - 1

Number: TypeAlias = Annotated[int, Field(ge=0, le=_LARGEST_NUMBER)]


class AuthorAnswer(BaseModel):
    """Who made a change, and from where."""

    kind: AuthorKind
    name: str | None
    address: str | None


class ChangeAnswer(BaseModel):
    """A setting, a rule, the list of the context features, an application, a configuration group or a secret.

    ``before`` and ``after`` are null where it does not exist; ``name`` is that of the last three.
    """

    kind: ChangeKind
    setting: str | None
    rule_id: int | None
    name: str | None = None
    before: dict[str, Any] | list[str] | None
    after: dict[str, Any] | list[str] | None


class RecordAnswer(BaseModel):
    """What a write changed."""

    revision: int
    time: str
    author: AuthorAnswer
    reason: str | None
    reverts: int | None
    changes: list[ChangeAnswer]
    change_count: int


class HistoryPage(BaseModel):
    """Writes, the newest first; where there are more, the next page is ``before`` the revision in ``next``."""

    history: list[RecordAnswer]
    next: int | None


class Reason(RequestBody):
    """Why a change is undone."""

    reason: Annotated[str | None, Field(max_length=LONGEST_REASON)] = None


class Reverted(BaseModel):
    """The revision at which a change was undone."""

    revision: int


class RevertConflicts(BaseModel):
    """Why a change cannot be undone."""

    conflicts: list[str]


@router.get("", response_model=HistoryPage, responses={**text_responses(503), **INVALID})
@requires(Scope.READ, all_settings=True)
async def list_history(
    store: StoreOfApp,
    *,
    setting: Annotated[
        SettingName | None,
        Query(description="Only changes of the settings that have or had this name, or of their rules."),
    ] = None,
    rule_id: Annotated[Number | None, Query(description="Only changes of this rule.")] = None,
    application: Annotated[
        str | None, Query(pattern=r"^[^\x00]*$", description="Only changes of the applications with this identifier.")
    ] = None,
    author: Annotated[
        str | None, Query(pattern=r"^[^\x00]*$", description="Only what this token or person did.")
    ] = None,
    since: Annotated[Time | None, Query(description="Only what was at this time or later.")] = None,
    until: Annotated[Time | None, Query(description="Only what was before this time.")] = None,
    before: Annotated[Number | None, Query(description="Only revisions below this one.")] = None,
    limit: Annotated[int, Query(ge=1, le=_MOST_RECORDS, description="At most how many to return.")] = 100,
) -> Response:
    """List what was changed, the newest first, each with its first hundred changes; fewer at once if they are large."""
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
    shown = [_shown(record) for record in page.records]
    return json_answer({"history": shown, "next": shown[-1]["revision"] if page.more else None})


@router.get("/{revision}", response_model=RecordAnswer, responses={**text_responses(404, 503), **INVALID})
@requires(Scope.READ, all_settings=True)
async def get_record(revision: Annotated[Number, Path()], store: StoreOfApp) -> Response:
    """Return all that was changed at one revision."""
    return json_answer(_shown(await store.history.record(revision)))


@router.post(
    "/{revision}/revert",
    response_model=Reverted,
    responses={
        **text_responses(404),
        409: {"model": RevertConflicts, "description": "The change cannot be undone any more."},
        **EVERY_WRITE,
    },
)
@requires(Scope.ADMIN, all_settings=True)
async def revert_change(revision: Annotated[Number, Path()], store: StoreOfApp, body: Reason | None = None) -> Response:  # noqa: ARG001  # read with that of all writes
    """Undo a change, as a new change."""
    record = await store.history.record(revision)
    decide = partial(revert, record=record, now=datetime.now(UTC))
    return json_answer({"revision": await store.write(decide, reverts=revision)})


def _shown(record: Record) -> dict[str, Any]:
    author = record.cause.author
    return {
        "revision": record.revision,
        "time": show_time(record.time),
        "author": {"kind": author.kind, "name": author.name, "address": author.address},
        "reason": record.cause.reason,
        "reverts": record.cause.reverts,
        "changes": [_shown_change(change) for change in record.changes],
        "change_count": record.change_count,
    }


def _shown_change(change: Change) -> dict[str, Any]:
    shown = {
        "kind": change.kind,
        "setting": change.setting_name,
        "rule_id": change.rule_id,
        "before": change.before,
        "after": change.after,
    }
    return shown if change.subject is None else {**shown, "name": change.subject_name}
