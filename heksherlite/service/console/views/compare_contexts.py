"""``/console/compare/contexts``: the values that differ between two contexts, to be copied into a draft."""

import time
from typing import Final

from fastapi import APIRouter, Request, Response

from heksherlite.service.api.context import Context, ReadableStore
from heksherlite.service.api.routes import requires_person
from heksherlite.service.console.bar import bar_of
from heksherlite.service.console.differing_values import Comparison, ValueRow, copied_value
from heksherlite.service.console.drafting import add_to_draft
from heksherlite.service.console.indexes import index_of
from heksherlite.service.console.rendering import redirect, render
from heksherlite.service.console.routes import ConsoleRoute
from heksherlite.service.console.views.editing import may_edit_values
from heksherlite.service.domain.filters import parse_feature_values
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import BadRequestError, RequestError
from heksherlite.service.pages.form import read_form

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)

OTHER_CONTEXT: Final = "d."
_PAGE_SIZE: Final = 50
_SECONDS: Final = 0.25
"""After how long a page ends, even if it has few rows: most settings may have the same values in both contexts."""

_REGIONS: Final = 6
"""How many possible values of a setting are shown."""


@router.get("/console/compare/contexts")
@requires_person(Scope.READ)
async def show_comparison_of_contexts(request: Request, store: ReadableStore, context: Context) -> Response:
    """Show the settings whose values differ between two contexts."""
    catalog = store.catalog
    suggestions = index_of(request).view(catalog).suggestions
    left = bar_of(request, catalog, suggestions)
    right = bar_of(request, catalog, suggestions, prefix=OTHER_CONTEXT)
    asked = bool(left.context and right.context)
    comparison = Comparison(left.context, right.context, after=request.query_params.get("after", ""))
    rows: list[ValueRow] = []
    has_more = False

    def compare() -> bool:
        end = time.monotonic() + _SECONDS
        for row in comparison.rows(catalog, catalog.entries.values(), context.changer, regions=_REGIONS + 1):
            if row is not None:
                rows.append(row)
            if len(rows) == _PAGE_SIZE or time.monotonic() > end:
                return True
        return False

    if asked:
        has_more = await context.changer.computed(compare)
    return await render(
        request,
        "compare_contexts",
        left=left,
        right=right,
        asked=asked,
        incomplete=bool(request.query_params) and not asked,
        rows=rows,
        most_regions=_REGIONS,
        after=comparison.after,
        compared=comparison.compared,
        has_more=has_more,
    )


@router.post("/console/compare/contexts")
@may_edit_values
async def copy_values(request: Request, store: ReadableStore, context: Context) -> Response:
    """Take rules into the draft that give the second context the values of the first: the chosen ones, or all."""
    form = await read_form(request)
    try:
        left, right = (parse_feature_values(form.text(name)) for name in ("left", "right"))
    except RequestError as error:
        raise BadRequestError("the form does not say what to copy") from error
    catalog = store.catalog
    chosen = frozenset(form.texts("row"))
    entries = [each for each in catalog.entries.values() if form.text("all") or each.setting.name in chosen]
    comparison = Comparison(left, right)
    rows = await context.changer.computed(lambda: list(comparison.rows(catalog, entries, context.changer)))
    operations = [copied_value(row) for row in rows if row is not None and row.can_be_copied]
    if not operations:
        raise BadRequestError("choose at least one row whose first context has exactly one value")
    await add_to_draft(request, operations)
    return redirect(request, "draft")
