"""``/console/compare``: what differs between two values of a context feature, to be copied into a draft."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from fastapi import APIRouter, Request, Response

from heksherlite.service.api.context import Context, ReadableStore
from heksherlite.service.api.routes import requires_person
from heksherlite.service.console.differing import Row, copied, differing_rules
from heksherlite.service.console.drafting import add_to_draft
from heksherlite.service.console.indexes import index_of
from heksherlite.service.console.numbers import read_number
from heksherlite.service.console.rendering import redirect, render
from heksherlite.service.console.routes import ConsoleRoute
from heksherlite.service.console.views.editing import may_edit_values
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import BadRequestError
from heksherlite.service.pages.form import read_form

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)

_PAGE_SIZE: Final = 200


@router.get("/console/compare")
@requires_person(Scope.READ)
async def show_comparison(request: Request, store: ReadableStore, context: Context) -> Response:
    """Show the rules that differ between two values of a context feature."""
    query = request.query_params
    number = read_number(query.get("page", "1"), "page")
    start = (number - 1) * _PAGE_SIZE
    catalog = store.catalog
    feature, left, right = (query.get(name, "").strip() for name in ("feature", "left", "right"))
    view = index_of(request).view(catalog)
    rows: list[Row] = []
    asked, only = bool(feature and left and right), bool(query.get("only"))

    def found() -> Iterator[Row]:
        differing = differing_rules(catalog.entries.values(), feature, left, right)
        return (row for row in differing if row.left is not None) if only else differing

    if asked:
        rows = await context.changer.computed(lambda: list(islice(found(), start, start + _PAGE_SIZE + 1)))
    return await render(
        request,
        "compare",
        feature=feature or (catalog.context_features[0] if catalog.context_features else ""),
        features=catalog.context_features,
        left=left,
        right=right,
        suggestions=[(each, value) for each, values in view.suggestions.items() for value in values][:200],
        asked=asked,
        only=only,
        rows=rows[:_PAGE_SIZE],
        start=start,
        number=number,
        has_more=len(rows) > _PAGE_SIZE,
    )


@router.post("/console/compare")
@may_edit_values
async def copy(request: Request, store: ReadableStore, context: Context) -> Response:
    """Take what makes the right side like the left one into the draft: the chosen rows, or all values."""
    form = await read_form(request)
    feature, left, right = (form.text(name) for name in ("feature", "left", "right"))
    if not (feature and left and right):
        raise BadRequestError("the form does not say what to copy")
    catalog = store.catalog
    rows = await context.changer.computed(lambda: list(differing_rules(catalog.entries.values(), feature, left, right)))
    chosen = frozenset(form.texts("row"))
    operations = [copied(row, feature, right) for row in rows if row.key in chosen or (form.text("all") and row.left)]
    if not operations:
        raise BadRequestError("choose at least one row")
    await add_to_draft(request, operations)
    return redirect(request, "draft")
