"""``/console/explain``: why settings have their values, then and now, here and there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from heksherlite.service.api.context import Context, ReadableStore, ServiceContext
from heksherlite.service.api.explain import Part, differing, explained
from heksherlite.service.api.routes import requires_person
from heksherlite.service.api.store_view import StoreView
from heksherlite.service.console.bar import bar_of
from heksherlite.service.console.indexes import index_of
from heksherlite.service.console.people import person_of
from heksherlite.service.console.rendering import render
from heksherlite.service.console.routes import ConsoleRoute
from heksherlite.service.console.value_changes import value_changes
from heksherlite.service.domain.explanations import Page
from heksherlite.service.domain.filters import parse_setting_names
from heksherlite.service.domain.history import Record
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import RequestError
from heksherlite.service.pages.wording import words_of
from heksherlite.service.storage.history_search import Search

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)

OTHER_CONTEXT: Final = "d."
_MOST_CAUSES: Final = 20
_MOST_ROWS: Final = 50
"""How many settings are explained at once: many that depend on unknown features take long."""


@router.get("/console/explain")
@requires_person(Scope.READ)
async def show_explanations(request: Request, store: ReadableStore, context: Context) -> Response:
    """Show the values of settings in a context, beside those in another context or at another time."""
    query = request.query_params
    catalog = store.catalog
    view = index_of(request).view(catalog)
    bar = bar_of(request, catalog, view.suggestions)
    other = bar_of(request, catalog, view.suggestions, prefix=OTHER_CONTEXT)
    asked = bool(query)
    at, and_at = (query.get(name, "").strip() or None for name in ("at", "and_at"))
    compares = bool(other.context) or and_at is not None
    first: dict[str, Any] | None = None
    second: dict[str, Any] | None = None
    problem = ""
    if asked:
        try:
            names = parse_setting_names(",".join(query.get("settings", "").replace(",", " ").split()))
            page, part = Page(limit=100), Part(query.get("after", ""), _MOST_ROWS + 1)
            first = await explained(store, context.changer, at, names or None, bar.context, page, part)
            if compares:
                there = other.context or bar.context
                second = await explained(store, context.changer, and_at, names or None, there, page, part)
        except RequestError as error:
            problem = words_of(error)
    rows, last = ([], None) if first is None else _rows(first, second)
    if query.get("only") and second is not None:
        rows = [row for row in rows if row["differs"]]
    causes: Mapping[str, Sequence[Record | None]] = {}
    if first is not None and second is not None and person_of(request).sees_everything:
        sides = (_Side(bar.context, first["revision"]), _Side(other.context or bar.context, second["revision"]))
        causes = await _causes(context, store, rows, sides)
    return await render(
        request,
        "explain",
        status=400 if problem else 200,
        bar=bar,
        other=other,
        at=at or "",
        and_at=and_at or "",
        settings=query.get("settings", ""),
        only=bool(query.get("only")),
        problem=problem,
        first=first,
        second=second,
        rows=rows,
        after=query.get("after", ""),
        last=last,
        differences=sum(row["differs"] for row in rows),
        causes=causes,
    )


@dataclass(frozen=True, slots=True)
class _Side:
    """A side of a comparison: the context, and the revision."""

    known: Mapping[str, str]
    revision: int


def _rows(first: Mapping[str, Any], second: Mapping[str, Any] | None) -> tuple[list[dict[str, Any]], str | None]:
    """Return the settings with their explanations, and the name after which there are more on a side, if there are."""
    sides = [_by_name(side) for side in (first, second)]
    differ = frozenset(() if second is None else differing(first, second))
    last = min([sorted(side)[_MOST_ROWS - 1] for side in sides if len(side) > _MOST_ROWS], default=None)
    names = sorted({name for side in sides for name in side if last is None or name <= last})
    rows = [
        {"name": name, "first": sides[0].get(name), "second": sides[1].get(name), "differs": name in differ}
        for name in names
    ]
    return rows, last


def _by_name(side: Mapping[str, Any] | None) -> dict[str, Mapping[str, Any]]:
    return {} if side is None else {each["setting"]: each for each in side["explanations"]}


async def _causes(
    context: ServiceContext, store: StoreView, rows: Sequence[Mapping[str, Any]], sides: Sequence[_Side]
) -> Mapping[str, Sequence[Record | None]]:
    """Return, for each setting that differs, the change that made the value of each side."""
    causes = {}
    for row in [row for row in rows if row["differs"]][:_MOST_CAUSES]:
        explanations = (row["first"], row["second"])
        causes[row["name"]] = [
            await _cause(context, store, row["name"], explanation, side)
            for explanation, side in zip(explanations, sides, strict=True)
        ]
    return causes


async def _cause(
    context: ServiceContext, store: StoreView, name: str, explanation: Mapping[str, Any] | None, side: _Side
) -> Record | None:
    entry = store.catalog.find(name)
    if entry is not None and explanation is not None and not explanation["missing"]:
        change = (await value_changes(context, store, entry, side.known)).last_until(side.revision)
        return None if change is None else change.record
    # Several values are possible, or there is no setting: the last change of any of its rules is the best answer.
    search = Search(limit=1, before=side.revision + 1, setting_name=name)
    found = await store.history.search(search, changes_per_record=1)
    return found.records[0] if found.records else None
