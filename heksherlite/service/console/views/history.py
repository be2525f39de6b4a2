"""``/console/history``: every change, and how to undo one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from heksherlite.service.api import history
from heksherlite.service.api.context import Context, ReadableStore, WritableStore
from heksherlite.service.api.routes import requires_operator, requires_person
from heksherlite.service.api.store_view import StoreView
from heksherlite.service.console.bar import Bar, bar_of
from heksherlite.service.console.describing import describe_record
from heksherlite.service.console.drafting import add_to_draft
from heksherlite.service.console.indexes import index_of
from heksherlite.service.console.links import CONTEXT
from heksherlite.service.console.numbers import read_number
from heksherlite.service.console.parts import part_of
from heksherlite.service.console.people import person_of
from heksherlite.service.console.rendering import redirect, render
from heksherlite.service.console.routes import ConsoleRoute
from heksherlite.service.console.value_changes import ValueChange, value_changes
from heksherlite.service.console.value_chart import Chart, chart_of
from heksherlite.service.domain.entities import Entry
from heksherlite.service.domain.times import read_time
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.domain.undoing import operations_to_undo
from heksherlite.service.errors import BadRequestError
from heksherlite.service.pages.form import read_form
from heksherlite.service.storage.history_search import Search

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)

reads_history = requires_person(Scope.READ, all_settings=True)

PAGE_SIZE: Final = 30
_CHANGES_SHOWN: Final = 10
_CHANGES_OF_A_RECORD: Final = 100
_MOST_VALUES: Final = 100


@router.get("/console/history")
@reads_history
async def show_history(request: Request, store: ReadableStore, context: Context) -> Response:
    """Show the changes that some filters leave, the newest first."""
    given = {name: value.strip() for name, value in request.query_params.items() if value.strip()}
    known = store.catalog.find(given["setting"]) if "setting" in given else None
    since, until = _time(given, "since"), _time(given, "until")
    author = given.get("author") if person_of(request).sees_people else None
    search = Search(
        limit=PAGE_SIZE,
        before=read_number(given["before"], "revision") if "before" in given else None,
        setting_name=given.get("setting"),
        setting_id=None if known is None else known.setting.id,
        author_name=author,
        reason=given.get("reason"),
        since=since,
        until=until,
    )
    page = await store.history.search(search, changes_per_record=_CHANGES_SHOWN)
    return await render(
        request,
        "history",
        records=[describe_record(record, complete=person_of(request).sees_people) for record in page.records],
        more=page.more,
        given=given,
        is_filtered=any(name != "before" and not name.startswith(CONTEXT) for name in given),
        values=None if known is None else await _values(request, context, store, known, since, until),
    )


@dataclass(frozen=True, slots=True)
class _Values:
    """A setting's value over time in a context."""

    entry: Entry
    bar: Bar
    chart: Chart | None
    changes: Sequence[ValueChange]
    count: int
    is_complete: bool


async def _values(
    request: Request, context: Context, store: StoreView, entry: Entry, since: datetime | None, until: datetime | None
) -> _Values:
    catalog, now = store.catalog, store.now()
    indexed = index_of(request).view(catalog).indexed(entry)
    bar = bar_of(request, catalog, indexed.values, features=catalog.in_order(entry.setting.configurable_features))
    found = await value_changes(context, store, entry, bar.context)
    ends = now if until is None else min(now, until)
    chart = chart_of(found.changes, since, ends)
    listed = [
        each for each in found.changes if (since is None or each.record.time >= since) and each.record.time < ends
    ]
    return _Values(entry, bar, chart, listed[:_MOST_VALUES], len(listed), found.is_complete)


@router.get("/console/history/{revision}")
@reads_history
async def show_record(request: Request, revision: str, store: ReadableStore) -> Response:
    """Show one change."""
    record = await store.history.record(read_number(revision, "revision"))
    _, problems = operations_to_undo(record, store.catalog)
    described = describe_record(record, complete=person_of(request).sees_people)
    return await render(
        request,
        "record",
        described=described,
        record=record,
        changes=part_of(request, described.changes, size=_CHANGES_OF_A_RECORD),
        problems=problems,
        saved="saved" in request.query_params,
        newest=store.catalog.counters.revision,
    )


@router.post("/console/history/{revision}/undo")
@requires_person(Scope.WRITE, Scope.PROPOSE, Scope.ADMIN, all_settings=True, reads=True)
async def undo(request: Request, revision: str, store: ReadableStore, context: Context) -> Response:
    """Take the operations that undo a change into the draft."""
    await read_form(request)
    most = context.options.limits.max_operations
    record = await store.history.record(read_number(revision, "revision"), most_changes=most)
    operations, problems = operations_to_undo(record, store.catalog)
    if not operations:
        raise BadRequestError(problems[0] if problems else "this change has nothing that could be undone")
    if len(operations) > most:
        raise BadRequestError(f"this change has {len(operations)} parts, which is too many for a draft")
    await add_to_draft(request, operations, base_revision=record.revision)
    return redirect(request, "draft")


@router.post("/console/history/{revision}/revert")
@requires_operator
async def revert_exactly(request: Request, revision: str, store: WritableStore, context: Context) -> Response:
    """Revert a change at once, with everything that only an exact revert brings back."""
    await read_form(request)
    await history.revert_change(read_number(revision, "revision"), store, context)
    return redirect(request, f"history/{store.catalog.counters.revision}?saved=1")


def _time(given: Mapping[str, Any], name: str) -> datetime | None:
    if name not in given:
        return None
    try:
        return read_time(given[name])
    except ValueError as error:
        raise BadRequestError(f"{'From' if name == 'since' else 'Until'}: {error}") from error
