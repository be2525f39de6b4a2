"""``/console/compare/contexts``: the values that differ between two contexts, to be copied into a draft."""

from itertools import islice
from typing import Final

from fastapi import APIRouter, Request, Response

from heksherlite.service.api.context import Context, ReadableStore
from heksherlite.service.api.routes import requires_person
from heksherlite.service.console.bar import bar_of
from heksherlite.service.console.differing_values import ValueRow, copied_value, differing_values
from heksherlite.service.console.drafting import add_to_draft
from heksherlite.service.console.indexes import index_of
from heksherlite.service.console.numbers import read_number
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
_REGIONS: Final = 6
"""How many possible values of a setting are shown."""


@router.get("/console/compare/contexts")
@requires_person(Scope.READ)
async def show_comparison_of_contexts(request: Request, store: ReadableStore, context: Context) -> Response:
    """Show the settings whose values differ between two contexts."""
    number = read_number(request.query_params.get("page", "1"), "page")
    start = (number - 1) * _PAGE_SIZE
    catalog = store.catalog
    suggestions = index_of(request).view(catalog).suggestions
    left = bar_of(request, catalog, suggestions)
    right = bar_of(request, catalog, suggestions, prefix=OTHER_CONTEXT)
    asked = bool(left.context and right.context)
    rows: list[ValueRow] = []
    if asked:
        rows = await context.changer.computed(
            lambda: list(
                islice(
                    differing_values(catalog, catalog.entries.values(), left.context, right.context, context.changer),
                    start,
                    start + _PAGE_SIZE + 1,
                )
            )
        )
    return await render(
        request,
        "compare_contexts",
        left=left,
        right=right,
        asked=asked,
        incomplete=bool(request.query_params) and not asked,
        rows=rows[:_PAGE_SIZE],
        most_regions=_REGIONS,
        start=start,
        number=number,
        has_more=len(rows) > _PAGE_SIZE,
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
    rows = await context.changer.computed(
        lambda: list(differing_values(catalog, entries, left, right, context.changer))
    )
    operations = [copied_value(row) for row in rows if row.can_be_copied]
    if not operations:
        raise BadRequestError("choose at least one row whose first context has exactly one value")
    await add_to_draft(request, operations)
    return redirect(request, "draft")
